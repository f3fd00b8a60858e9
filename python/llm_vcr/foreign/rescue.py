"""Cassettes that cannot be loaded any more: what older vcrpy wrote of Python objects, read without making any of them.

vcrpy up to 8 dumped a request's body as it was: an iterator, a file, aiohttp's ``FormData`` with all it holds. A safe loader refuses
such a file. Here each object is read as plain data, and its bytes are worked out from that.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import yaml

from llm_vcr import codec
from llm_vcr.errors import CassetteFileError, UnsupportedBodyError
from llm_vcr.request import header, read_body
from llm_vcr.stores.base import CassetteRecord

_PYTHON = "tag:yaml.org,2002:python/"


class _Object:
    """What the file says of a Python object."""

    def __init__(self, name: str, state: Any) -> None:
        self.name = name
        self.state = state


def _construct(loader: Any, suffix: str, node: yaml.Node) -> Any:
    kind, _, name = suffix.partition(":")
    if isinstance(node, yaml.MappingNode):
        state: Any = loader.construct_mapping(node, deep=True)
    elif isinstance(node, yaml.SequenceNode):
        state = loader.construct_sequence(node, deep=True)
    else:
        state = loader.construct_scalar(node)
    if kind in ("str", "unicode"):
        return state
    if kind == "tuple":
        return tuple(state)
    if kind == "bytes":
        return state.encode("latin-1") if isinstance(state, str) else state
    return _Object(name, state)


class Loader(yaml.SafeLoader):
    """Safe: it makes nothing but plain data and `_Object`."""


Loader.add_multi_constructor(_PYTHON, _construct)


def load(text: str, path: str) -> CassetteRecord:
    """The cassette in ``text``, with bodies of any kind as bytes.

    Raises:
        CassetteFileError: where even so it cannot be read.
    """
    try:
        data = yaml.load(text, Loader=Loader)  # noqa: S506 - the loader above is a safe one
    except yaml.YAMLError as error:
        raise CassetteFileError(path, None, f"this is no valid YAML: {error}") from error
    for number, one in enumerate(data.get("interactions") or [] if isinstance(data, Mapping) else [], 1):
        request = one.get("request") if isinstance(one, Mapping) else None
        if isinstance(request, dict):
            try:
                _settle(request)
            except UnsupportedBodyError as error:
                raise CassetteFileError(path, None, f"the request body of interaction {number} is lost: {error}") from error
    return codec.decode(text, path, SimpleNamespace(deserialize=lambda _: data, serialize=str))


def _settle(request: dict[str, Any]) -> None:
    body = _plain(request.get("body"))
    if body is None:
        request["body"] = None
        return
    read = read_body(body)
    request["body"] = read.data
    if read.content_type and header(request.get("headers"), "content-type") is None:
        request.setdefault("headers", {})["Content-Type"] = [read.content_type]


def _plain(value: Any) -> Any:
    """A body that `read_body` can read."""
    if not isinstance(value, _Object):
        return value
    state = value.state
    if value.name in ("builtins.iter", "__builtin__.iter"):
        arguments = state.get("args") if isinstance(state, Mapping) else state
        return iter(arguments[0]) if arguments else b""
    if value.name in ("_io.BytesIO", "io.BytesIO", "_io.StringIO", "io.StringIO"):
        held = state.get("state") if isinstance(state, Mapping) else state
        return (held[0] if held else b"") or b""
    if value.name.endswith(".FormData") and isinstance(state, Mapping):
        return _form(state)
    raise UnsupportedBodyError(f"the file holds a {value.name}, whose bytes nobody wrote down")


def _form(state: Mapping[str, Any]) -> Any:
    """Aiohttp's form, made again by aiohttp, so that its bytes are those it sends today."""
    try:
        from aiohttp import FormData
    except ImportError:
        raise UnsupportedBodyError("it is a form of aiohttp, and aiohttp is not installed to make it again") from None
    form = FormData(quote_fields=bool(state.get("_quote_fields", True)), charset=state.get("_charset"))
    fields = state.get("_fields") or []
    if not fields:
        raise UnsupportedBodyError("it is a form of aiohttp that was emptied before it was written")
    for options, headers, value in fields:
        named = dict(_pairs(options))
        announced = dict(_pairs(headers))
        form.add_field(
            str(named.get("name", "")), _plain(value), filename=named.get("filename"), content_type=announced.get("Content-Type")
        )
    form._is_multipart = bool(state.get("_is_multipart"))
    return form


def _pairs(value: Any) -> list[tuple[str, Any]]:
    """The pairs of a multidict, however it was written."""
    if isinstance(value, _Object):
        state = value.state.get("args") if isinstance(value.state, Mapping) else value.state
        return [pair for part in state or [] for pair in _pairs(part)] if state and isinstance(state[0], list) else []
    if isinstance(value, Mapping):
        return list(value.items())
    return [(_word(pair[0]), pair[1]) for pair in value]


def _word(value: Any) -> str:
    """A header's name, which aiohttp keeps as a string of its own kind."""
    return str(value.state[0]) if isinstance(value, _Object) and value.state else str(value)
