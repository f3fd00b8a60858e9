"""vcrpy's own cassettes, YAML or JSON, of any age; also those with ``recorded_at`` and ``ttl_seconds`` (LiteLLM's)."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from llm_vcr import codec
from llm_vcr.foreign import rescue
from llm_vcr.foreign.found import Found


def is_one(tree: Mapping[str, Any]) -> bool:
    """Whether this is a cassette of vcrpy; so is everything that is none of the others'."""
    return "interactions" in tree


def read(tree: Mapping[str, Any], path: str, text: str) -> Found:
    """The recordings of a cassette."""
    if text.lstrip().startswith("{"):
        record = codec.decode(text, path, SimpleNamespace(deserialize=lambda _: _json(tree), serialize=str))
    else:
        record = rescue.load(text, path)
    return Found(list(record.episodes), recorded_at=record.recorded_at, ttl=record.ttl)


def _json(tree: Mapping[str, Any]) -> Any:
    from vcr.serializers import compat

    return {**tree, "interactions": [{**one, "response": compat.convert_to_bytes(one["response"])} for one in tree["interactions"]]}
