"""Event streams arrive event by event, not as one piece.

vcrpy joins a stream while recording and plays it back in one piece. Whoever reads events through an SDK sees no difference; whoever
iterates raw chunks, to pass them on or to measure them, does. So the joined body is cut where its events end: server-sent events at their
blank line (https://html.spec.whatwg.org/multipage/server-sent-events.html), AWS event streams by the length each message begins with.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from llm_vcr.request import header

CLIENTS = ()
NEEDS = (
    "vcr.stubs:VCRHTTPResponse.stream",
    "vcr.stubs:VCRHTTPResponse.read",
    "vcr.stubs.httpx_stubs:_deserialize_response",
)
_END = re.compile(rb"(?:\r\n\r\n|\n\n|\r\r)[\r\n]*")


def _is_stream(content_type: str | None) -> bool:
    return (content_type or "").partition(";")[0].strip().lower() in ("text/event-stream", "application/vnd.amazon.eventstream")


def pieces(body: bytes, content_type: str | None) -> list[bytes] | None:
    """The events of a stream, which joined give back the body; ``None`` for what is none."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        # The ends only: a pattern that runs over the events themselves takes ten times as long.
        ends = [0, *(end.end() for end in _END.finditer(body)), len(body)]
        return [body[start:end] for start, end in itertools.pairwise(ends) if end > start]
    if kind == "application/vnd.amazon.eventstream":
        return list(_messages(body))
    return None


def _messages(body: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(body):
        # Nothing shorter than its own prelude and checksum is a message: what is left then is one piece.
        length = int.from_bytes(body[start : start + 4])
        end = start + length if length >= 16 else len(body)
        yield body[start:end]
        start = end


def patches() -> Iterator[tuple[object, str, object]]:
    """What is put in place of what."""
    from vcr import stubs
    from vcr.stubs import httpx_stubs

    yield httpx_stubs, "_deserialize_response", functools.partial(_httpx_response, httpx_stubs._deserialize_response)
    yield stubs.VCRHTTPResponse, "stream", _urllib3_stream(stubs.VCRHTTPResponse.stream)


def _httpx_response(deserialize: Callable[..., Any], stored: Any, library: Any) -> Any:
    response = deserialize(stored, library)
    content_type = header(stored.get("headers"), "content-type")
    # Without its type a body is no stream; joining it would copy it.
    if _is_stream(content_type):
        stream, kind = _httpx_events(library)
        response.stream = stream(b"".join(response.stream), content_type)
        response.__class__ = kind
    return response


@functools.cache
def _httpx_events(library: Any) -> tuple[Any, Any]:
    """The classes of a stream and of a response that give one event at a time, for whichever of the two libraries it is."""

    class EventStream(library.ByteStream):  # type: ignore[misc]
        """A byte stream that gives one event at a time."""

        at_once = False
        """Whoever reads it asks for the whole, and cannot see in which pieces it came."""

        def __init__(self, body: bytes, content_type: str | None) -> None:
            super().__init__(body)
            self._body, self._type = body, content_type

        def _pieces(self) -> list[bytes]:
            return [self._body] if self.at_once else pieces(self._body, self._type) or []

        def __iter__(self) -> Iterator[bytes]:
            yield from self._pieces()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for event in self._pieces():
                yield event

    class EventResponse(library.Response):  # type: ignore[misc]
        """A response with such a stream. Where it is read as a whole, the events need not be joined again one by one."""

        def _read_at_once(self) -> None:
            stream = self.stream
            while stream is not None and not isinstance(stream, EventStream):
                stream = getattr(stream, "_stream", None)  # the client binds it to the response and a timer
            if stream is not None:
                stream.at_once = True

        def read(self) -> bytes:
            self._read_at_once()
            content: bytes = super().read()
            return content

        async def aread(self) -> bytes:
            self._read_at_once()
            content: bytes = await super().aread()
            return content

        def __reduce__(self) -> tuple[Any, ...]:
            """As the response it stands for: nobody could import this class."""
            return library.Response, (self.status_code,), self.__getstate__()

    return EventStream, EventResponse


def _urllib3_stream(stream: Callable[..., Iterator[bytes]]) -> Callable[..., Iterator[bytes]]:
    @functools.wraps(stream)
    def events_of(response: Any, amt: int | None = 65536, decode_content: bool | None = None) -> Iterator[bytes]:
        recorded = response.recorded_response
        events = pieces(recorded["body"]["string"], header(recorded["headers"], "content-type"))
        if events is None or response.tell():
            yield from stream(response, amt, decode_content)
            return
        for event in events:
            left = len(event)
            while left:
                piece = response.read(min(left, amt or left))
                left -= len(piece)
                yield piece

    return events_of
