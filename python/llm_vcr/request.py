"""Any body a client can hand over, as bytes, once; and the ``vcr.Request`` that carries it.

What arrives here is listed per client in docs/ARCHITECTURE.md: bytes from httpx, iterators and files from requests, dicts and
``FormData`` from aiohttp.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, NamedTuple

from llm_vcr.errors import ConsumedBodyWarning, UnsupportedBodyError

# What `iter()` gives for the built-in sequences: each names its source through `__reduce__`, so a megabyte need not be walked.
_BUILTIN_ITERATORS: tuple[type, ...] = (
    type(iter(b"")),
    type(iter(bytearray())),
    type(iter("")),
    type(iter("é")),
    type(iter([])),
    type(iter(())),
)


class Body(NamedTuple):
    """A body as bytes, and what was noticed while reading it."""

    data: bytes
    content_type: str | None = None
    """The type the client will announce for it, where it is not in the request's headers yet (aiohttp)."""
    consumed: bool = False
    """The body is a file object that was at its end already."""


def materialize(body: object) -> bytes:
    """Turn any body a client can hand over into bytes.

    Takes ``None`` (no bytes), bytes-like objects, ``str`` (UTF-8), ``dict`` and ``list`` (JSON), file objects (read to their end,
    then put back), iterators and generators of bytes-like objects, ``str`` or ints, and aiohttp's ``FormData``. The built-in
    iterators are not consumed; generators are.

    Raises:
        UnsupportedBodyError: for any other type, and for an iterator with such a chunk; never ``b""`` for what cannot be read.

    Warns:
        ConsumedBodyWarning: for a file object that is at its end although it is not empty.
    """
    read = read_body(body)
    if read.consumed:
        warnings.warn(
            f"{type(body).__name__} is at its end: the request will be sent with an empty body. Call seek(0) before it is used again.",
            ConsumedBodyWarning,
            stacklevel=2,
        )
    return read.data


def read_body(body: object) -> Body:
    """As `materialize`, and tell what was noticed instead of warning."""
    if body is None:
        return Body(b"")
    if type(body) is bytes:
        return Body(body)
    if isinstance(body, bytes | bytearray | memoryview):
        return Body(bytes(body))
    if isinstance(body, str):
        return Body(_encode(body))
    if isinstance(body, _BUILTIN_ITERATORS):
        return Body(_join(_source(body)))
    if isinstance(body, Mapping | list | tuple):
        return _structured(body)
    if hasattr(body, "read"):
        return _file(body)
    if _is_form_data(body):
        return _form_data(body)
    if hasattr(body, "__iter__"):
        return Body(_join(body))
    raise UnsupportedBodyError(
        f"a request body of type {type(body).__module__}.{type(body).__qualname__} cannot be read: expected bytes, str, a dict or list, "
        "a file object, an iterator of bytes, str or ints, or aiohttp.FormData. Pass the body's bytes."
    )


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _source(iterator: Any) -> Any:
    """What is left of a built-in iterator, without moving it."""
    _, (source, *_), *state = iterator.__reduce__()
    return source[state[0] :] if state and state[0] else source


def _join(chunks: Any) -> bytes:
    if isinstance(chunks, bytes):
        return chunks
    if isinstance(chunks, bytearray | str):
        return _encode(chunks) if isinstance(chunks, str) else bytes(chunks)
    parts = list(chunks)
    if parts and all(type(part) is int for part in parts):
        try:
            return bytes(parts)
        except ValueError:
            raise UnsupportedBodyError("an iterator of ints gave one outside 0..255: expected the values of bytes") from None
    return b"".join(_chunk(part) for part in parts)


def _chunk(part: object) -> bytes:
    if isinstance(part, bytes | bytearray | memoryview):
        return bytes(part)
    if isinstance(part, str):
        return _encode(part)
    raise UnsupportedBodyError(
        f"an iterator body gave a chunk of type {type(part).__qualname__}: expected bytes, bytearray, memoryview, str, or ints throughout"
    )


def _structured(body: Mapping[Any, Any] | list[Any] | tuple[Any, ...]) -> Body:
    """A dict or list: JSON, unless it holds what only a form can carry or is the list of chunks vcrpy makes of an iterator."""
    if isinstance(body, list | tuple) and body and all(isinstance(part, bytes | bytearray | memoryview) for part in body):
        return Body(_join(body))
    try:
        return Body(_encode(json.dumps(dict(body) if isinstance(body, Mapping) else body, ensure_ascii=False)))
    except (TypeError, ValueError):
        form = _as_form(body)
        if form is None:
            raise UnsupportedBodyError(
                f"a {type(body).__qualname__} body holds values that JSON cannot carry: expected JSON values, or fields of a form "
                "for aiohttp (str, bytes, open files)"
            ) from None
        return _form_data(form)


def _file(body: Any) -> Body:
    position = None
    if hasattr(body, "tell") and hasattr(body, "seek"):
        try:
            position = body.tell()
        except (OSError, ValueError):
            position = None
    data = body.read()
    if position is not None:
        body.seek(position)
    if isinstance(data, str):
        data = _encode(data)
    if not isinstance(data, bytes | bytearray | memoryview):
        raise UnsupportedBodyError(f"{type(body).__qualname__}.read() gave a {type(data).__qualname__}: expected bytes or str")
    return Body(bytes(data), consumed=not data and bool(position))


def _is_form_data(body: object) -> bool:
    return any(base.__name__ == "FormData" and base.__module__.startswith("aiohttp.") for base in type(body).__mro__)


def _as_form(body: Mapping[Any, Any] | list[Any] | tuple[Any, ...]) -> object | None:
    """The ``FormData`` that aiohttp makes of a dict or a list of pairs, or ``None`` where it makes none."""
    try:
        from aiohttp import FormData

        with warnings.catch_warnings():
            # aiohttp's own call warns the user already; this one only reads along.
            warnings.simplefilter("ignore", DeprecationWarning)
            return FormData(dict(body) if isinstance(body, Mapping) else list(body))
    except (ImportError, TypeError):
        return None


class _NamedBytes(io.BytesIO):
    """A copy of an open file: aiohttp guesses a part's type from the name."""

    name = ""


def _form_data(form: Any) -> Body:
    """The bytes of a form, without emptying it: aiohttp clears a ``FormData`` when it sends it."""
    fresh = type(form)(quote_fields=form._quote_fields, charset=form._charset)
    fresh._is_multipart = form._is_multipart
    fresh._fields = [(options, dict(headers), _copied(value)) for options, headers, value in form._fields]
    try:
        payload = fresh()
        data = _finish(payload.as_bytes())
    except (TypeError, ValueError) as error:
        raise UnsupportedBodyError(f"a form field cannot be read: {error}") from error
    return Body(data, content_type=payload.headers.get("Content-Type") or payload.content_type)


def _copied(value: object) -> object:
    if not isinstance(value, io.IOBase):
        return value
    read = _file(value)
    copy = _NamedBytes(read.data)
    copy.name = getattr(value, "name", "")
    return copy


def _finish(coroutine: Coroutine[Any, Any, bytes]) -> bytes:
    """The result of a coroutine that has nothing to wait for: payloads held in memory."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return bytes(stop.value)
    coroutine.close()
    raise ValueError("its content is not in memory yet")


def header(headers: Mapping[str, Any] | Iterable[tuple[str, Any]] | None, name: str) -> str | None:
    """The first value of a header, whatever the case of its name and whether values are str, bytes or lists of them."""
    if headers is None:
        return None
    items = headers.items() if isinstance(headers, Mapping) else headers
    for key, value in items:
        if text(key).lower() == name:
            first = value[0] if isinstance(value, list | tuple) and value else value
            return text(first)
    return None


def text(value: object) -> str:
    """A header's name or value as ``str`` (RFC 9110, section 5.5: bytes are Latin-1)."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
