"""Cassettes episode by episode in compact form: what Redis and its mirror have in common.

A cassette is a set of fields. The value of each is 20 bytes that the merge script can read, and the episode (rust/cassette) behind them::

    layout (1), fresh until (5), kept until (5), last played (5), order (4), episode in compact form

Times are seconds since 1970. The order is that of recording: a hash has none.
"""

from __future__ import annotations

import json
import math
import random
from abc import ABC, abstractmethod
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from llm_vcr import _core
from llm_vcr.errors import LlmVcrError
from llm_vcr.stores.base import CassetteRecord, Episode, MergeResult

LAYOUT = 1
"""The version of the bytes in front of an episode."""

HEADER = 20
NEVER = 2**40 - 1

META = "meta"
ASIDE = "aside:"
"""Fields that begin so hold what could not be read when something else took its place."""

TTL = 24 * 3600.0
"""How long an episode in a shared store is fresh where nobody says: provider drift shows within a day."""

JITTER = 0.1
"""Up to this share longer or shorter, so that a suite recorded at once does not expire at once."""


@dataclass(frozen=True)
class Stamps:
    """What stands in front of an episode."""

    fresh_until: int
    keep_until: int
    played: int
    order: int

    def pack(self) -> bytes:
        """As bytes."""
        numbers = (self.fresh_until, self.keep_until, self.played)
        return bytes([LAYOUT]) + b"".join(min(one, NEVER).to_bytes(5, "big") for one in numbers) + self.order.to_bytes(4, "big")

    @classmethod
    def unpack(cls, value: bytes) -> Stamps:
        """From the bytes of a field.

        Raises:
            ValueError: where they are no such thing.
        """
        if len(value) <= HEADER or value[0] == 0:
            raise ValueError("too short, or no episode at all")
        if value[0] > LAYOUT:
            raise ValueError(f"written by a later llm_vcr (layout {value[0]}, this one reads {LAYOUT})")
        number = int.from_bytes
        return cls(number(value[1:6], "big"), number(value[6:11], "big"), number(value[11:16], "big"), number(value[16:HEADER], "big"))


@dataclass(frozen=True)
class Raw:
    """A cassette as it is stored, and the store's time."""

    now: float
    fields: Mapping[str, bytes]


@dataclass(frozen=True)
class Change:
    """What a writer has to say about a cassette."""

    ttl: float
    """In seconds, jitter included."""
    keep: float
    cap: int
    replace: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    episodes: tuple[tuple[str, bytes], ...] = ()
    """Keys and compact forms, in recorded order."""
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    played: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


class PackedStore(ABC):
    """A `Store` over fields and blobs."""

    default_ttl = TTL

    @abstractmethod
    def read(self, cassette_id: str) -> Raw:
        """The fields of a cassette; none where there is none."""

    @abstractmethod
    def read_blobs(self, digests: list[str]) -> dict[str, bytes]:
        """Those of the blobs that are there."""

    @abstractmethod
    def write(self, cassette_id: str, change: Change) -> MergeResult:
        """Merge a change."""

    def load(self, cassette_id: str) -> CassetteRecord | None:
        """See `Store.load`. What cannot be read is left out, and told in `CassetteRecord.unreadable`."""
        raw = self.read(cassette_id)
        found, unreadable, wanted = _index(raw)
        if not found and not unreadable:
            return None
        blobs = self.read_blobs(list(dict.fromkeys(wanted))) if wanted else {}
        episodes = []
        for key, (stamps, value, digests) in sorted(found.items(), key=lambda one: one[1][0].order):
            try:
                request, response = unpack(value, [blobs[one] for one in digests])
            except KeyError as missing:
                unreadable[key] = f"its payload {missing.args[0][:12]}… is gone"
            except ValueError as error:
                unreadable[key] = str(error)
            else:
                fresh_until = math.inf if stamps.fresh_until >= NEVER else stamps.fresh_until - raw.now + _now()
                episodes.append(Episode(request, response, key=key, fresh_until=fresh_until))
        return CassetteRecord(tuple(episodes), metadata=_metadata(raw.fields.get(META)), unreadable=unreadable)

    def merge(self, cassette_id: str, record: CassetteRecord, *, ttl: float, keep: float, cap: int | None = None) -> MergeResult:
        """See `Store.merge`. Only what is new goes over the wire: a fresh episode that is there stays, a stale one is replaced."""
        keyed = record.keyed()
        base = {one.key for one in record.base.episodes} if record.base is not None else set()
        episodes, blobs = [], {}
        for key, episode in keyed.items():
            if episode.key is None or episode.key not in base:
                value, large = pack(episode)
                episodes.append((key, value))
                blobs.update(large)
        spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - nothing secret about it
        return self.write(
            cassette_id,
            Change(
                ttl=ttl * spread,
                keep=max(keep, ttl * spread),
                cap=cap or 0,
                replace=record.replace,
                metadata=record.metadata,
                episodes=tuple(episodes),
                blobs=blobs,
                played=tuple(sorted(record.played)),
                drop=tuple(sorted(one for one in base if one is not None and one not in keyed)) if record.replace else (),
                unreadable=tuple(record.base.unreadable) if record.base is not None else (),
            ),
        )


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _index(raw: Raw) -> tuple[dict[str, tuple[Stamps, bytes, list[str]]], dict[str, str], list[str]]:
    """The episodes by key with the blobs they need, what cannot be read and why, and all blobs."""
    found, unreadable, wanted = {}, {}, []
    for key, value in raw.fields.items():
        if key == META or key.startswith(ASIDE):
            continue
        try:
            stamps = Stamps.unpack(value)
            digests = _core.episode_blobs(value[HEADER:])
        except ValueError as error:
            unreadable[key] = str(error)
            continue
        if stamps.keep_until > raw.now:
            found[key] = (stamps, value[HEADER:], digests)
            wanted += digests
    return found, unreadable, wanted


def _metadata(meta: bytes | None) -> dict[str, Any]:
    try:
        return dict(json.loads(json.loads(meta or b"{}").get("metadata") or "{}"))
    except (ValueError, TypeError, AttributeError):
        return {}


# --- an episode in compact form

_BYTES = "\0bytes"


def pack(episode: Episode) -> tuple[bytes, dict[str, bytes]]:
    """The compact form of an episode, and the blobs that it points to by their SHA-256.

    Raises:
        LlmVcrError: for a response with something in it that cannot be written down.
    """
    request, response = episode.request, dict(episode.response)
    body, kind = response.get("body"), 0
    content: bytes | None = None
    if isinstance(body, Mapping) and isinstance(body.get("string"), bytes | str):
        kind = 1 if isinstance(body["string"], bytes) else 2
        content = body["string"] if kind == 1 else body["string"].encode("utf-8", "surrogatepass")
        response["body"] = {**body, "string": kind}
    head = [request["method"], request["uri"], _plain(request["headers"]), response, *([kind] if kind else [])]
    try:
        text = json.dumps(head, separators=(",", ":"), ensure_ascii=False, default=_tagged)
        read = json.loads(text, object_hook=_untagged)
    except (TypeError, ValueError) as error:
        raise LlmVcrError(f"the response has something in it that cannot be stored: {error}") from error
    if read[3] != _lists(response):
        raise LlmVcrError("the response has something in it that cannot be stored: a key that is no text, or a number that is none")
    value, blobs = _core.pack_episode(text.encode("utf-8", "surrogatepass"), request["body"], content)
    return value, dict(blobs)


def unpack(value: bytes, blobs: list[bytes]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Request and response of an episode in compact form.

    Raises:
        ValueError: for a damaged one, and for one of a later version.
    """
    head, body, content = _core.unpack_episode(value, blobs)
    method, uri, headers, response, *kind = json.loads(head.decode("utf-8", "surrogatepass"), object_hook=_untagged)
    if kind and content is not None:
        response["body"]["string"] = content if kind[0] == 1 else content.decode("utf-8", "surrogatepass")
    return {"method": method, "uri": uri, "headers": headers, "body": body}, response


def _plain(headers: Mapping[str, Iterable[Any]]) -> dict[str, list[Any]]:
    return {str(name): list(values) for name, values in headers.items()}


def _tagged(value: object) -> Any:
    """What JSON has no word for."""
    if isinstance(value, bytes):
        return {_BYTES: b64encode(value).decode()}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def _untagged(value: dict[str, Any]) -> Any:
    return b64decode(value[_BYTES]) if value.keys() == {_BYTES} else value


def _lists(value: Any) -> Any:
    """The value with lists in place of tuples, as JSON gives them back."""
    if isinstance(value, Mapping):
        return {key: _lists(one) for key, one in value.items()}
    return [_lists(one) for one in value] if isinstance(value, list | tuple) else value
