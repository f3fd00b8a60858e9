"""Bodies that vcrpy takes from aiohttp before aiohttp has made them.

It is given ``data=`` and ``json=`` alike as they were passed, so a form and a JSON object of the same members look the same; and a form
is empty once it was sent. Here aiohttp's own classes make the form or the JSON first, so that what is recorded is what is sent.

What is answered from a cassette is used up as if it had been sent: a file that aiohttp reads to its end is at its end on replay, too, and
the next call sends as little of it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, cast

from llm_vcr.playback.redirects import asking

CLIENTS = ("aiohttp",)
NEEDS = (
    "vcr.stubs.aiohttp_stubs:vcr_request",
    "vcr.stubs.aiohttp_stubs:MockClientResponse.json",
    "vcr.stubs.aiohttp_stubs:MockClientResponse.text",
    "aiohttp:FormData",
    "aiohttp:JsonPayload",
    "aiohttp:ClientSession.trace_configs",
    "aiohttp:TraceConfig.on_request_redirect",
)

_sent: ContextVar[list[bool]] = ContextVar("llm_vcr_sent")
"""Not empty once the call that is being made has gone to aiohttp itself."""


def patches() -> Iterator[tuple[object, str, object]]:
    """What is put in place of what."""
    from aiohttp import ClientResponse
    from vcr.stubs import aiohttp_stubs

    yield aiohttp_stubs, "vcr_request", functools.partial(_making_bodies, aiohttp_stubs.vcr_request)
    # vcrpy's own read every text as UTF-8, whatever the response says.
    yield aiohttp_stubs.MockClientResponse, "text", ClientResponse.text
    yield aiohttp_stubs.MockClientResponse, "json", ClientResponse.json


def _making_bodies(factory: Callable[..., Any], cassette: Any, real_request: Any) -> Callable[..., Any]:
    @functools.wraps(real_request)
    async def sending(session: Any, *arguments: Any, **keywords: Any) -> Any:
        _sent.get([]).append(True)
        # A cassette of vcrpy's own that was opened inside of ours follows wherever it is led.
        follow = getattr(cassette, "follow", None)
        with contextlib.nullcontext() if follow is None else asking(session, follow):
            return await real_request(session, *arguments, **keywords)

    inner = factory(cassette, sending)

    @functools.wraps(real_request)
    async def request(session: Any, method: str, url: Any, **keywords: Any) -> Any:
        data, json = keywords.get("data"), keywords.get("json")
        if data is None and json is not None:
            del keywords["json"]
            keywords["data"] = _json(session, json)
        elif json is None and _is_form(data):
            from aiohttp import FormData

            keywords["data"] = FormData(cast("Any", data))
        sent: list[bool] = []
        before = _sent.set(sent)
        try:
            response = await inner(session, method, url, **keywords)
        finally:
            _sent.reset(before)
        if not sent:
            await _use_up(keywords.get("data"))
        return response

    return request


class _Nowhere:
    """Takes what a payload writes, and forgets it."""

    async def write(self, chunk: bytes) -> None:
        """Forget it."""


async def _use_up(data: object) -> None:
    """Do to a body what aiohttp does to one that it sends: a form is emptied, a file read to its end and closed."""
    from aiohttp import FormData, Payload
    from aiohttp.payload import get_payload

    if isinstance(data, FormData):
        data = data()
    elif isinstance(data, io.IOBase):
        data = get_payload(data)
    if isinstance(data, Payload):
        await data.write(cast("Any", _Nowhere()))
        if hasattr(data, "close"):  # since aiohttp 3.12
            await data.close()


def _is_form(data: object) -> bool:
    """Whether it is what aiohttp makes a form of: a mapping, or pairs."""
    return isinstance(data, Mapping) or (isinstance(data, list | tuple) and all(isinstance(one, tuple) for one in data))


def _json(session: Any, value: Any) -> Any:
    """As `aiohttp.ClientSession._request` does it, with the session's own serializer."""
    aiohttp: Any = importlib.import_module("aiohttp")  # not every version has both
    to_bytes = getattr(session, "_json_serialize_bytes", None)
    if to_bytes is not None:
        return aiohttp.JsonBytesPayload(value, dumps=to_bytes)
    return aiohttp.JsonPayload(value, dumps=session.json_serialize)
