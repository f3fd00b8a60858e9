"""While recording, a client is given the answer as it will be on replay.

vcrpy hands on the live one: with headers that the cassette does not keep, and of a compressed body. Code that reads either works while it
records and fails on replay. `Cassette.append` writes the kept form into the response it is given; vcrpy's stubs for http.client and
urllib3 go on with that very object, while those for httpx are mended here, and those for aiohttp in `aiohttp_responses`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

CLIENTS = ()
NEEDS = (
    "vcr.stubs.httpx_stubs:_record_responses",
    "vcr.stubs.httpx_stubs:_serialize_response",
    "vcr.stubs.httpx_stubs:_deserialize_response",
)


def patches() -> Iterator[tuple[object, str, object]]:
    """What is put in place of what."""
    from vcr.stubs import httpx_stubs

    yield httpx_stubs, "_record_responses", _record_httpx


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
