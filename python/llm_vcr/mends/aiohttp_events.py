"""Event streams of aiohttp arrive event by event, as those of the others do (`events`)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from llm_vcr.mends.events import pieces

CLIENTS = ("aiohttp",)
NEEDS = (
    "vcr.stubs.aiohttp_stubs:build_response",
    "vcr.stubs.aiohttp_stubs:MockStream",
    "vcr.stubs.aiohttp_stubs:_NoConnection",
    "aiohttp:StreamReader._read_nowait_chunk",
)


def patches() -> Iterator[tuple[object, str, object]]:
    """What is put in place of what."""
    from vcr.stubs import aiohttp_stubs

    yield aiohttp_stubs, "build_response", functools.partial(_aiohttp_response, aiohttp_stubs.build_response)


def aiohttp_content(body: bytes, content_type: str | None) -> Any:
    """What a response of aiohttp reads its body from: a `StreamReader` that gives one event at a time where there are events."""
    from vcr.stubs import aiohttp_stubs

    events = pieces(body, content_type)
    return aiohttp_stubs.MockStream(body) if events is None else _aiohttp_events()(events)


def _aiohttp_response(build: Callable[..., Any], *arguments: Any) -> Any:
    response = build(*arguments)
    response.content = aiohttp_content(response._body, response.headers.get("content-type"))
    return response


@functools.cache
def _aiohttp_events() -> Callable[[list[bytes]], Any]:
    import asyncio

    from aiohttp import StreamReader
    from vcr.stubs import aiohttp_stubs

    class EventStream(StreamReader):
        """A stream that gives one event at a time to whoever asks for what is there."""

        def __init__(self, events: list[bytes]) -> None:
            # As in vcrpy's own: no line of the body may be longer than the limit.
            limit = max(sum(map(len, events)), 2**16)
            super().__init__(aiohttp_stubs._NoConnection(), limit, loop=asyncio.get_running_loop())
            for event in events:
                self.begin_http_chunk_receiving()
                self.feed_data(event)
                self.end_http_chunk_receiving()
            self.feed_eof()

        def _read_nowait(self, n: int) -> bytes:
            return self._read_nowait_chunk(-1) if n == -1 and self._buffer else super()._read_nowait(n)

    return EventStream
