"""What vcrpy patches while a cassette is open: without what patches nothing, and built once for many cassettes.

Two thirds of a small cassette's time went into imports of libraries that are not installed, into classes and functions made for this one
cassette, and into patches that others undo at once. What vcrpy makes holds a `_Stand` here, which hands on to the cassette that is open. It
is used again as long as everything it replaces is what it was, and only if nobody has kept any of it: a connection that outlives its
cassette stays that cassette's, as with vcrpy.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

from vcr import patch
from vcr.stubs import httpx_stubs

from llm_vcr import latecomers
from llm_vcr.latecomers import Step, lock
from llm_vcr.swaps import Swaps

_LIBRARIES = {"boto3": "botocore", "httplib2": "httplib2", "tornado": "tornado", "aiohttp": "aiohttp", "httpx": "httpx", "httpx2": "httpx2"}
"""The groups of vcrpy's patchers that begin with an import, and what they import."""

_ON_HTTPX = ("httpx_curl_cffi", "pyreqwest")
"""Transports of others for httpx, which vcrpy tries to import for each cassette."""

_TRANSPORTS = (
    ("HTTPTransport", "handle_request", "_HttpxHttpTransport_handle_request"),
    ("AsyncHTTPTransport", "handle_async_request", "_HttpxAsyncHttpTransport_handle_async_request"),
    ("WSGITransport", "handle_request", "_HttpxWsgiTransport_handle_request"),
    ("ASGITransport", "handle_async_request", "_HttpxAsgiTransport_handle_async_request"),
    ("MockTransport", "handle_request", "_HttpxMockTransport_handle_request"),
    ("MockTransport", "handle_async_request", "_HttpxMockTransport_handle_async_request"),
)
"""httpx's own transports, their methods, and the names under which vcrpy keeps these."""

_KEPT = 8
"""So many sets are kept to be used again, one for each configuration."""

_COUNTS_REFERENCES = sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether the interpreter can tell that nobody else holds an object."""

log = logging.getLogger("vcr.cassette")


def applied(cassette: Any, below: object, of_stubs: OfStubs) -> Iterator[Any]:
    """All that vcrpy patches for ``cassette``, on top of what ``below`` stands for: a set is used again only on top of the same.

    A generator that gives the cassette once, as vcrpy's own: its patches last until it is asked again. ``of_stubs`` gives what is put in
    place besides, in vcrpy's stubs and in transports: for all clients (``None``), or for one.
    """
    with lock:
        ready = _ready(cassette, below, of_stubs)
        ready.stand.cassette = cassette
        ready.swaps.put()
        _open.append(ready)
    try:
        yield from _inside(ready.others, cassette)
    finally:
        with lock:
            _open.remove(ready)
            for swaps in (*reversed(ready.late), ready.swaps):
                swaps.put_back(theirs_stays=cassette.policy.patches_stay)
            _keep(ready)


def _inside(others: Sequence[contextlib.AbstractContextManager[Any]], cassette: Any) -> Iterator[Any]:
    """The cassette, with ``others`` around it."""
    if others:
        with others[0]:
            yield from _inside(others[1:], cassette)
        return
    log.debug("Entering context for cassette at %s.", cassette._path)
    yield cassette
    log.debug("Exiting context for cassette at %s.", cassette._path)


def _take_up(client: str) -> None:
    """Patch a client that has just been imported for every cassette that is open, the outermost first."""
    # What vcrpy has under the name of requests is urllib3's.
    for one in _open if client in _LIBRARIES else ():
        one.add(client)


latecomers.on_arrival(Step.PATCH, _take_up)


def is_held(value: object) -> bool:
    """Whether an open cassette has put this in the place of something in a client that came when it was open."""
    with lock:
        return any(value is replacement for one in _open for swaps in one.late for replacement in swaps.replacements)


_Triple = tuple[object, str, object]
OfStubs = Callable[[str | None], tuple[_Triple, ...]]


class _Stand:
    """What vcrpy's stubs take for the cassette."""

    def __init__(self, cassette: Any) -> None:
        self.cassette = cassette

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cassette, name)


def actual(cassette: Any) -> Any:
    """The cassette that a stub means."""
    return cassette.cassette if isinstance(cassette, _Stand) else cassette


class _Set:
    """What vcrpy patches for one cassette at a time."""

    def __init__(self, key: object, cassette: Any, of_stubs: OfStubs) -> None:
        self.key = key
        self.stand = _Stand(cassette)
        self._of_stubs = of_stubs
        self.late: list[Swaps] = []
        """Of the clients that came when it was in place."""
        same = (*cassette.custom_patches, *(one for client in (None, *_there()) for one in of_stubs(client)))
        skip, httpx = _narrow(cassette.skip_patchers)
        triples, self.others = self._built(skip, (*(_httpx(self.stand) if httpx else ()), *same))
        self.swaps = Swaps(triples)
        # What stands by itself (our own request class, a transport's own method) knows no cassette, and is held by others all the time.
        by_itself = {id(replacement) for _, _, replacement in same}
        self._held = [self.stand, *{id(one): one for one in self.swaps.replacements if id(one) not in by_itself}.values()]
        del triples
        self._references = self._count()

    def _built(self, skip: tuple[str, ...], custom: tuple[_Triple, ...]) -> tuple[list[_Triple], list[Any]]:
        """What vcrpy would patch, and what else it would enter."""
        # The builder looks these two up by name.
        self.stand.skip_patchers, self.stand.custom_patches = skip, custom  # type: ignore[attr-defined]
        triples, others = [], []
        for patcher in patch.CassettePatcherBuilder(self.stand).build():
            if isinstance(patcher, mock._patch):
                triples.append((patcher.getter(), patcher.attribute, patcher.new))
            else:
                others.append(patcher)
        return triples, others

    def add(self, client: str) -> None:
        """Patch this client, too, and now."""
        skip, httpx = _narrow((*self.stand.cassette.skip_patchers, *(group for group in patch.PATCHER_NAMES if group != client)))
        triples, _ = self._built(skip, (*(_httpx(self.stand) if httpx else ()), *self._of_stubs(client)))
        swaps = Swaps(triples)
        swaps.put()
        self.late.append(swaps)

    def _count(self) -> list[int]:
        return list(map(sys.getrefcount, self._held))

    def is_free(self) -> bool:
        """Whether nobody has kept anything of it, and it is what would be built now."""
        return _COUNTS_REFERENCES and not self.late and self._count() == self._references


_sets: list[_Set] = []
_open: list[_Set] = []
"""Those that are in place, in the order in which they were put there."""


def _ready(cassette: Any, below: object, of_stubs: OfStubs) -> _Set:
    """A set for ``cassette``: one that was used before, or a new one."""
    latecomers.stay_in_front()
    skip, httpx = _narrow(cassette.skip_patchers)
    # What a set is built from, apart from what it replaces.
    builder = patch.CassettePatcherBuilder.build
    key = (skip, httpx, cassette.custom_patches, below, of_stubs, latecomers.arrivals(), builder, *_factories())
    for number, one in enumerate(_sets):
        if one.key == key and one.swaps.fits():
            return _sets.pop(number)
    return _Set(key, cassette, of_stubs)


def _keep(used: _Set) -> None:
    """Let it be used again, unless somebody still uses it; in place of one that does not fit any more, perhaps."""
    if used.is_free():
        used.stand.cassette = None
        _sets[:] = [used, *(one for one in _sets if one.key != used.key)][:_KEPT]


def _narrow(skipped: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """The groups of patchers to skip so that all that is patched is patched, but nothing in vain; and whether we patch httpx instead."""
    return _narrowed(skipped, _there(), any(map(_is_present, _ON_HTTPX)))


@functools.lru_cache(maxsize=64)
def _narrowed(skipped: tuple[str, ...], there: tuple[str, ...], on_httpx: bool) -> tuple[tuple[str, ...], bool]:
    skip = {*skipped, *(group for group in _LIBRARIES if group not in there)}
    if "urllib3" not in skip:
        # Both groups patch the same attributes of urllib3, and the later one of urllib3's own name stays.
        skip.add("requests")
        _import_before_patching("vcr.stubs.requests_stubs")
    ours = "httpx" not in skip and not on_httpx and _knows_transports()
    if ours:
        skip.add("httpx")
    return tuple(sorted(skip)), ours


@functools.cache
def _import_before_patching(stubs: str) -> None:
    """Import stubs that derive from what is about to be patched: a stock cassette inside of ours would find no class to derive from."""
    with contextlib.suppress(ImportError):
        importlib.import_module(stubs)


def _there() -> tuple[str, ...]:
    """The clients that are to be patched, by the names of their groups: they are installed, and not ones that nobody has imported yet."""
    awaited = latecomers.awaited()
    return tuple([client for client, library in _LIBRARIES.items() if client not in awaited and _is_present(library)])


def _is_present(library: str) -> bool:
    # What was imported meanwhile counts, from wherever it came: a client that is not patched would make calls that nobody counts.
    return library in sys.modules or _is_installed(library)


@functools.cache
def _is_installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


@functools.cache
def _knows_transports() -> bool:
    return all(hasattr(patch, original) for _, _, original in _TRANSPORTS)


def _factories() -> tuple[object, ...]:
    """What makes the patches of httpx and aiohttp; somebody may have put something else in its place."""
    aiohttp_stubs = sys.modules.get("vcr.stubs.aiohttp_stubs")
    return httpx_stubs.vcr_handle_request, httpx_stubs.vcr_handle_async_request, getattr(aiohttp_stubs, "vcr_request", None)


def _httpx(cassette: Any) -> Iterator[tuple[object, str, object]]:
    """What vcrpy puts in place of httpx's own transports."""
    import httpx

    for transport, method, original in _TRANSPORTS:
        wrap = httpx_stubs.vcr_handle_request if method == "handle_request" else httpx_stubs.vcr_handle_async_request
        yield getattr(httpx, transport), method, wrap(cassette, getattr(patch, original), httpx)
