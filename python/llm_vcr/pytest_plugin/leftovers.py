"""Patches that somebody's test has left behind: the tests after it may speak to a mock, or to nobody, and nothing says so.

After each test, a table of places that are commonly patched is compared with what stood there before it. That is a look at some attributes
of what is imported: microseconds. What a fixture of a wider scope has put there is its business until it ends.
"""

from __future__ import annotations

import functools
import operator
import sys
from collections.abc import Iterator
from typing import Any

from llm_vcr import _core, latecomers

_HTTPX = (
    *("Client", "AsyncClient", "HTTPTransport", "AsyncHTTPTransport"),
    *("get", "post", "request", "stream"),
    *("Client.send", "Client.request", "Client.post", "Client.stream"),
    *("AsyncClient.send", "AsyncClient.request", "AsyncClient.post", "AsyncClient.stream"),
    *("HTTPTransport.handle_request", "AsyncHTTPTransport.handle_async_request"),
)

PLACES = {
    "socket": (
        *("socket", "create_connection", "getaddrinfo", "gethostbyname", "socketpair"),
        *("socket.connect", "socket.connect_ex", "socket.send", "socket.sendall", "socket.recv"),
    ),
    "ssl": ("SSLContext", "SSLContext.wrap_socket", "create_default_context"),
    "asyncio": ("BaseEventLoop.getaddrinfo", "BaseEventLoop.create_connection", "open_connection"),
    "http.client": (
        *("HTTPConnection", "HTTPSConnection", "HTTPConnection.request", "HTTPConnection.putrequest"),
        *("HTTPConnection.getresponse", "HTTPConnection.connect", "HTTPSConnection.connect"),
    ),
    "urllib.request": ("urlopen", "OpenerDirector.open"),
    "urllib3": ("PoolManager", "HTTPConnectionPool", "HTTPSConnectionPool"),
    "urllib3.connectionpool": ("HTTPConnectionPool.urlopen", "HTTPConnectionPool.ConnectionCls", "HTTPSConnectionPool.ConnectionCls"),
    "requests": ("Session", "get", "post", "request", "Session.send", "Session.request", "Session.get", "Session.post"),
    "requests.adapters": ("HTTPAdapter", "HTTPAdapter.send", "HTTPAdapter.get_connection_with_tls_context"),
    "httpx": _HTTPX,
    "httpx2": _HTTPX,
    "aiohttp": ("ClientSession", "TCPConnector", "ClientSession._request", "ClientSession.get", "ClientSession.post"),
    "botocore.httpsession": ("URLLib3Session", "URLLib3Session.send"),
    "botocore.client": ("BaseClient._make_api_call",),
    "openai": ("OpenAI", "AsyncOpenAI", "AzureOpenAI", "AsyncAzureOpenAI"),
    "openai.resources.chat.completions.completions": ("Completions.create", "AsyncCompletions.create"),
    "openai.resources.responses.responses": ("Responses.create", "AsyncResponses.create"),
    "openai.resources.embeddings": ("Embeddings.create", "AsyncEmbeddings.create"),
    "anthropic": ("Anthropic", "AsyncAnthropic"),
    "anthropic.resources.messages": ("Messages.create", "Messages.stream", "AsyncMessages.create", "AsyncMessages.stream"),
    "google.genai": ("Client",),
    "mistralai": ("Mistral",),
    "cohere": ("Client", "ClientV2", "AsyncClient", "AsyncClientV2"),
    "groq": ("Groq", "AsyncGroq"),
    "litellm": ("completion", "acompletion", "embedding", "aembedding"),
    "boto3": ("client", "Session"),
}
"""What is looked at, in the modules that are imported."""

_GONE = object()


class Leftovers:
    """Compares, test by test."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[Any, str]] = {}
        """Owner and attribute of each place, by the name it has for people. The owner is the one that was there first."""
        self._waiting = set(PLACES)
        """The modules that have not been imported."""
        self._owners: tuple[Any, ...] = ()
        """Where each place is looked for: in a namespace, or in a class with its bases."""
        self._names: tuple[str, ...] = ()
        self._seen: tuple[Any, ...] = ()
        """What stood there when it was last looked at: where nothing has changed, it is handed out again and again."""
        self._first: dict[str, Any] = {}
        self._before: tuple[Any, ...] = ()
        self._of_fixtures: dict[Any, tuple[str, dict[str, Any]]] = {}
        """What fixtures of a wider scope have put in place, while they last, with the name for each."""
        self._left: list[str] = []
        self._came: list[tuple[str, dict[str, tuple[Any, str]], tuple[Any, ...]]] = []
        """Clients that were imported since somebody last looked, by whichever thread, and what stood in their places then."""
        self._late: tuple[Any, ...] = ()
        """What stood in the places that are looked at since the test began."""

    def client_came(self, client: str) -> None:
        """A client has just been imported, and no cassette has put anything in its places yet."""
        package = latecomers.CLIENTS[client].partition(".")[0]
        for module in PLACES:
            if f"{module}.".startswith(f"{package}.") and module in sys.modules:
                places = dict(_resolved(module))
                self._came.append((module, places, tuple(_value(owner, name) for owner, name in places.values())))

    def _take_in(self) -> None:
        while self._came:
            module, places, values = self._came.pop(0)
            if module in self._waiting:  # of a second copy nothing is looked at
                self._waiting.discard(module)
                self._add(places)
                self._first.update(zip(places, values, strict=True))
                self._before += values
                self._late += values

    def begin(self) -> None:
        """A test begins. What stands there now is not its doing."""
        self._take_in()
        self._late = ()
        if new := [module for module in self._waiting if module in sys.modules]:
            self._waiting.difference_update(new)
            for module in new:
                self._add(dict(_resolved(module)))
            self._first = {**dict(zip(self._places, self._look(), strict=True)), **self._first}
        self._before = self._look()

    def _look(self) -> tuple[Any, ...]:
        if self._came:
            self._take_in()
        # One by one they take ten times as long; and nearly always nothing has changed.
        if len(self._seen) != len(self._names) or not _core.stand(self._owners, self._names, self._seen):
            self._seen = tuple([_value(owner, name) for owner, name in self._places.values()])
        return self._seen

    def _add(self, places: dict[str, tuple[Any, str]]) -> None:
        self._places.update(places)
        self._owners += tuple([_namespace(owner, name) for owner, name in places.values()])
        self._names += tuple([name for _, name in places.values()])

    def fixture_begins(self) -> tuple[Any, ...]:
        """A fixture of a wider scope is about to be set up: what is there now."""
        return self._look()

    def fixture_is_there(self, fixture: Any, name: str, before: tuple[Any, ...]) -> None:
        """It is set up, and has a ``name`` for people: what it has put in place since is its business."""
        if changed := self._changed(before):
            self._of_fixtures[fixture] = (name, changed)

    def fixture_ended(self, fixture: Any) -> None:
        """It is over: what is still there it has left behind."""
        name, changed = self._of_fixtures.pop(fixture, ("", {}))
        for place, value in changed.items():
            owner, attribute = self._places[place]
            if _value(owner, attribute) is value and value is not self._first[place]:
                self._left.append(f"{name} left {place} patched: {_what(value)}")
                before = dict(zip(self._places, self._before, strict=True))
                self._before = tuple({**before, place: value}.values())

    def _changed(self, before: tuple[Any, ...]) -> dict[str, Any]:
        """What stands there now and is not what was there ``before``."""
        now = self._look()
        if now is before:
            return {}
        if len(before) < len(now):
            before += self._late[len(before) - len(now) :]
        if all(map(operator.is_, now, before)):
            return {}
        return {place: value for place, value, was in zip(self._places, now, before, strict=True) if value is not was}

    def end(self, nodeid: str) -> list[str]:
        """A test is over, with all its fixtures: what it, or a fixture that ended with it, has left behind, one sentence each."""
        for place, value in self._changed(self._before).items():
            if value is self._first[place]:
                continue
            if not _is_of_cassette(value) and not any(changed.get(place, _GONE) is value for _, changed in self._of_fixtures.values()):
                self._left.append(f"{nodeid} left {place} patched: {_what(value)}")
        left, self._left = self._left, []
        return left


def _namespace(owner: Any, name: str) -> Any:
    """Where to look for an attribute: in what its owner itself has, unless a class has it from another one, or makes something of it."""
    namespace = vars(owner)
    return owner if isinstance(owner, type) and namespace.get(name, _GONE) is not getattr(owner, name, _GONE) else namespace


def _value(owner: Any, name: str) -> Any:
    # Some libraries import what is asked of their module: nobody is asked here. A class may have what it is asked for from another one.
    return getattr(owner, name, _GONE) if isinstance(owner, type) else vars(owner).get(name, _GONE)


def _resolved(module: str) -> Iterator[tuple[str, tuple[Any, str]]]:
    for path in PLACES[module]:
        *owners, name = path.split(".")
        owner = functools.reduce(lambda one, attribute: vars(one).get(attribute, _GONE), owners, sys.modules[module])
        if owner is not _GONE and _value(owner, name) is not _GONE:
            yield f"{module}.{path}", (owner, name)


def _is_of_cassette(value: Any) -> bool:
    """Whether it is a cassette's that a fixture has opened, in a client that was imported later than that."""
    if not latecomers.arrivals():
        return False
    from llm_vcr import patches

    return patches.is_held(value)


def _what(value: Any) -> str:
    """What stands in the place of something, as people know it."""
    if value is _GONE:
        return "it is gone"
    named = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}".strip(".")
    return f"it is {named}" if getattr(value, "__qualname__", None) else f"it is a {type(value).__module__}.{type(value).__qualname__}"
