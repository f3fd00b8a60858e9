"""Header values that are not ASCII (a team called Zoë, a file name): httpx takes them as bytes only.

vcrpy gives it text. The call that is recorded goes well, and each replay of it ends in an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

CLIENTS = ()
NEEDS = ("vcr.stubs.httpx_stubs:_deserialize_headers",)


def patches() -> Iterator[tuple[object, str, object]]:
    """What is put in place of what."""
    from vcr.stubs import httpx_stubs

    yield httpx_stubs, "_deserialize_headers", _pairs


def _pairs(headers: Mapping[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(name, _value(value)) for name, values in headers.items() for value in values]


def _value(value: Any) -> Any:
    # Of UTF-8, httpx makes the text that was recorded, whatever the server had sent.
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) and not value.isascii() else value
