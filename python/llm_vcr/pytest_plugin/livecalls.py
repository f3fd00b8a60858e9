"""Calls to LLM providers that go around every cassette: in tests without one, in fixtures, in threads, through clients nobody patched.

Two things are watched for as long as the run lasts. Names that are resolved: every client asks for its host's address once a connection.
And the clients vcrpy patches: outside a cassette ours are in place instead, so that a call on a connection that is already there is seen
as well. A call that a cassette let through, or that a client's own patch has reported, is *expected*, and its name counts no second time.

Exchanges of credentials (`Settings.credential_hosts`) are noted and never counted. A call that was started by a test that is over is that
test's, not the one's that runs meanwhile (`origins`).

What is not seen: subprocesses, proxies (their name is resolved, not the provider's), and resolvers of their own (c-ares, uvloop).
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from llm_vcr import latecomers
from llm_vcr.errors import LiveCallRefusedError
from llm_vcr.latecomers import Step
from llm_vcr.pytest_plugin.budget import Budget
from llm_vcr.pytest_plugin.journal import Journal
from llm_vcr.pytest_plugin.origins import Origins, watch_executors
from llm_vcr.pytest_plugin.patching import Patches

_OURS = str(Path(__file__).parent.parent)
_STORES = os.path.join(_OURS, "stores") + os.sep
_CONNECTION_SEEN = "_llm_vcr_seen"


@dataclass(frozen=True)
class LiveCall:
    """A call, or a connection on which there is at least one, that no cassette knows of."""

    host: str
    via: str
    """Where it was seen, such as ``socket.getaddrinfo`` or ``httpx.HTTPTransport``."""
    where: str
    """The line of the user's own code that is nearest to it, as ``file:line in function``."""
    refused: bool = False
    """It was stopped before a byte was sent."""
    started_by: str = ""
    """The test that started the thread or task it came from, if that test was over."""

    def dump(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


class LiveCalls:
    """Watches a process for live calls. It is the cassettes' `Spending` too: all calls draw on one budget."""

    def __init__(
        self,
        is_provider: Callable[[str], bool],
        is_credential: Callable[[str], bool],
        budget: Budget,
        origins: Origins,
        root: Path,
        journal: Journal | None = None,
    ) -> None:
        """Watch for these hosts; user code is what stands below ``root`` and in no installed package."""
        self._is_provider = is_provider
        self._is_credential = is_credential
        self._budget = budget
        self._origins = origins
        self._root = str(root)
        self._journal = journal
        self._expected: Counter[str] = Counter()
        self._passing: Counter[str] = Counter()
        """Calls that a cassette let pass: each resolves its name once, or not at all."""
        self._lock = threading.Lock()
        self.patches = Patches()
        """What is in place while we watch."""
        self._watched: set[str] = set()
        self._no_more_clients: Callable[[], None] = _nothing
        self._over = False
        self.seen: list[LiveCall] = []
        """What the test that runs did, since somebody last took it away."""
        self.strangers: list[LiveCall] = []
        """What tests did that were over."""
        self.exchanges: Counter[str] = Counter()
        """Exchanges of credentials by host: exact through the clients that are watched, elsewhere by connection."""

    def take(self) -> list[LiveCall]:
        """What the running test did since the last time."""
        with self._lock:
            taken, self.seen = self.seen, []
        return taken

    def take_strangers(self) -> list[LiveCall]:
        """What tests did that were over, since the last time."""
        with self._lock:
            taken, self.strangers = self.strangers, []
        return taken

    # --- the cassettes' calls

    def reserve(self, request: Any) -> str | None:
        """See `llm_vcr.playback.policy.Spending`."""
        if not self._budget.take():
            return self._budget.why_refused()
        host = _plain(request.host)
        self._note(LiveCall(host, "vcrpy", ""), around=False)
        with self._lock:
            self._expected[host] += 1
        return None

    def settle(self, request: Any, response: Mapping[str, Any]) -> None:
        """See `llm_vcr.playback.policy.Spending`."""
        self._forget(_plain(request.host))
        self._budget.settle(request, response)

    def around(self, request: Any) -> str | None:
        """See `llm_vcr.playback.policy.Spending`."""
        host = _plain(request.host)
        why = self._see(host, "vcrpy", whole_call=True)
        if why is None and (self._is_provider(host) or self._is_credential(host)):
            with self._lock:
                self._passing[host] += 1
        return why

    def forget_expected(self) -> None:
        """No call of a cassette is under way any more (one that failed was never settled)."""
        with self._lock:
            self._expected.clear()
            self._passing.clear()

    @contextlib.contextmanager
    def _expecting(self, host: str) -> Iterator[None]:
        with self._lock:
            self._expected[host] += 1
        try:
            yield
        finally:
            self._forget(host)

    def _forget(self, host: str) -> None:
        with self._lock:
            if self._expected[host] > 0:
                self._expected[host] -= 1

    # --- everybody else's

    def _see(self, host: str | bytes | None, via: str, *, whole_call: bool = False) -> str | None:
        """Count a call to ``host``; the reason if it must not be made. What is no ``whole_call`` may be part of one that is expected."""
        name = _plain(host)
        exchange = self._is_credential(name)
        if self._over or not name or not (exchange or self._is_provider(name)):
            return None
        if not whole_call and (self._expected[name] > 0 or self._passes(name)):
            return None
        if _is_our_store():
            return None
        if exchange:
            with self._lock:
                self.exchanges[name] += 1
            return None
        allowed = self._budget.take()
        origin = self._origins.of_another()
        call = LiveCall(name, via, self._user_line(), refused=not allowed, started_by=origin.nodeid if origin else "")
        with self._lock:
            (self.strangers if origin else self.seen).append(call)
        if allowed:
            self._note(call, around=True)
            self._budget.settle_unseen(name)
            return None
        return f"a call to {name} around every cassette: {self._budget.why_refused()} ({call.where})"

    def _note(self, call: LiveCall, *, around: bool) -> None:
        if self._journal is not None:
            running = self._origins.current
            nodeid = running.nodeid if running is not None and not call.started_by else ""
            self._journal.note(nodeid, call.dump(), around=around)

    def _passes(self, name: str) -> bool:
        with self._lock:
            passes = self._passing[name] > 0
            self._passing[name] -= passes
        return passes

    def _user_line(self) -> str:
        frame = sys._getframe(2)
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith(self._root + os.sep) and not name.startswith(_OURS) and f"{os.sep}site-packages{os.sep}" not in name:
                return f"{os.path.relpath(name, self._root)}:{frame.f_lineno} in {frame.f_code.co_name}"
            frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
        return f"thread {threading.current_thread().name}"

    # --- watching

    def watch(self) -> None:
        """Watch what has been imported by now. Called again before each test; what is watched already costs a look-up."""
        if not self._watched:
            self._origins.watch(self.patches)
            self._no_more_clients = latecomers.on_arrival(Step.WATCH, self._watch_client)
        latecomers.stay_in_front()
        self.patches.renew()
        for module, start in _PLACES.items():
            if module not in self._watched and module in sys.modules:
                # vcrpy keeps what it finds when it is imported, and would keep ours for good.
                if module in _PATCHED_BY_VCRPY and ("vcr.patch" not in sys.modules or latecomers.is_awaited(module)):
                    continue
                self._watched.add(module)
                start(self, sys.modules[module])

    def _watch_client(self, client: str) -> None:
        """Watch one that has just been imported; each copy, if it was thrown away and is imported again."""
        if client in _PATCHED_BY_VCRPY:
            self._watched.add(client)
            _PLACES[client](self, sys.modules[client])

    def stop(self) -> None:
        """Put everything back, in reverse order; a patch of ours that somebody has patched over and kept does nothing any more."""
        self._over = True
        self._no_more_clients()
        self.patches.undo()
        self._watched.clear()


def _is_our_store() -> bool:
    """Whether it is the shared store that connects: it may well run where the provider's stand-in does."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith(_STORES):
            return True
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return False


def _plain(host: str | bytes | None) -> str:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host or ""
    return name.strip("[]").rstrip(".").lower()


def _watch_socket(calls: LiveCalls, module: Any) -> None:
    def make(original: Any) -> Any:
        def getaddrinfo(host: Any, *arguments: Any, **keywords: Any) -> Any:
            if why := calls._see(host, "socket.getaddrinfo"):
                raise LiveCallRefusedError(why)
            return original(host, *arguments, **keywords)

        return getaddrinfo

    calls.patches.put(module, "getaddrinfo", make)


def _watch_loops(calls: LiveCalls, module: Any) -> None:
    """The loop asks in a thread, where nobody's stack is to be seen: so it is looked at here, and what the thread asks is expected."""

    def make(original: Any) -> Any:
        async def getaddrinfo(loop: Any, host: Any, *arguments: Any, **keywords: Any) -> Any:
            if why := calls._see(host, "asyncio getaddrinfo"):
                raise LiveCallRefusedError(why)
            with calls._expecting(_plain(host)):
                return await original(loop, host, *arguments, **keywords)

        return getaddrinfo

    calls.patches.put(module.BaseEventLoop, "getaddrinfo", make)


def _watch_executors(calls: LiveCalls, module: Any) -> None:
    watch_executors(calls.patches, module)


def _nothing() -> None:
    """What a weak reference to nothing would say."""


def _watch_http_client(calls: LiveCalls, module: Any) -> None:
    """urllib, urllib3, requests and botocore: what they ask on a connection that is there already. Its first call was seen by its name."""

    def make(original: Any) -> Any:
        def putrequest(connection: Any, *arguments: Any, **keywords: Any) -> Any:
            sock = connection.sock
            known = getattr(connection, _CONNECTION_SEEN, None)
            if sock is not None and known is not None and known() in (sock, None):
                host = getattr(connection, "_tunnel_host", None) or connection.host
                if why := calls._see(host, "http.client"):
                    raise LiveCallRefusedError(why)
            # Nothing to refer to: it will connect for this request, and whatever it then has is used again by the next one.
            setattr(connection, _CONNECTION_SEEN, _nothing if sock is None else weakref.ref(sock))
            return original(connection, *arguments, **keywords)

        return putrequest

    calls.patches.put(module.HTTPConnection, "putrequest", make)


def _watch_httpx(calls: LiveCalls, module: Any) -> None:
    from llm_vcr.playback.refusal import refusal_answer

    def refused(why: str) -> Any:
        answer = refusal_answer(why)
        headers = [(name, value) for name, values in answer["headers"].items() for value in values]
        return module.Response(answer["status"]["code"], headers=headers, content=answer["body"]["string"])

    def make(original: Any) -> Any:
        def handle_request(transport: Any, request: Any) -> Any:
            host = _plain(request.url.host)
            if why := calls._see(host, f"{module.__name__}.HTTPTransport", whole_call=True):
                return refused(why)
            with calls._expecting(host):
                return original(transport, request)

        return handle_request

    def make_async(original: Any) -> Any:
        async def handle_async_request(transport: Any, request: Any) -> Any:
            host = _plain(request.url.host)
            if why := calls._see(host, f"{module.__name__}.AsyncHTTPTransport", whole_call=True):
                return refused(why)
            with calls._expecting(host):
                return await original(transport, request)

        return handle_async_request

    calls.patches.put(module.HTTPTransport, "handle_request", make)
    calls.patches.put(module.AsyncHTTPTransport, "handle_async_request", make_async)


def _watch_aiohttp(calls: LiveCalls, module: Any) -> None:
    from llm_vcr.playback.redirects import asking

    def make(original: Any) -> Any:
        async def request(session: Any, method: str, url: Any, *arguments: Any, **keywords: Any) -> Any:
            base = getattr(session, "_base_url", None)
            host = _plain(urlsplit(str(url)).hostname or (base.host if base is not None else None))
            if why := calls._see(host, "aiohttp.ClientSession", whole_call=True):
                raise LiveCallRefusedError(why)
            with calls._expecting(host), asking(session, calls.around):
                return await original(session, method, url, *arguments, **keywords)

        return request

    calls.patches.put(module.ClientSession, "_request", make)


_PATCHED_BY_VCRPY = frozenset({"httpx", "httpx2", "aiohttp"})

_PLACES: dict[str, Callable[[LiveCalls, Any], None]] = {
    "socket": _watch_socket,
    "asyncio": _watch_loops,
    "concurrent.futures": _watch_executors,
    "http.client": _watch_http_client,
    "httpx": _watch_httpx,
    "httpx2": _watch_httpx,
    "aiohttp": _watch_aiohttp,
}
