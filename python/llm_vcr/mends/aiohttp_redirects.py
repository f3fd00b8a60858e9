"""aiohttp's redirects, counted before they are followed.

aiohttp follows redirects below what vcrpy patches, and vcrpy asks the cassette about the first call only: where a redirect leads is a call
that nobody was asked about. aiohttp tells its traces before it follows one, and what a trace raises ends the call.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

from llm_vcr.errors import LiveCallRefusedError
from llm_vcr.request import header
from llm_vcr.vcr_request import AiohttpRequest

CLIENTS = ("aiohttp",)
NEEDS = (
    "vcr.stubs.aiohttp_stubs:vcr_request",
    "aiohttp:ClientSession.trace_configs",
    "aiohttp:TraceConfig.on_request_redirect",
)


def patches() -> Iterator[tuple[object, str, object]]:
    """What is put in place of what."""
    from vcr.stubs import aiohttp_stubs

    yield aiohttp_stubs, "vcr_request", functools.partial(_vcr_request, aiohttp_stubs.vcr_request)


def _vcr_request(stub: Callable[..., Any], cassette: Any, real_request: Callable[..., Any]) -> Any:
    @functools.wraps(real_request)
    async def asked(session: Any, *arguments: Any, **keywords: Any) -> Any:
        with asking(session, cassette.follow):
            return await real_request(session, *arguments, **keywords)

    return stub(cassette, asked)


@contextlib.contextmanager
def asking(session: Any, ask: Callable[[AiohttpRequest], str | None]) -> Iterator[None]:
    """Let ``session`` ask before it follows a redirect; the answer is why it must not, or ``None``. Meanwhile all its calls ask.

    Raises:
        LiveCallRefusedError: out of the call, if a redirect must not be followed.
    """
    import aiohttp

    async def redirected(_session: Any, _context: Any, told: Any) -> None:
        location = header(dict(told.response.headers), "location") or header(dict(told.response.headers), "uri")
        try:
            target = told.url.join(type(told.url)(location)) if location else None
        except ValueError:  # aiohttp will say that it is none
            target = None
        if target is not None and (why := ask(AiohttpRequest(told.method, str(target), None, {}))):
            raise LiveCallRefusedError(f"a redirect to {target.host}: {why}")

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(redirected)
    trace.freeze()
    traces = session.trace_configs
    # Of several calls at once, one asks for all: each redirect counts once.
    if any(getattr(one, _MARK, False) for one in traces):
        yield
        return
    setattr(trace, _MARK, True)
    traces.append(trace)
    try:
        yield
    finally:
        traces.remove(trace)


_MARK = "_llm_vcr_asks"
