"""The protocol of a store, and what goes in and out of one."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable


@dataclass(frozen=True)
class Episode:
    """One recorded exchange, in plain data: what a store keeps needs no vcrpy to be read.

    ``request`` has ``method``, ``uri``, ``headers`` (name to list of values) and ``body`` (bytes, or ``None``); ``response`` is as
    vcrpy has it: ``status`` (``code``, ``message``), ``headers`` and ``body`` (``string``: bytes).
    """

    request: Mapping[str, Any]
    response: Mapping[str, Any]
    key: str | None = field(default=None, compare=False)
    """Under which a store that keeps episodes one by one has it; ``None`` for one that was recorded just now."""
    fresh_until: float = field(default=math.inf, compare=False)
    """In seconds since 1970, in such a store."""
    body_print: str | None = field(default=None, compare=False, repr=False)
    """The fingerprint of the request's body, where it was computed already."""
    header_store: ClassVar[Mapping[str, tuple[str, Any]] | None] = None
    """The request's headers as vcrpy's requests keep them, where its reader has found that out. No field: a changed copy has none."""

    def is_stale(self, now: float | None = None) -> bool:
        """Whether it is older than it may be."""
        return self.fresh_until < (time.time() if now is None else now)


_Kind = TypeVar("_Kind")


def made(kind: type[_Kind], **fields: Any) -> _Kind:
    """A frozen dataclass with these fields: its own ``__init__`` sets them one by one, which takes four times as long.

    What has a plain default may be left out; what has a factory may not.
    """
    one = object.__new__(kind)
    one.__dict__.update(fields)
    return one


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
    replace: bool = False
    """It takes the place of ``base``, however fresh that is (``rewrite``)."""
    played: frozenset[str] = frozenset()
    """Keys of the episodes of ``base`` that its writer has played."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Keys of what is in the store and cannot be read, and why. It is kept aside when something else takes its key."""
    scattered: Mapping[str, bytes] = field(default_factory=dict)
    """Keys of the episodes that would better be stored together at the next save, and where they are."""

    def is_stale(self, now: datetime | None = None) -> bool:
        """Whether the episodes are older than they may be."""
        if self.recorded_at is None or self.ttl == math.inf:
            return False
        return ((now or datetime.now(UTC)) - self.recorded_at).total_seconds() > self.ttl

    def keyed(self) -> dict[str, Episode]:
        """The episodes by ``fingerprint:ordinal``: equal requests are told apart by their order. A key once given is kept."""
        taken = {episode.key for episode in self.episodes if episode.key is not None}
        keyed = {}
        following: dict[str, int] = {}
        for episode in self.episodes:
            if episode.key is not None:
                keyed[episode.key] = episode
                continue
            print_ = _print(episode)
            ordinal = following.get(print_, 0)
            while f"{print_}:{ordinal}" in taken:
                ordinal += 1
            following[print_] = ordinal + 1
            keyed[f"{print_}:{ordinal}"] = episode
        return keyed


def _print(episode: Episode) -> str:
    from llm_vcr import _core
    from llm_vcr.request import header

    request = episode.request
    body = episode.body_print
    if body is None:
        body = _core.Rules().fingerprint(request["body"] or b"", header(request["headers"], "content-type"), mask_volatile=False)
    whole = _core.sha256_hex(f"{str(request['method']).upper()} {request['uri']} {body}".encode("utf-8", "surrogatepass"))
    return whole[:32]  # a store has it once for each episode


@dataclass(frozen=True)
class MergeResult:
    """What a store made of a record."""

    kept: int
    """How many episodes the cassette has now."""
    from_others: int = 0
    """How many of them somebody else had written meanwhile."""
    dropped: int = 0
    """How many made room that no run had played for longest."""
    refused: int = 0
    """How many were not stored because the cassette is full (``llm_vcr_max_episodes``)."""
    pending: str = ""
    """Why the record could not be merged yet and waits in the mirror, if it does."""


@runtime_checkable
class Store(Protocol):
    """A place for cassettes, each under an id: its path below the project root, with ``/`` between the components."""

    def load(self, cassette_id: str) -> CassetteRecord | None:
        """The cassette called ``cassette_id``, or ``None`` where there is none.

        Raises:
            CassetteFileError: where there is one that cannot be read.
            StoreUnavailableError: where the store cannot be reached.
        """

    def merge(self, cassette_id: str, record: CassetteRecord, *, ttl: float, keep: float, cap: int | None = None) -> MergeResult:
        """Store ``record``, fresh for ``ttl`` seconds and forgotten after ``keep``; what others wrote meanwhile stays.

        A cassette has at most ``cap`` episodes; what does not fit any more is refused, and counted.

        Raises:
            StoreUnavailableError: where the store cannot be reached, or takes nothing.
        """

    def delete(self, cassette_id: str) -> bool:
        """Forget the cassette; tell whether there was one."""

    def scan(self, prefix: str = "") -> Iterator[str]:
        """The ids of all cassettes whose id begins with ``prefix``, sorted."""

    def capacity(self) -> float | None:
        """The used share of what the store can hold (0 to 1), or ``None`` where there is no limit."""
