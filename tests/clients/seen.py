"""What a client was given, as JSON: for comparing an answer of one process with that of another."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

# A cassette holds no cookies, while a client that records has to get them: a login would not work otherwise.
_LIVE_ONLY = ("set-cookie",)


def seen(value: Any) -> Any:
    """The value in types of JSON, nothing lost that a test could look at."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if hasattr(value, "model_dump"):
        return {type(value).__name__: seen(value.model_dump(mode="json"))}
    if isinstance(value, Mapping):
        return {str(name): seen(one) for name, one in value.items() if str(name).lower() not in _LIVE_ONLY}
    if isinstance(value, list | tuple | set | frozenset):
        return [seen(one) for one in value]
    if isinstance(value, BaseException):
        return {"raised": type(value).__name__, "status": seen(getattr(value, "status_code", None))}
    raise TypeError(f"a case returned a {type(value).__qualname__}: return what can be compared")


def attempted(call: Callable[[], Any], *errors: type[Exception]) -> Any:
    """What a call returns, or one of these errors where it raises one: for cases that live end in it, too."""
    try:
        return call()
    except errors as error:
        return error


def headers(pairs: Any) -> list[list[str]]:
    """The headers of a response, by name: their order among each other is nobody's business."""
    return sorted([str(name).lower(), str(value)] for name, value in pairs if str(name).lower() not in _LIVE_ONLY)
