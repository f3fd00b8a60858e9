"""cassetter's YAML cassettes: a status that is a number, and bodies with their kind (json, text, binary in hexadecimal, none)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_vcr.foreign.found import Found, as_json, episode


def is_one(tree: Mapping[str, Any]) -> bool:
    """Whether this is a cassette of cassetter."""
    first = next(iter(tree["interactions"]), None)
    response = first.get("response") if isinstance(first, Mapping) else None
    body = response.get("body") if isinstance(response, Mapping) else None
    return isinstance(response, Mapping) and isinstance(response.get("status"), int) and isinstance(body, Mapping) and "type" in body


def read(tree: Mapping[str, Any], path: str, text: str) -> Found:  # noqa: ARG001 - the formats' common signature
    """The recordings of a cassette. Those of gRPC and websockets have no place in an HTTP cassette, and are told as unusable."""
    found = Found()
    for number, one in enumerate(tree["interactions"], 1):
        with found.interaction(number):
            request, response = one["request"], one["response"]
            found.episodes.append(
                episode(
                    request["method"],
                    request["uri"],
                    (request.get("headers") or {}, _body(request.get("body"))),
                    (int(response["status"]), response.get("headers") or {}, _body(response.get("body")) or b""),
                )
            )
            found.note_time(one.get("recorded_at"))
    for key, value in tree.items():
        if str(key).endswith("_interactions") and isinstance(value, list) and value:
            found.refuse(len(tree["interactions"]) + 1, f"{len(value)} under {key}: only HTTP can be imported")
    return found


def _body(told: Mapping[str, Any] | None) -> bytes | None:
    kind, content = (told or {}).get("type", "none"), (told or {}).get("content")
    if kind == "none":
        return None
    if kind == "json":
        return as_json(content)
    if kind == "binary":
        return bytes.fromhex("".join(str(content or "").split()))
    if kind == "text":
        return str(content or "").encode("utf-8", "surrogatepass")
    raise ValueError(f"a body of the kind {kind!r}")
