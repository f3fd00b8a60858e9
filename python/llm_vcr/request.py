"""Any body a client can hand over, as bytes, once; and the ``vcr.Request`` that carries it.

What arrives here is listed per client in docs/ARCHITECTURE.md: bytes from httpx, iterators and files from requests, dicts and
``FormData`` from aiohttp.
"""

from __future__ import annotations

import io
import json
import sys
import warnings
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, NamedTuple

from llm_vcr import _core
from llm_vcr.errors import ConsumedBodyWarning, UnsupportedBodyError

# What `iter()` gives for the built-in collections: each names its source, or what is left of it, through `__reduce__`, so a megabyte need
# not be walked.
_BUILTIN: tuple[Iterable[object], ...] = (b"", bytearray(), "", "é", [], (), set(), {}, {}.values())
_BUILTIN_ITERATORS: tuple[type, ...] = tuple({type(iter(one)) for one in _BUILTIN})


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
    then put back), iterators and generators of bytes-like objects, ``str`` or ints, and aiohttp's ``FormData`` and ``MultipartWriter``.
    The built-in iterators are not consumed; generators are, and files that cannot go back.

    Raises:
        UnsupportedBodyError: for any other type, and for an iterator with such a chunk; never ``b""`` for what cannot be read.

    Warns:
        ConsumedBodyWarning: for a file object that is at its end although it is not empty.
    """
    if type(body) is bytes:  # httpx; every lookup comes through here
        return body
    read = read_body(body)
    if read.consumed:
        warnings.warn(
            f"{type(body).__name__} is at its end: the request will be sent with an empty body. Call seek(0) before it is used again.",
            ConsumedBodyWarning,
            stacklevel=2,
        )
    return read.data


def read_body(body: object, *, drain: bool = True) -> Body:
    """As `materialize`, and tell what was noticed instead of warning.

    Without ``drain``, what could be read only once is left alone and counts as unsupported: somebody else is about to send it.
    """
    if body is None:
        return Body(b"")
    if type(body) is bytes:
        return Body(body)
    if isinstance(body, _BUILTIN_ITERATORS):
        return Body(_join(_source(body)))
    if isinstance(body, str | bytes | bytearray | memoryview):
        return Body(_chunk(body))
    if isinstance(body, Mapping | list | tuple):
        return _structured(body)
    if hasattr(body, "read"):
        return _file(body, drain=drain)
    if _is_aiohttp(body, "FormData"):
        return _form(body)
    if _is_aiohttp(body, "Payload"):
        return Body(_payload(body), content_type=_payload_type(body))
    if (data := _buffer(body)) is not None:  # arrays and the like; an array of wider numbers is not what iterating it would give
        return Body(data)
    if hasattr(body, "__iter__") and (drain or not hasattr(body, "__next__")):
        return Body(_join(body))
    raise UnsupportedBodyError(
        f"a request body of type {type(body).__module__}.{type(body).__qualname__} cannot be read: expected bytes, str, a dict or list, "
        "a file object, an iterator of bytes, str or ints, or aiohttp.FormData. Pass the body's bytes."
    )


def is_one_shot(body: object) -> bool:
    """Whether reading the body uses it up, chunk by chunk: a generator, or an iterator of somebody's own."""
    return hasattr(body, "__next__") and not hasattr(body, "read") and not isinstance(body, _BUILTIN_ITERATORS)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _buffer(body: Any) -> bytes | None:
    """The bytes of an object that exposes its memory, ``None`` of any other."""
    try:
        return memoryview(body).tobytes()
    except TypeError:
        return None
    except ValueError as error:  # a released view
        raise UnsupportedBodyError(f"a {type(body).__qualname__} body cannot be read: {error}") from None


def _source(iterator: Any) -> Any:
    """What is left of a built-in iterator, without moving it."""
    _, arguments, *state = iterator.__reduce__()
    return arguments[0][state[0] :] if state and state[0] else arguments[0]


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
    data = _encode(part) if isinstance(part, str) else _buffer(part)
    if data is None:
        raise UnsupportedBodyError(
            f"an iterator body gave a chunk of type {type(part).__qualname__}: expected bytes-like objects, str, or ints throughout"
        )
    return data


def _structured(body: Mapping[Any, Any] | list[Any] | tuple[Any, ...]) -> Body:
    """A dict or list: JSON, unless it holds what only a form can carry or is the list of chunks vcrpy makes of an iterator."""
    if isinstance(body, list | tuple) and body and all(isinstance(part, bytes | bytearray | memoryview) for part in body):
        return Body(_join(body))
    try:
        return Body(_encode(json.dumps(dict(body) if isinstance(body, Mapping) else body, ensure_ascii=False)))
    except (TypeError, ValueError, RecursionError):
        form = _as_form(body)
        if form is None:
            raise UnsupportedBodyError(
                f"a {type(body).__qualname__} body holds values that JSON cannot carry: expected JSON values, or fields of a form "
                "for aiohttp (str, bytes, open files)"
            ) from None
        return _form(form)


def _file(body: Any, *, drain: bool) -> Body:
    position = _position(body)
    if position is None and not drain:
        raise UnsupportedBodyError(f"a {type(body).__qualname__} can be read only once, and it is about to be sent. Pass its bytes.")
    data = body.read()
    if position is not None:
        body.seek(position)
    if isinstance(data, Coroutine):
        data.close()
        raise UnsupportedBodyError(f"{type(body).__qualname__}.read() is asynchronous: expected bytes or str. Pass the file's bytes.")
    read = _encode(data) if isinstance(data, str) else _buffer(data)
    if read is None:
        raise UnsupportedBodyError(f"{type(body).__qualname__}.read() gave a {type(data).__qualname__}: expected bytes or str")
    return Body(read, consumed=not read and bool(position))


def _position(file: Any) -> int | None:
    """Where a file stands, or ``None`` for one that cannot be put back there."""
    try:
        if not file.seekable():
            return None
    except (AttributeError, OSError, ValueError):  # a file of somebody's own, or a closed one
        if not hasattr(file, "seek"):
            return None
    try:
        position: int = file.tell()
        file.seek(position)
    except (AttributeError, OSError, ValueError):
        return None
    return position


def _is_aiohttp(body: object, name: str) -> bool:
    """Whether this is aiohttp's class of that name, or one below it; aiohttp itself need not be there to know."""
    return any(base.__name__ == name and base.__module__.startswith("aiohttp.") for base in type(body).__mro__)


def _as_form(body: Mapping[Any, Any] | list[Any] | tuple[Any, ...]) -> object | None:
    """The ``FormData`` that aiohttp makes of a dict or a list of pairs, or ``None`` where it makes none."""
    aiohttp = sys.modules.get("aiohttp")  # where nobody has imported it, nobody sends forms with it
    try:
        with warnings.catch_warnings():
            # aiohttp's own call warns the user already; this one only reads along.
            warnings.simplefilter("ignore")
            return None if aiohttp is None else aiohttp.FormData(dict(body) if isinstance(body, Mapping) else list(body))
    except (TypeError, RecursionError):
        return None


def _form(form: Any) -> Body:
    """The bytes of a form, without emptying it: aiohttp clears a ``FormData`` when it sends it."""
    fresh = type(form)(quote_fields=form._quote_fields, charset=form._charset)
    fresh._is_multipart = form._is_multipart
    fresh._fields = [(options, dict(headers), value) for options, headers, value in form._fields]
    files = []
    for value in (value for *_, value in form._fields if isinstance(value, io.IOBase)):
        if (position := _position(value)) is None:
            raise UnsupportedBodyError("a form holds a file that can be read only once, and it is about to be sent. Pass its bytes.")
        files.append((value, position))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            payload = fresh()
        data = _payload(payload)
    except UnsupportedBodyError:
        raise
    except (TypeError, ValueError) as error:  # its text holds the value of the field, which may be a secret
        types = ", ".join(sorted({type(value).__qualname__ for *_, value in form._fields}))
        raise UnsupportedBodyError(
            f"a form with fields of the types {types} cannot be read: aiohttp takes one of them for no part"
        ) from error
    finally:
        for file, position in files:
            file.seek(position)
    return Body(data, content_type=_payload_type(payload))


def _payload(payload: Any) -> bytes:
    """The bytes of aiohttp's wrapper around a body or a part, which stays as it is: its own ``as_bytes`` uses streams up."""
    if _is_aiohttp(payload, "BytesPayload"):
        return _chunk(payload._value)
    if _is_aiohttp(payload, "IOBasePayload"):
        file, position = payload._value, _position(payload._value)
        if payload._start_position is not None and position is not None:
            file.seek(payload._start_position)
        data = _file(file, drain=False).data
        file.seek(position)
        return data
    if not _is_aiohttp(payload, "MultipartWriter"):
        raise UnsupportedBodyError(f"an aiohttp {type(payload).__qualname__} can be read only once, and it is about to be sent")
    boundary: bytes = payload._boundary
    parts = (b"--%b\r\n%b%b\r\n" % (boundary, part._binary_headers, _payload(part)) for part, *_ in payload)
    return b"".join(parts) + b"--" + boundary + b"--\r\n"


def _payload_type(payload: Any) -> str | None:
    content_type: str | None = payload.headers.get("Content-Type") or payload.content_type
    return content_type


def header(headers: Mapping[str, Any] | Iterable[tuple[str, Any]] | None, name: str) -> str | None:
    """The first value of a header, whatever the case of its name and whether values are str, bytes or lists of them."""
    if headers is None:
        return None
    store = getattr(headers, "_store", None)
    if isinstance(store, dict):
        # vcrpy's own headers keep them by their names in lower case, and are asked many times a request.
        found = store.get(name) or store.get(name.encode("latin-1"))
        return None if found is None else text(first(found[1]))
    if type(headers) is dict:
        return _core.first_header(headers, name)
    for key, value in headers.items() if isinstance(headers, Mapping) else headers:
        if text(key).lower() == name:
            return text(first(value))
    return None


def first(value: Any) -> Any:
    """A header's first value, where there are several."""
    return value[0] if isinstance(value, _SEVERAL) and value else value


_SEVERAL = (list, tuple)


def text(value: object) -> str:
    """A header's name or value as ``str`` (RFC 9110, section 5.5: bytes are Latin-1)."""
    if type(value) is str:
        return value
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
