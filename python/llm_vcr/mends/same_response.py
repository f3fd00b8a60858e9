"""While recording, a client is given the answer as it will be on replay.

vcrpy hands on the live one: with headers that the cassette does not keep, and of a compressed body. Code that reads either works while it
records and fails on replay. `Cassette.append` writes the kept form into the response it is given; vcrpy's stubs for http.client and
urllib3 go on with that very object, while those for httpx and aiohttp are mended here.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

from llm_vcr.mends.events import aiohttp_content

CLIENTS = ()
NEEDS = (
    "vcr.stubs.httpx_stubs:_record_responses",
    "vcr.stubs.httpx_stubs:_serialize_response",
    "vcr.stubs.httpx_stubs:_deserialize_response",
)
_AIOHTTP = (
    "vcr.stubs.aiohttp_stubs:Request",
    "vcr.stubs.aiohttp_stubs:record_response",
    "vcr.stubs.aiohttp_stubs:record_responses",
    "vcr.stubs.aiohttp_stubs:_serialize_headers",
    "vcr.stubs.aiohttp_stubs:_deserialize_headers",
    "vcr.stubs.aiohttp_stubs:MockStream",
)


def patches() -> Iterator[tuple[object, str, object]]:
    """What is put in place of what."""
    from vcr.stubs import httpx_stubs

    from llm_vcr.mends import missing

    yield httpx_stubs, "_record_responses", _record_httpx
    if importlib.util.find_spec("aiohttp") is not None and not missing(_AIOHTTP):
        aiohttp_stubs = importlib.import_module("vcr.stubs.aiohttp_stubs")
        yield aiohttp_stubs, "record_response", _record_aiohttp
        yield aiohttp_stubs, "record_responses", _record_chain


def _record_httpx(cassette: Any, request: Any, real: Any, content: bytes) -> None:
    from vcr.stubs import httpx_stubs

    response = httpx_stubs._serialize_response(real, content)
    live = {**response}
    cassette.append(request, response)
    if response == live:
        return
    library = importlib.import_module(type(real).__module__.partition(".")[0])
    replayed = httpx_stubs._deserialize_response(response, library)
    real.headers, real.stream, real.extensions = replayed.headers, replayed.stream, replayed.extensions


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
