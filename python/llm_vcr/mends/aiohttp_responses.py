"""While recording, a client of aiohttp is given the answer as it will be on replay (`same_response`), and every redirect is recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from llm_vcr.mends.aiohttp_events import aiohttp_content

CLIENTS = ("aiohttp",)
NEEDS = (
    "vcr.stubs.aiohttp_stubs:Request",
    "vcr.stubs.aiohttp_stubs:record_response",
    "vcr.stubs.aiohttp_stubs:record_responses",
    "vcr.stubs.aiohttp_stubs:_serialize_headers",
    "vcr.stubs.aiohttp_stubs:_deserialize_headers",
    "vcr.stubs.aiohttp_stubs:MockStream",
)


def patches() -> Iterator[tuple[object, str, object]]:
    """What is put in place of what."""
    from vcr.stubs import aiohttp_stubs

    yield aiohttp_stubs, "record_response", _record_aiohttp
    yield aiohttp_stubs, "record_responses", _record_chain


async def _record_chain(cassette: Any, request: Any, real: Any) -> None:
    """Record what aiohttp did below vcrpy, which follows redirects itself.

    A request that a redirect asked for again (307, 308) has its body again: by aiohttp's own rules, those of browsers. vcrpy records none.
    """
    from vcr.stubs import aiohttp_stubs

    if not real.history:
        await aiohttp_stubs.record_response(cassette, request, real)
        return
    body, content_type, before = request.body, getattr(request, "content_type", None), None
    for hop in (*real.history, real):
        if before is not None and (before.status == 303 or (before.status in (301, 302) and before.method == "POST")):
            body = content_type = None
        before = hop
        headers = aiohttp_stubs._serialize_headers(hop.request_info.headers)
        if content_type is not None:
            # The form was read under a boundary of its own, not under the one that was sent.
            headers = {name: values for name, values in headers.items() if name.lower() != "content-type"}
            headers["Content-Type"] = [content_type]
        again = aiohttp_stubs.Request(hop.request_info.method, str(hop.request_info.url), body, headers)
        await aiohttp_stubs.record_response(cassette, again, hop)


async def _record_aiohttp(cassette: Any, request: Any, real: Any) -> None:
    from aiohttp import ClientConnectionError
    from vcr.stubs import aiohttp_stubs

    body = {}
    with contextlib.suppress(ClientConnectionError):  # which is how aiohttp says that there is none
        body = {"string": await real.read()}
    response = {
        "status": {"code": real.status, "message": real.reason},
        "headers": aiohttp_stubs._serialize_headers(real.headers),
        "body": body,
    }
    cassette.append(request, response)
    real._headers = aiohttp_stubs._deserialize_headers(response["headers"])
    real._raw_headers = tuple((name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in real._headers.items())
    # What was computed from the live headers: their values, content type, charset, links.
    real._cache.clear()
    if body.get("string"):
        real.content = aiohttp_content(body["string"], real._headers.get("content-type"))
