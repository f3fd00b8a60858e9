"""A cassette as JSON for people: each exchange begins with the model, what was asked and what was answered.

A serializer in vcrpy's sense, so `codec` uses it as it uses vcrpy's own. Nothing is lost in it: a body stands as JSON, or as the events
of a stream, only where exactly its bytes come of that again; else as text, line by line, or in base64. What JSON has no word for stands as
YAML in a string. ``model``, ``messages`` and ``answer`` are for the reader: made anew whenever the file is written, and never read.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from llm_vcr.exchange import glance

LAYOUT = "llm-vcr/1"
"""What stands under ``layout``, the first key of such a file."""

_BEGINS = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"layout"\s*:\s*"llm-vcr/')

_GLANCE = ("model", "messages", "answer")

_MAX_DEPTH = 64
"""A deeper body is kept as text: Python's reader counts on its stack, of which nobody knows how much is left."""

_STYLES: Mapping[str, Mapping[str, Any]] = {
    "compact": {"separators": (",", ":")},
    "spaced": {},
    "indent 2": {"indent": 2},
    "indent 4": {"indent": 4},
}
"""How JSON is spelt on the wire; each also with everything beyond ASCII escaped."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def is_one(data: bytes) -> bool:
    """Whether a file beginning so is in this layout."""
    return _BEGINS.match(data[:200]) is not None


# --- vcrpy's serializer


def serialize(cassette_dict: Mapping[str, Any]) -> str:
    """The text of a cassette."""
    tree = {"layout": LAYOUT, **cassette_dict, "interactions": [_interaction_out(one) for one in cassette_dict["interactions"]]}
    lines = _lines({name: value if name == "interactions" else _out(value) for name, value in tree.items()}, "")
    # In a string of JSON, half a surrogate pair can only be escaped.
    return _SURROGATE.sub(lambda one: f"\\u{ord(one[0]):04x}", lines) + "\n"


def deserialize(cassette_string: str) -> Any:
    """What stands in the text of a cassette.

    Raises:
        ValueError: where it is no JSON, of a later layout, or a body is none of the kinds.
    """
    tree = json.loads(cassette_string)
    if not isinstance(tree, dict) or not isinstance(tree.get("interactions"), list):
        return tree
    if tree.get("layout") != LAYOUT:
        raise ValueError(f"the layout is {tree.get('layout')!r}: this llm_vcr reads {LAYOUT}")
    read = {name: _in(value) for name, value in tree.items() if name not in ("layout", "interactions")}
    return {**read, "interactions": [_interaction_in(one) for one in tree["interactions"]]}


def _interaction_out(one: Mapping[str, Any]) -> dict[str, Any]:
    request, response = one["request"], one["response"]
    asked = _document(request.get("body"))
    told = response.get("body")
    data = told.get("string") if isinstance(told, Mapping) else response.get("content")
    seen = {"model": glance.model(asked), "messages": glance.messages(asked), "answer": glance.answer(_documents(data))}
    out: dict[str, Any] = {name: value for name, value in seen.items() if value}
    out["request"] = {name: _body_out(value) if name == "body" else _out(value) for name, value in request.items()}
    out["response"] = {name: _answer_out(value) if name == "body" else _out(value) for name, value in response.items()}
    return out | {name: _out(value) for name, value in one.items() if name not in ("request", "response", *_GLANCE)}


def _interaction_in(one: Any) -> Any:
    if not isinstance(one, dict):
        return one
    read = {name: _in(value) for name, value in one.items() if name not in ("request", "response", *_GLANCE)}
    for side, body in (("request", _body_in), ("response", _answer_in)):
        if side in one:
            told = one[side]
            read[side] = (
                {name: body(value) if name == "body" else _in(value) for name, value in told.items()} if isinstance(told, dict) else told
            )
    return read


# --- bodies


def _answer_out(body: Any) -> Any:
    """Vcrpy keeps an answer's body in a mapping of its own, which mostly holds nothing else."""
    if isinstance(body, Mapping) and body.keys() == {"string"} and isinstance(body["string"], str | bytes):
        return _body_out(body["string"])
    return {"other": _out(body)}


def _answer_in(told: Any) -> Any:
    return _in(told["other"]) if isinstance(told, dict) and told.keys() == {"other"} else {"string": _body_in(told)}


def _body_out(body: Any) -> Any:
    if isinstance(body, bytes):
        return {"base64": base64.b64encode(body).decode()}
    if not isinstance(body, str):
        return _out(body)
    return _as_json(body) or _as_stream(body) or ({"lines": body.split("\n")} if "\n" in body else {"text": body})


def _body_in(told: Any) -> Any:
    if not isinstance(told, dict):
        return told
    if "json" in told:
        return _spelt(told["json"], told.get("style", "compact")) + str(told.get("end", ""))
    if "events" in told:
        return "".join(_event_in(one, told.get("style", "compact")) for one in told["events"])
    if "lines" in told:
        return "\n".join(told["lines"])
    if "text" in told:
        return told["text"]
    if "base64" in told:
        return base64.b64decode(told["base64"], validate=True)
    if "yaml" in told:
        return _in(told)
    raise ValueError(f"a body of {', '.join(map(repr, told)) or 'nothing'}: expected json, events, lines, text or base64")


def _as_json(body: str) -> dict[str, Any] | None:
    text = body.rstrip(" \t\r\n")
    value = _document(text)
    if value is None or (style := _style(value, text)) is None:
        return None
    told: dict[str, Any] = {"json": value}
    if style != "compact":
        told["style"] = style
    return told | {"end": body[len(text) :]} if len(text) < len(body) else told


def _as_stream(body: str) -> dict[str, Any] | None:
    """The events of a stream as every provider sends them: a name or none, one line of data, an empty line."""
    if not body.startswith(("data: ", "event: ")) or not body.endswith("\n\n"):
        return None
    events: list[dict[str, Any]] = []
    style = "compact"
    for block in body[:-2].split("\n\n"):
        name, data = block.split("\n", 1) if block.startswith("event: ") and "\n" in block else ("", block)
        if not data.startswith("data: ") or "\n" in data:
            return None
        text = data.removeprefix("data: ")
        value = _document(text)
        if value is not None and not any(isinstance(one["data"], dict | list) for one in events):
            style = _style(value, text) or style
        plain = value if value is not None and _spelt(value, style) == text else text
        events.append({"event": name.removeprefix("event: "), "data": plain} if name else {"data": plain})
    told: dict[str, Any] = {"events": events}
    return told if style == "compact" else told | {"style": style}


def _event_in(told: Mapping[str, Any], style: str) -> str:
    name = f"event: {told['event']}\n" if "event" in told else ""
    return f"{name}data: {told['data'] if isinstance(told['data'], str) else _spelt(told['data'], style)}\n\n"


def _documents(body: Any) -> Iterator[Any]:
    """The JSON documents of an answer: one, or one an event."""
    if isinstance(body, str):
        stream = _as_stream(body)
        yield from [_document(body)] if stream is None else (one["data"] for one in stream["events"])


def _document(text: Any) -> Any:
    """The JSON object or array in a text, or ``None``."""
    if not isinstance(text, str) or text.lstrip(" \t\r\n")[:1] not in ("{", "["):
        return None
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if _is_shallow(value) else None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _is_shallow(value: Any) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [child for one in level if isinstance(one, dict | list) for child in (one.values() if isinstance(one, dict) else one)]
        if not level:
            return True
    return False


def _style(value: Any, text: str) -> str | None:
    """How a text spells a value, or ``None`` where it is none of the usual ways: repeated names, numbers such as ``1e5``."""
    for name in _STYLES:
        for spelling in (name, f"{name} ascii"):
            if _spelt(value, spelling) == text:
                return spelling
    return None


def _spelt(value: Any, style: str) -> str:
    name = style.removesuffix(" ascii")
    if name not in _STYLES:
        raise ValueError(f"the style {style!r}: expected one of {', '.join(_STYLES)}, each also followed by ' ascii'")
    return json.dumps(value, ensure_ascii=style != name, **_STYLES[name])


# --- everything else


def _out(value: Any) -> Any:
    """A value as it stands in JSON; what would come back as another one, as YAML in a string."""
    return value if _is_plain(value) else {"yaml": yaml.safe_dump(value, allow_unicode=True, sort_keys=False)}


def _in(value: Any) -> Any:
    return yaml.safe_load(value["yaml"]) if isinstance(value, dict) and value.keys() == {"yaml"} else value


def _is_plain(value: Any, depth: int = 0) -> bool:
    if depth > _MAX_DEPTH:
        return False
    if isinstance(value, dict):
        own = value.keys() != {"yaml"}
        return own and all(type(name) is str and _is_plain(one, depth + 1) for name, one in value.items())
    if isinstance(value, list):
        return all(_is_plain(one, depth + 1) for one in value)
    return value is None or type(value) in (str, bool, int) or (type(value) is float and math.isfinite(value))


# --- the text


def _lines(value: Any, before: str) -> str:
    """JSON with a line for each member; in one what is short and flat, and an embedding, however long."""
    inner = before + "  "
    text = _in_one_line(value)
    if text is not None and (len(before) + len(text) <= _WIDTH or not isinstance(value, dict)):
        return text
    if isinstance(value, dict):
        rows = [f"{inner}{json.dumps(name, ensure_ascii=False)}: {_lines(one, inner)}" for name, one in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{before}}}"
    return "[\n" + ",\n".join(f"{inner}{_lines(one, inner)}" for one in value) + f"\n{before}]"


def _in_one_line(value: Any) -> str | None:
    """A value's JSON, where it may stand in one line."""
    if isinstance(value, dict):
        small = all(not isinstance(one, dict) and (not isinstance(one, list) or len(one) < 2) for one in value.values())
        return json.dumps(value, ensure_ascii=False) if small and len(value) <= _SMALL else None
    if isinstance(value, list):
        small = len(value) < 2 and not isinstance(next(iter(value), None), dict | list)
        return json.dumps(value, ensure_ascii=False) if small or not any(isinstance(one, dict | list | str) for one in value) else None
    return json.dumps(value, ensure_ascii=False)


_WIDTH = 120
_SMALL = 4
