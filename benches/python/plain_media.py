"""The plain way to take base64 media out of a JSON body: parse it, walk it, dump it."""

import json
from collections.abc import Callable
from typing import Any

# How the base64 of a PNG, JPEG, GIF, WAV or WebP, MP3, OGG, PDF begins.
_MAGIC = ("iVBORw0KGgo", "/9j/", "R0lGODlh", "UklGR", "SUQz", "T2dnUw", "JVBERi0")


def shrink(body: bytes, min_len: int, small: Callable[[str], str]) -> bytes:
    """Replace each media string of ``min_len`` or more by what ``small`` says; the same object where there is none.

    The plain way is not asked to make the small files as well: ``small`` has them ready.
    """
    value = json.loads(body)
    shrunk = _walk(value, min_len, small)
    if shrunk is value:
        return body
    return json.dumps(shrunk, separators=(",", ":"), ensure_ascii=False).encode()


def _walk(value: Any, min_len: int, small: Callable[[str], str]) -> Any:
    """The value with its media replaced; the same object where there is none."""
    if isinstance(value, str):
        return small(value) if len(value) >= min_len and value.startswith(_MAGIC) else value
    if isinstance(value, dict):
        members = {key: _walk(member, min_len, small) for key, member in value.items()}
        return members if any(members[key] is not member for key, member in value.items()) else value
    if isinstance(value, list):
        items = [_walk(item, min_len, small) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value
