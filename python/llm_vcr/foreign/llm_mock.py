"""llm-mock's JSON fixtures, versions 1.0 and 2.0.

It keeps the parsed body of a request and of its answer, of a stream the parsed events, and of the address only the provider.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llm_vcr.errors import CassetteFileError
from llm_vcr.foreign.found import Found, as_json, episode
from llm_vcr.stores.base import Episode

_ADDRESSES = {"openai": "https://api.openai.com/v1/chat/completions", "anthropic": "https://api.anthropic.com/v1/messages"}


def is_one(tree: Mapping[str, Any]) -> bool:
    """Whether this is a fixture of llm-mock."""
    return "provider" in tree and isinstance(tree.get("version"), str)


def read(tree: Mapping[str, Any], path: str, text: str) -> Found:  # noqa: ARG001 - the formats' common signature
    """The recordings of a fixture."""
    found = Found()
    for number, (one, exchange) in enumerate(exchanges(tree, path), 1):
        if isinstance(exchange, str):
            found.refuse(number, exchange)
        else:
            found.note_time(one.get("recorded_at"))
            found.episodes.append(exchange)
    return found


def exchanges(tree: Mapping[str, Any], path: str) -> Iterator[tuple[Mapping[str, Any], Episode | str]]:
    """Each interaction of a fixture as it stands there, and as an episode, or why it is of no use.

    Raises:
        CassetteFileError: for a version or a provider that llm-mock 1.0 does not write.
    """
    if str(tree["version"]).partition(".")[0] not in ("1", "2"):
        raise CassetteFileError(path, 1, f"version {tree['version']} of llm-mock's format: 1 and 2 are known")
    address = _ADDRESSES.get(str(tree["provider"]))
    if address is None:
        raise CassetteFileError(path, 1, f"the provider {tree['provider']!r} of llm-mock: {' and '.join(_ADDRESSES)} are known")
    for one in tree["interactions"]:
        if not isinstance(one, Mapping) or not isinstance(one.get("request"), Mapping):
            yield {}, "it has no request"
            continue
        if one.get("streaming"):
            events = one.get("stream_events") or []
            if not isinstance(events, list) or not all(isinstance(event, Mapping) for event in events):
                yield one, "its events cannot be read"
                continue
            kind, data = "text/event-stream", _stream(events)
        else:
            kind, data = "application/json", as_json(one["response"]) if one.get("response") else b""
        asked = {"content-type": "application/json"}, as_json(one["request"])
        yield one, episode("POST", address, asked, (200, {"content-type": kind}, data)) if data else "it has no answer"


def _stream(events: Iterable[Mapping[str, Any]]) -> bytes:
    """The events as they are sent. llm-mock leaves out the empty line after the last one, without which no client sees it."""
    parts = []
    for event in events:
        data = event.get("data")
        name = f"event: {event['event']}\n" if event.get("event") else ""
        parts.append(f"{name}data: {data if data == '[DONE]' else json.dumps(data, ensure_ascii=False)}\n\n")
    return "".join(parts).encode("utf-8", "surrogatepass")
