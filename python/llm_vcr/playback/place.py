"""Where a request goes: the parts of it that vcrpy's own matchers compare, as values that can be looked up, and shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from vcr import matchers
from vcr.matchers import _normalized_path, _normalized_uri

from llm_vcr.request import text


class Part(NamedTuple):
    """A part of a request."""

    cause: str
    """What differs where two requests differ in it, in the core's word."""
    name: str
    """Which part of the URL it belongs to, if it is a part of one."""
    of: Callable[[Any], Any]
    """What of a request is compared."""
    shown: Callable[[Any], str]
    """The same for people."""


def _method(request: Any) -> str:
    return text(request.method).upper()


def _origin(request: Any) -> str:
    return f"{request.scheme}://{request.host}:{request.port}"


def _path(request: Any) -> str:
    return str(_normalized_path(request.path))


def _uri(request: Any) -> str:
    return str(request.uri)


PARTS: Mapping[Any, Part] = {
    matchers.method: Part("method", "", _method, _method),
    matchers.scheme: Part("url", "host", lambda one: one.scheme, _origin),
    matchers.host: Part("url", "host", lambda one: one.host, _origin),
    matchers.port: Part("url", "host", lambda one: one.port, _origin),
    matchers.path: Part("url", "path", _path, _path),
    matchers.query: Part("url", "query", lambda one: tuple(one.query), lambda one: json.dumps(list(one.query))),
    matchers.uri: Part("url", "", _normalized_uri, _uri),
}
"""The parts by vcrpy's matcher. Every other matcher has to be asked about each pair of requests."""
