"""pytest-llm-vcr's YAML cassettes.

It keeps JSON bodies parsed, every other body and every answer that it did not read as null, and puts ``[REDACTED]`` wherever a name has
"token" in it: ``max_tokens`` of a request, the whole usage of an answer. What was lost so cannot be given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_vcr.foreign.found import Found, as_json, episode

_LOST = "[REDACTED]"


def is_one(tree: Mapping[str, Any]) -> bool:
    """Whether this is a cassette of pytest-llm-vcr."""
    first = next(iter(tree["interactions"]), None)
    return "name" in tree and (first is None or (isinstance(first, Mapping) and "url" in first))


def read(tree: Mapping[str, Any], path: str, text: str) -> Found:  # noqa: ARG001 - the formats' common signature
    """The recordings of a cassette."""
    found = Found()
    for number, one in enumerate(tree["interactions"], 1):
        with found.interaction(number):
            if (why := _unusable(one)) is not None:
                found.refuse(number, why)
                continue
            asked = _unwrapped(one.get("request_body"))
            answer = "".join(one["chunks"]).encode() if one.get("streaming") else as_json(_unwrapped(one["response_body"]))
            found.episodes.append(
                episode(
                    one["method"],
                    one["url"],
                    (one.get("request_headers") or {}, None if asked is None else as_json(asked)),
                    (int(one.get("status_code", 200)), one.get("response_headers") or {}, answer),
                )
            )
    return found


def _unusable(one: Any) -> str | None:
    if not isinstance(one, Mapping) or "method" not in one or "url" not in one:
        return "it has no request"
    if one.get("request_body") is None and str(one["method"]).upper() in ("POST", "PUT", "PATCH"):
        return "its request body was not kept (null): it was no JSON"
    if lost := _lost("", one.get("request_body")):
        return f"[REDACTED] stands in the request in place of {lost}: no request would match"
    if one.get("streaming"):
        return None if one.get("chunks") else "its stream was not kept"
    if one.get("response_body") is None:
        return "its answer was not kept (null)"
    if lost := _lost("", one["response_body"]):
        return f"[REDACTED] stands in the answer in place of {lost}: clients expect a number"
    return None


def _lost(path: str, value: Any) -> str | None:
    """The first place where a value was lost."""
    if value == _LOST:
        return path
    children = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, one in children:
        step = f"[{name}]" if isinstance(name, int) else f".{name}" if path else str(name)
        if (found := _lost(path + step, one)) is not None:
            return found
    return None


def _unwrapped(body: Any) -> Any:
    """A body that is no object was put into one."""
    return body["_raw"] if isinstance(body, Mapping) and body.keys() == {"_raw"} else body
