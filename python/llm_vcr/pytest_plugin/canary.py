"""The interception canary: each HTTP client sends one request to a reserved name, inside a throw-away cassette, before a run spends.

A client that vcrpy does not patch goes around every cassette without a word; that is how suites found httpx2. So each client that has been
imported is tried under the very arguments that a cassette is about to be opened with. Its request must arrive at the cassette. One that
does not is stopped where its name would be resolved: no byte leaves. (Names below ``.invalid`` resolve nowhere: RFC 6761, section 6.4.)
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from llm_vcr.playback.cassette import Cassette
from llm_vcr.vcrpy_hooks import throw_away

_DOMAIN = ".llm-vcr-canary.invalid"
"""What the host names end with; before it stands the number of the stack."""

_PATIENCE = 10.0
"""Seconds after which a client that does not come back counts as one that could not be tried."""

_ANSWER: Mapping[str, Any] = {
    "status": {"code": 200, "message": "OK"},
    "headers": {"content-type": ["application/json"], "content-length": ["2"]},
    "body": {"string": b"{}"},
}


@dataclass(frozen=True)
class Stack:
    """One way in which HTTP requests leave a process."""

    name: str
    module: str
    """As long as this has not been imported, nobody uses it."""
    send: Callable[[Any, str], object]
    """Sends one request with a client of its own, made of the module. May be a coroutine. What comes of it does not matter."""
    distribution: str = ""
    """Whose version is told, if it is not called like the stack."""


def _http_client(module: Any, url: str) -> None:
    import ssl

    place = urlsplit(url)
    # A context with no certificates: to load those takes longer than everything else.
    with contextlib.closing(module.HTTPSConnection(place.netloc, context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))) as connection:
        connection.request("GET", place.path)
        connection.getresponse().read()


def _urllib3(module: Any, url: str) -> None:
    with module.PoolManager(retries=False) as pool:
        pool.request("GET", url)


def _requests(module: Any, url: str) -> None:
    with module.Session() as session:
        session.trust_env = False
        session.get(url)


def _botocore(module: Any, url: str) -> None:
    request = importlib.import_module("botocore.awsrequest").AWSRequest("GET", url).prepare()
    with contextlib.closing(module.URLLib3Session()) as session:
        session.send(request)


def _httpx(module: Any, url: str) -> None:
    with module.Client(verify=False, trust_env=False) as client:
        client.get(url)


async def _async_httpx(module: Any, url: str) -> None:
    # Not closed: it has no connection, and to find that out takes httpcore an import of anyio and its backend (50 ms).
    await module.AsyncClient(verify=False, trust_env=False).get(url)


async def _aiohttp(module: Any, url: str) -> None:
    # The resolver that asks the event loop; another one might be a library of its own, which nobody here could stop.
    connector = module.TCPConnector(resolver=module.ThreadedResolver())
    async with module.ClientSession(connector=connector) as session, session.get(url) as answer:
        await answer.read()


def _httplib2(module: Any, url: str) -> None:
    with contextlib.closing(module.Http(proxy_info=None, disable_ssl_certificate_validation=True)) as client:
        client.request(url)


async def _tornado(module: Any, url: str) -> None:
    client = module.SimpleAsyncHTTPClient(force_instance=True)
    with contextlib.closing(client):
        await client.fetch(url)


STACKS = (
    Stack("http.client", "http.client", _http_client),
    Stack("urllib3", "urllib3", _urllib3),
    Stack("requests", "requests", _requests),
    Stack("botocore", "botocore.httpsession", _botocore),
    Stack("httpx", "httpx", _httpx),
    Stack("httpx, async", "httpx", _async_httpx, "httpx"),
    Stack("httpx2", "httpx2", _httpx),
    Stack("httpx2, async", "httpx2", _async_httpx, "httpx2"),
    Stack("aiohttp", "aiohttp", _aiohttp),
    Stack("httplib2", "httplib2", _httplib2),
    Stack("tornado", "tornado.simple_httpclient", _tornado),
)
"""Every client that is tried; one more is one line more."""


@dataclass(frozen=True)
class Finding:
    """A stack whose request did not arrive."""

    stack: str
    version: str
    escaped: bool
    """It asked for the address of the name: a real request would have gone out. Otherwise it could not be tried."""
    why: str
    """Its error, if it could not be tried."""
    skipped: Sequence[str] = ()
    """What the user keeps vcrpy from patching."""

    def __str__(self) -> str:
        what = f"{self.stack} {self.version}".strip()
        if not self.escaped:
            return f"the canary could not be sent through {what}: {self.why}"
        mend = (
            f"vcr_config has skip_patchers = {', '.join(self.skipped)}"
            if self.skipped
            else f"{_vcrpy()} does not patch it as it is; install versions of the two that fit"
        )
        return f"calls through {what} would go around every cassette, unseen and paid: {mend} (llm_vcr_canary = warn goes on)"


def _vcrpy() -> str:
    import vcr

    return f"vcrpy {vcr.__version__}"


class Canary:
    """Tries each stack once for each set of patches that cassettes are opened with."""

    def __init__(self, stacks: Sequence[Stack] = STACKS) -> None:
        """Try ``stacks``."""
        self._stacks = stacks
        self._tried: dict[object, tuple[Mapping[str, Any], set[str]]] = {}
        """By a set of patches: arguments that lead to it, and the stacks that were tried."""

    def look(self, arguments: Mapping[str, Any]) -> list[Finding]:
        """What goes wrong under a cassette with these arguments, as far as it has not been tried before."""
        patched = tuple((id(owner), name) for owner, name, _ in arguments["custom_patches"])
        _, tried = self._tried.setdefault((tuple(arguments["skip_patchers"]), patched), (arguments, set()))
        new = [one for one in self._stacks if one.name not in tried and one.module in sys.modules]
        if not new:
            return []
        tried.update(one.name for one in new)
        return try_out(new, arguments)

    def look_again(self) -> list[Finding]:
        """What goes wrong now under any of the cassettes that it was looked at before."""
        return [finding for arguments, _ in [*self._tried.values()] for finding in self.look(arguments)]


def try_out(stacks: Sequence[Stack], arguments: Mapping[str, Any]) -> list[Finding]:
    """Send the canary through each of the ``stacks``; what did not arrive."""
    opened: list[Any] = []
    policy = replace(arguments["policy"], on_open=opened.append, before_open=None, belongs=None)
    errors: dict[int, str] = {}
    with warnings.catch_warnings(), throw_away(_Trap, {**arguments, "policy": policy}), _nobody_resolves() as escaped:
        warnings.simplefilter("ignore")
        # In a thread of its own: there no event loop is running, and whatever hangs may be left behind.
        thread = threading.Thread(target=_send_all, args=(stacks, errors), name="llm_vcr canary", daemon=True)
        thread.start()
        thread.join(_PATIENCE)
    arrived = opened[0].arrived
    return [
        Finding(
            one.name,
            _version(one.distribution or one.name),
            number in escaped,
            errors.get(number, "it did not come back" if thread.is_alive() else "its request did not arrive, and none was sent"),
            tuple(arguments["skip_patchers"]),
        )
        for number, one in enumerate(stacks)
        if number not in arrived
    ]


class _Trap(Cassette):
    """A cassette that answers the canary. Whatever else comes meanwhile, from some thread, is live and counted as such."""

    arrived: set[int]

    def _load(self) -> None:
        self.arrived = set()

    def _save(self, force: bool = False) -> None:
        """Keep nothing."""

    def _is_foreign(self, request: Any) -> bool:  # noqa: ARG002 - whatever it is
        return True

    def can_play_response_for(self, request: Any) -> bool:
        number = _number(request.host)
        if number is None:
            return super().can_play_response_for(request)
        self.arrived.add(number)
        return True

    def play_response(self, request: Any) -> Any:
        return super().play_response(request) if _number(request.host) is None else {**_ANSWER, "headers": dict(_ANSWER["headers"])}


def _number(host: object) -> int | None:
    """The number of the stack that sent the canary, or ``None`` for any other host."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if not isinstance(name, str) or not name.endswith(_DOMAIN):
        return None
    return int(name.removesuffix(_DOMAIN))


@contextlib.contextmanager
def _nobody_resolves() -> Iterator[set[int]]:
    """Stop whoever asks for the canary's address, and gather their numbers."""
    escaped: set[int] = set()
    resolve, resolve_in_loop = socket.getaddrinfo, asyncio.BaseEventLoop.getaddrinfo

    def stop(host: object) -> None:
        if (number := _number(host)) is not None:
            escaped.add(number)
            raise socket.gaierror(socket.EAI_NONAME, "the canary of llm_vcr")

    def getaddrinfo(host: Any, *arguments: Any, **keywords: Any) -> Any:
        stop(host)
        return resolve(host, *arguments, **keywords)

    async def getaddrinfo_in_loop(loop: Any, host: Any, *arguments: Any, **keywords: Any) -> Any:
        stop(host)
        return await resolve_in_loop(loop, host, *arguments, **keywords)

    with (
        mock.patch.object(socket, "getaddrinfo", getaddrinfo),
        mock.patch.object(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo_in_loop),
    ):
        yield escaped


def _send_all(stacks: Sequence[Stack], errors: dict[int, str]) -> None:
    loop = None
    for number, stack in enumerate(stacks):
        try:
            sent = stack.send(sys.modules[stack.module], f"https://{number}{_DOMAIN}/")
            if inspect.iscoroutine(sent):
                # Not the policy's: a loop written in C has a resolver of its own, which nobody here could stop.
                loop = loop or asyncio.SelectorEventLoop()
                loop.run_until_complete(sent)
        except Exception as error:  # noqa: BLE001 - whatever a client says, what counts is whether its request arrived
            errors[number] = f"{type(error).__name__}: {error}"
    if loop is not None:
        loop.close()


def _version(distribution: str) -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
