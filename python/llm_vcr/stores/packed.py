"""Cassettes as fields: what Redis and its mirror have in common.

The episodes that one save writes lie together in one pack (rust/cassette/compact), because they have most of their text in common. Each
episode has a field of its own beside it, of 28 bytes that the merge script can read::

    layout (1), fresh until (5), kept until (5), last played (5), order (4), pack (6), number in it (2)

Times are seconds since 1970. The order is that of recording: a hash has none. A pack's field is ``pack:`` and the begin of its SHA-256; it
goes with the last episode that lies in it.
"""

from __future__ import annotations

import json
import math
import random
import time
from abc import ABC, abstractmethod
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from llm_vcr import _core
from llm_vcr.errors import LlmVcrError
from llm_vcr.stores import memory
from llm_vcr.stores.base import CassetteRecord, Episode, MergeResult

LAYOUT = 2
"""The version of an episode's field. Layout 1, which was never released, is passed over like a later one."""

HEADER = 20
"""Bytes of a field that tell of its freshness; behind them stands where the episode is."""

NEVER = 2**40 - 1

META = "meta"
ASIDE = "aside:"
"""Fields that begin so hold what could not be read when something else took its place."""

PACK = "pack:"
"""Fields that begin so hold episodes."""

MANY = 8
"""More packs than this are put together at the next save."""

_ROOM = 64 * 2**20  # bytes of bodies in one pack: a value in Redis has at most 512 MB

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
        if not value or value[0] == 0:
            raise ValueError("no episode at all")
        if value[0] != LAYOUT:
            when = "a later" if value[0] > LAYOUT else "an earlier"
            raise ValueError(f"written by {when} llm_vcr (layout {value[0]}, this one reads {LAYOUT})")
        if len(value) != HEADER + 8:
            raise ValueError("cut off, or no episode at all")
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
    """Keys, and where the episodes are, in recorded order."""
    moved: tuple[tuple[str, bytes, bytes], ...] = ()
    """Keys of episodes that are stored already, where they were, and where they are now."""
    packs: Mapping[str, bytes] = field(default_factory=dict)
    """By the names of their fields."""
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
        places, unreadable = _places(raw)
        if not places and not unreadable:
            return None
        packs = {place[:6] for _, place in places.values()}
        read, damaged = self._unpack({one: raw.fields.get(pack_name(one)) for one in packs})
        episodes = []
        ahead = time.time() - raw.now
        for key, (stamps, place) in sorted(places.items(), key=lambda one: one[1][0].order):
            pack, number = place[:6], int.from_bytes(place[6:], "big")
            try:
                if pack in damaged:
                    raise ValueError(damaged[pack])
                request, response = _episode(read[pack][number])
            except IndexError:
                unreadable[key] = "it is not where it should be"
            except ValueError as error:
                unreadable[key] = str(error)
            else:
                fresh_until = math.inf if stamps.fresh_until >= NEVER else stamps.fresh_until + ahead
                episodes.append(Episode(request, response, key=key, fresh_until=fresh_until))
        sparse = set(read) if len(read) > MANY else {one for one in read if 2 * _living(one, places) < len(read[one])}
        return CassetteRecord(
            tuple(episodes),
            recorded_at=_saved(raw.fields.get(META)),
            metadata=_metadata(raw.fields.get(META)),
            unreadable=unreadable,
            scattered={key: place for key, (_, place) in places.items() if place[:6] in sparse and key not in unreadable} if sparse else {},
        )

    def _unpack(self, packs: Mapping[bytes, bytes | None]) -> tuple[dict[bytes, list[Packed]], dict[bytes, str]]:
        """What lies in packs, and which of them cannot be read and why."""
        wanted: dict[bytes, list[str]] = {}
        damaged = {}
        for name, value in packs.items():
            try:
                wanted[name] = _core.pack_blobs(value or b"")
            except ValueError as error:
                damaged[name] = str(error) if value else "what it lay in is gone"
        digests = list(dict.fromkeys(one for several in wanted.values() for one in several))
        blobs = self.read_blobs(digests) if digests else {}
        if sum(map(len, blobs.values())) >= memory.LARGE:
            memory.let_go_of_answers()
        read = {}
        for name, several in wanted.items():
            try:
                read[name] = _core.unpack_episodes(packs[name] or b"", [blobs.get(one) for one in several])
            except ValueError as error:
                damaged[name] = str(error)
        return read, damaged

    def merge(self, cassette_id: str, record: CassetteRecord, *, ttl: float, keep: float, cap: int | None = None) -> MergeResult:
        """See `Store.merge`. Only what is new goes over the wire: a fresh episode that is there stays, a stale one is replaced."""
        keyed = record.keyed()
        base = {one.key: one for one in record.base.episodes} if record.base is not None else {}
        new = {key: episode for key, episode in keyed.items() if episode.key is None or episode.key not in base}
        scattered = record.base.scattered if record.base is not None and new and not record.replace else {}
        old = {key: base[key] for key in scattered if key in keyed and key not in new}
        packs, episodes, blobs = pack(new)
        # Their payloads are where they were.
        more, moved, _ = pack(old)
        spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - nothing secret about it
        return self.write(
            cassette_id,
            Change(
                ttl=ttl * spread,
                keep=max(keep, ttl * spread),
                cap=cap or 0,
                replace=record.replace,
                metadata=record.metadata,
                episodes=tuple(episodes.items()),
                moved=tuple((key, scattered[key], place) for key, place in moved.items()),
                packs=packs | more,
                blobs=blobs,
                played=tuple(sorted(record.played)),
                drop=tuple(sorted(one for one in base if one is not None and one not in keyed)) if record.replace else (),
                unreadable=tuple(record.base.unreadable) if record.base is not None else (),
            ),
        )


def _living(pack: bytes, places: Mapping[str, tuple[Stamps, bytes]]) -> int:
    return sum(place.startswith(pack) for _, place in places.values())


def pack_name(place: bytes) -> str:
    """The field of the pack that is meant by the first six bytes of a place."""
    return PACK + place[:6].hex()


def without_empty_packs(fields: Mapping[str, bytes]) -> dict[str, bytes]:
    """The fields but for packs that nothing lies in any more. A field that is not ours to read may mean any of them."""
    plain = {key: value for key, value in fields.items() if not key.startswith(PACK)}
    values = [value for key, value in plain.items() if key != META]
    if any(not value.startswith(bytes([LAYOUT])) for value in values):
        return dict(fields)
    meant = {pack_name(value[HEADER:]) for value in values}
    return plain | {key: value for key, value in fields.items() if key in meant}


def _places(raw: Raw) -> tuple[dict[str, tuple[Stamps, bytes]], dict[str, str]]:
    """How fresh the episodes are and where they lie, by key; and what cannot be read, and why."""
    places, unreadable = {}, {}
    for key, value in raw.fields.items():
        if key == META or key.startswith((ASIDE, PACK)):
            continue
        try:
            stamps = Stamps.unpack(value)
        except ValueError as error:
            unreadable[key] = str(error)
            continue
        if stamps.keep_until > raw.now:
            places[key] = (stamps, value[HEADER:])
    return places, unreadable


def _saved(meta: bytes | None) -> datetime | None:
    """When an episode was last recorded into it."""
    try:
        return datetime.fromtimestamp(json.loads(meta or b"{}")["saved"], UTC)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError):
        return None


def _metadata(meta: bytes | None) -> dict[str, Any]:
    if b'"metadata"' not in (meta or b""):
        return {}
    try:
        return dict(json.loads(json.loads(meta or b"{}").get("metadata") or "{}"))
    except (ValueError, TypeError, AttributeError):
        return {}


# --- episodes in compact form

_BYTES = "\0bytes"
_BYTES_IN_JSON = json.dumps(_BYTES).encode()

_Given = tuple[bytes, bytes | None, bytes | None]
Packed = _Given | str
"""Head, request body and response body; or the SHA-256 of a payload that is lacking."""


def pack(episodes: Mapping[str, Episode]) -> tuple[dict[str, bytes], dict[str, bytes], dict[str, bytes]]:
    """Packs by the names of their fields, the place of each episode in them, and the blobs that they point to by their SHA-256.

    Raises:
        LlmVcrError: for a response with something in it that cannot be written down.
    """
    packs: dict[str, bytes] = {}
    places: dict[str, bytes] = {}
    blobs: dict[str, bytes] = {}
    for several in _bounded({key: _packed(episode) for key, episode in episodes.items()}):
        value, large = _core.pack_episodes(list(several.values()))
        place = bytes.fromhex(_core.sha256_hex(value)[:12])
        packs[pack_name(place)] = value
        places |= {key: place + number.to_bytes(2, "big") for number, key in enumerate(several)}
        blobs.update(large)
    return packs, places, blobs


def _bounded(episodes: dict[str, _Given]) -> Iterator[dict[str, _Given]]:
    """As many of them at once as go into one pack."""
    several: dict[str, _Given] = {}
    size = 0
    for key, one in episodes.items():
        size += sum(len(part or b"") for part in one)
        if several and (size > _ROOM or len(several) == 2**16):
            yield several
            several, size = {}, 0
        several[key] = one
    if several:
        yield several


def _packed(episode: Episode) -> _Given:
    request, response = episode.request, dict(episode.response)
    body, kind = response.get("body"), 0
    content: bytes | None = None
    if isinstance(body, Mapping) and isinstance(body.get("string"), bytes | str):
        kind = 1 if isinstance(body["string"], bytes) else 2
        content = body["string"] if kind == 1 else body["string"].encode("utf-8", "surrogatepass")
        response["body"] = {**body, "string": kind}
    head = [request["method"], request["uri"], _plain(request["headers"]), response, *([kind] if kind else [])]
    try:
        text = _encoder.encode(head)
        # What came from a client or a file is mostly plain; anything else is read back, to see that it is still the same.
        same = _is_plain(response) or json.loads(text, object_hook=_untagged)[3] == _lists(response)
    except (TypeError, ValueError) as error:
        raise LlmVcrError(f"the response has something in it that cannot be stored: {error}") from error
    if not same:
        raise LlmVcrError("the response has something in it that cannot be stored: a key that is no text, or a number that is none")
    return text.encode("utf-8", "surrogatepass"), request["body"], content


def _is_plain(value: Any) -> bool:
    """Whether JSON gives back just this, or lists in place of its tuples."""
    kind = type(value)
    if kind is dict:
        return all(type(name) is str and _is_plain(one) for name, one in value.items()) and _BYTES not in value
    if kind is list or kind is tuple:
        return all(map(_is_plain, value))
    return value is None or kind in (str, int, bool, bytes)


def _episode(packed: Packed) -> tuple[dict[str, Any], dict[str, Any]]:
    """Request and response.

    Raises:
        ValueError: where a payload is lacking, or the head is none of ours.
    """
    if isinstance(packed, str):
        raise ValueError(f"its payload {packed[:12]}… is gone, or damaged")
    head, body, content = packed
    tagged = _untagged if _BYTES_IN_JSON in head else None
    method, uri, headers, response, *kind = json.loads(head.decode("utf-8", "surrogatepass"), object_hook=tagged)
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


_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=_tagged)


def _lists(value: Any) -> Any:
    """The value with lists in place of tuples, as JSON gives them back."""
    if isinstance(value, Mapping):
        return {key: _lists(one) for key, one in value.items()}
    return [_lists(one) for one in value] if isinstance(value, list | tuple) else value
