"""The protocol of a store, and what goes in and out of one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Episode:
    """One recorded exchange, in plain data: what a store keeps needs no vcrpy to be read.

    ``request`` has ``method``, ``uri``, ``headers`` (name to list of values) and ``body`` (bytes, or ``None``); ``response`` is as
    vcrpy has it: ``status`` (``code``, ``message``), ``headers`` and ``body`` (``string``: bytes).
    """

    request: Mapping[str, Any]
    response: Mapping[str, Any]


@dataclass(frozen=True)
class CassetteRecord:
    """All episodes of a cassette in recorded order, and how fresh they are."""

    episodes: tuple[Episode, ...]
    recorded_at: datetime | None = None
    ttl: float = math.inf
    """Seconds after ``recorded_at`` for which the episodes are fresh."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """vcrpy's own metadata, kept as it came."""
    base: CassetteRecord | None = None
    """What its writer had loaded: an episode that is not among these was written by somebody else meanwhile."""

    def is_stale(self, now: datetime | None = None) -> bool:
        """Whether the episodes are older than they may be."""
        if self.recorded_at is None or self.ttl == math.inf:
            return False
        return ((now or datetime.now(UTC)) - self.recorded_at).total_seconds() > self.ttl

    def keyed(self) -> dict[str, Episode]:
        """The episodes by ``fingerprint:ordinal``: equal requests are told apart by their order."""
        from llm_vcr import _core

        rules = _core.Rules()
        seen: dict[str, int] = {}
        keyed = {}
        for episode in self.episodes:
            request = episode.request
            body = rules.fingerprint(request["body"] or b"", _content_type(request["headers"]), mask_volatile=False)
            print_ = _core.sha256_hex(f"{str(request['method']).upper()} {request['uri']} {body}".encode("utf-8", "surrogatepass"))
            ordinal = seen.get(print_, 0)
            seen[print_] = ordinal + 1
            keyed[f"{print_}:{ordinal}"] = episode
        return keyed


def _content_type(headers: Mapping[str, Any]) -> str | None:
    from llm_vcr.request import header

    return header(headers, "content-type")


@dataclass(frozen=True)
class MergeResult:
    """What a store made of a record: how many episodes it holds now, and how many of them somebody else had written meanwhile."""

    kept: int
    from_others: int = 0


@runtime_checkable
class Store(Protocol):
    """A place for cassettes, each under an id: its path below the project root, with ``/`` between the components."""

    def load(self, cassette_id: str) -> CassetteRecord | None:
        """The cassette called ``cassette_id``, or ``None`` where there is none.

        Raises:
            CassetteFileError: where there is one that cannot be read.
        """

    def merge(self, cassette_id: str, record: CassetteRecord, *, ttl: float, keep: float) -> MergeResult:
        """Store ``record``, fresh for ``ttl`` seconds and forgotten after ``keep``; what others wrote meanwhile stays."""

    def delete(self, cassette_id: str) -> bool:
        """Forget the cassette; tell whether there was one."""

    def scan(self, prefix: str = "") -> Iterator[str]:
        """The ids of all cassettes whose id begins with ``prefix``, sorted."""

    def capacity(self) -> float | None:
        """The used share of what the store can hold (0 to 1), or ``None`` where there is no limit."""
