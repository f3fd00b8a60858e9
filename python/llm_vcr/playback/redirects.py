"""Redirects: each is an episode of its own, and worth keeping only with the answer it leads to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urljoin

from llm_vcr.errors import LiveCallRefusedError
from llm_vcr.exchange.content import status_code
from llm_vcr.request import header
from llm_vcr.vcr_request import AiohttpRequest

MAX_HOPS = 20
"""So many redirects lead on, as browsers have it: vcrpy follows those of aiohttp itself, and would go on for ever."""


def target(request: Any, response: Any) -> str | None:
    """Where a redirect leads, or ``None`` for any other answer."""
    code = status_code(response)
    if code is None or not 300 <= code < 400:
        return None
    location = header(response.get("headers"), "location")
    if not location:
        return None
    try:
        return without_fragment(urljoin(request.uri, location))
    except ValueError:  # half an IPv6 address
        return location


def dangling(episodes: Sequence[tuple[Any, Any]], start: int) -> list[int]:
    """The numbers, from ``start`` on, of the redirects that lead, over others or not, to no answer among ``episodes``."""
    if all(target(*episode) is None for episode in episodes[start:]):
        return []
    targets = [target(*episode) for episode in episodes]
    uris = [without_fragment(request.uri) for request, _ in episodes]
    leads = {uri for uri, to in zip(uris, targets, strict=True) if to is None}
    while more := {uri for uri, to in zip(uris, targets, strict=True) if to in leads and uri not in leads}:
        leads |= more
    return [number for number in range(start, len(episodes)) if not leads.issuperset({targets[number]} - {None})]


def without_fragment(uri: str) -> str:
    """What of a URI is sent (RFC 9110, section 4.2.5)."""
    return uri.partition("#")[0]


_ASKS = "_llm_vcr_asks"


@contextlib.contextmanager
def asking(session: Any, ask: Callable[[AiohttpRequest], str | None]) -> Iterator[None]:
    """Let an aiohttp session ask before it follows a redirect, which happens below what vcrpy patches. Meanwhile all its calls do.

    ``ask`` says why it must not, or ``None``.

    Raises:
        LiveCallRefusedError: out of the call, if a redirect must not be followed.
    """
    traces = session.trace_configs
    # Of several calls at once, one asks for all: each redirect counts once.
    if any(getattr(one, _ASKS, False) for one in traces):
        yield
        return
    import aiohttp

    async def redirected(_session: Any, _context: Any, told: Any) -> None:
        location = told.response.headers.get("location") or told.response.headers.get("uri")
        try:
            to = told.url.join(type(told.url)(location)) if location else None
        except ValueError:  # aiohttp will say that it leads nowhere
            to = None
        if to is not None and (why := ask(AiohttpRequest(told.method, str(to), None, {}))):
            raise LiveCallRefusedError(f"a redirect to {to.host}: {why}")

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(redirected)
    trace.freeze()
    setattr(trace, _ASKS, True)
    traces.append(trace)
    try:
        yield
    finally:
        traces.remove(trace)
