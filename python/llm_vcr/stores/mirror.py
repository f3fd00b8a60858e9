"""A folder in front of the shared store: a copy of what was read and written, and what is still to be merged.

::

    cassettes/<sha256 of the key>   the fields of a cassette, as the store has them
    blobs/<sha256>                  a payload, as the store has it
    pending/<sha256 of the key>-…   a change that the store did not take yet, with its blobs

Every file is written whole or not at all, so several processes may share the folder, and a CI cache may carry it. A disk that is full, or
a file that is damaged, costs the copy and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
import struct
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from llm_vcr.errors import StoreUnavailableError
from llm_vcr.stores import leftovers
from llm_vcr.stores.base import MergeResult
from llm_vcr.stores.packed import ASIDE, HEADER, META, NEVER, PACK, Change, PackedStore, Raw, Stamps, without_empty_packs
from llm_vcr.stores.redis import Flushed, RedisStore

_MAGIC = b"llm-vcr mirror 2\n"
_CHECKED = 128  # files written before the folder is measured again


class MirrorStore(PackedStore):
    """A `RedisStore` with a local copy."""

    def __init__(self, store: RedisStore, folder: Path, *, limit: int = 2**30, replay: bool = True) -> None:
        """Mirror ``store`` in ``folder``, at most ``limit`` bytes; with ``replay``, answer from there when the store is out of reach."""
        self.store = store
        self.folder = folder
        self.limit = limit
        self.replay = replay
        self._written = 0
        self._notes: list[str] = []

    def __repr__(self) -> str:
        return f"MirrorStore({self.store!r}, {str(self.folder)!r})"

    def __deepcopy__(self, memo: object) -> MirrorStore:
        """Itself."""
        return self

    def notes(self) -> list[str]:
        """What is to be told once, and then forgotten."""
        told, self._notes = self._notes, []
        return told

    def key(self, cassette_id: str) -> str:
        """The key of a cassette in the store behind."""
        return self.store.key(cassette_id)

    # --- what `PackedStore` stands on

    def open(self) -> None:
        """Connect, and merge what is pending.

        Raises:
            StoreUnavailableError: where the store behind cannot be used.
        """
        self._bound()
        self.store.open()
        self.merge_pending()

    def close(self) -> None:
        """Try once more to merge what is pending, and disconnect."""
        with contextlib.suppress(StoreUnavailableError):
            self.merge_pending()
        self.store.close()

    def read(self, cassette_id: str) -> Raw:
        """See `PackedStore.read`."""
        try:
            raw = self.store.read(cassette_id)
        except StoreUnavailableError as error:
            if not self.replay:
                raise
            self._notes.append(f"{error}; answers come from the mirror {self.folder}")
            return Raw(time.time(), self._fields(cassette_id))
        if raw.fields:
            self._keep(self._cassette(cassette_id), _joined({**raw.fields}))
        return raw

    def read_blobs(self, digests: list[str]) -> dict[str, bytes]:
        """See `PackedStore.read_blobs`. A payload never changes, so one that is here need not come over the wire."""
        found = {digest: blob for digest in digests if (blob := self._read(self._blob(digest))) is not None}
        missing = [digest for digest in digests if digest not in found]
        if missing:
            try:
                more = self.store.read_blobs(missing)
            except StoreUnavailableError:
                if not self.replay:
                    raise
                more = {}
            for digest, blob in more.items():
                self._keep(self._blob(digest), blob)
            found |= more
        return found

    def write(self, cassette_id: str, change: Change) -> MergeResult:
        """See `PackedStore.write`. What the store does not take waits here."""
        try:
            self.merge_pending()
            result = self.store.write(cassette_id, change)
        except StoreUnavailableError as error:
            name = f"{_hash(self.store.key(cassette_id))}-{os.getpid()}-{secrets.token_hex(4)}"
            if not self._put(self.folder / "pending" / name, _pending(cassette_id, change)):
                raise
            kept = self._apply(cassette_id, change)
            return MergeResult(kept=kept, pending=str(error))
        self._apply(cassette_id, change)
        return result

    def merge_pending(self) -> int:
        """Merge what the store did not take before; tell how much. Twice is once: a change says what it wants, not what it found.

        Raises:
            StoreUnavailableError: where it still does not.
        """
        merged = 0
        for path in self._files("pending"):
            # Whoever renames it merges it; what a killed process has claimed is free again after a while.
            claimed = path.with_name(f".{path.name.lstrip('.')}")
            if path.name.startswith(".") and time.time() - _mtime(path) < 600:
                continue
            try:
                os.replace(path, claimed)
                os.utime(claimed)
            except OSError:
                continue
            data = self._read(claimed)
            waiting = _unpending(data) if data is not None else None
            if waiting is None:
                self._notes.append(f"{claimed}: a change that cannot be read is passed over")
                continue
            try:
                self.store.write(*waiting)
            except StoreUnavailableError:
                os.replace(claimed, path.with_name(path.name.lstrip(".")))
                raise
            claimed.unlink(missing_ok=True)
            merged += 1
        return merged

    # --- the rest goes through

    def delete(self, cassette_id: str) -> bool:
        """See `Store.delete`."""
        self._cassette(cassette_id).unlink(missing_ok=True)
        return self.store.delete(cassette_id)

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `Store.scan`."""
        return self.store.scan(prefix)

    def capacity(self) -> float | None:
        """See `Store.capacity`."""
        return self.store.capacity()

    def memory(self) -> tuple[int, int]:
        """See `RedisStore.memory`."""
        return self.store.memory()

    def flush(self, match: str = "*", *, older_than: float | None = None, overflowed: bool = False, dry_run: bool = False) -> list[Flushed]:
        """See `RedisStore.flush`; the copies of what is flushed go with it."""
        flushed = self.store.flush(match, older_than=older_than, overflowed=overflowed, dry_run=dry_run)
        for one in flushed if not dry_run else ():
            self._cassette(one.cassette_id).unlink(missing_ok=True)
        return flushed

    def played(self, cassette_id: str, keys: Iterable[str]) -> None:
        """See `RedisStore.played`."""
        self.store.played(cassette_id, keys)

    def acquire(self, cassette_id: str, owner: str, seconds: float) -> bool:
        """See `RedisStore.acquire`."""
        return self.store.acquire(cassette_id, owner, seconds)

    def renew(self, cassette_ids: list[str], owner: str, seconds: float) -> None:
        """See `RedisStore.renew`."""
        self.store.renew(cassette_ids, owner, seconds)

    def release(self, cassette_id: str, owner: str) -> None:
        """See `RedisStore.release`."""
        self.store.release(cassette_id, owner)

    def is_leased(self, cassette_id: str) -> bool:
        """See `RedisStore.is_leased`."""
        return self.store.is_leased(cassette_id)

    # --- files

    def _cassette(self, cassette_id: str) -> Path:
        return self.folder / "cassettes" / _hash(self.store.key(cassette_id))

    def _blob(self, digest: str) -> Path:
        return self.folder / "blobs" / digest

    def _fields(self, cassette_id: str) -> dict[str, bytes]:
        data = self._read(self._cassette(cassette_id))
        return (_split(data) or {}) if data is not None else {}

    def _apply(self, cassette_id: str, change: Change) -> int:
        """Do to the copy what the store does by its script, as far as this process can know."""
        fields = {} if change.replace else self._fields(cassette_id)
        now = time.time()
        known = {key: stamps for key, value in fields.items() if (stamps := _stamps(key, value)) is not None}
        order = 1 + max((one.order for one in known.values()), default=0)
        until = [NEVER if span == math.inf else int(now + span) for span in (change.ttl, change.keep)]
        for number, (key, place) in enumerate(change.episodes):
            if key not in known or known[key].fresh_until <= now:
                fields[key] = Stamps(until[0], until[1], int(now), order + number).pack() + place
        for key, before, place in change.moved:
            if fields.get(key, b"")[HEADER:] == before:
                fields[key] = fields[key][:HEADER] + place
        fields = without_empty_packs({**fields, **change.packs})
        if fields:
            self._keep(self._cassette(cassette_id), _joined(fields))
        for digest, blob in change.blobs.items():
            self._keep(self._blob(digest), blob)
        return sum(_stamps(key, value) is not None for key, value in fields.items())

    def _read(self, path: Path) -> bytes | None:
        try:
            data = path.read_bytes()
        except OSError:
            return None
        if len(data) < 32 or hashlib.sha256(data[:-32]).digest() != data[-32:]:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return data[:-32]

    def _keep(self, path: Path, data: bytes) -> None:
        """Write a copy, unless it is there already. Payloads are named after what is in them, so those are not even compared."""
        with contextlib.suppress(OSError):
            if path.stat().st_size == len(data) + 32 and (path.parent.name == "blobs" or self._read(path) == data):
                return
        self._put(path, data)

    def _put(self, path: Path, data: bytes) -> bool:
        self._written += 1
        if self._written % _CHECKED == 0:
            self._bound()
        temporary = path.with_name(f".{secrets.token_hex(8)}{leftovers.SUFFIX}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
                file.write(hashlib.sha256(data).digest())
            os.replace(temporary, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            self._notes.append(f"the mirror {self.folder} cannot be written: {error.strerror or error}")
            return False
        return True

    def _files(self, kind: str) -> list[Path]:
        try:
            return sorted(one for one in (self.folder / kind).iterdir() if one.suffix != leftovers.SUFFIX)
        except OSError:
            return []

    def _bound(self) -> None:
        """Let go of what was not used for longest, until nine tenths of the limit are left. What is pending stays."""
        for kind in ("cassettes", "blobs", "pending"):
            leftovers.sweep(self.folder / kind)
        found = []
        for kind in ("cassettes", "blobs"):
            for path in self._files(kind):
                with contextlib.suppress(OSError):
                    stat = path.stat()
                    found.append((stat.st_mtime, stat.st_size, path))
        size = sum(one for _, one, _ in found)
        if size <= self.limit:
            return
        for _, length, path in sorted(found):
            if size <= self.limit * 0.9:
                return
            with contextlib.suppress(OSError):
                path.unlink()
                size -= length


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _stamps(key: str, value: bytes) -> Stamps | None:
    """Those of an episode; ``None`` for every other field."""
    if key == META or key.startswith((ASIDE, PACK)):
        return None
    try:
        return Stamps.unpack(value)
    except ValueError:
        return None


def _joined(fields: dict[str, bytes]) -> bytes:
    parts = [_MAGIC]
    for name in sorted(fields):
        key = name.encode("utf-8", "surrogateescape")
        parts += [struct.pack(">II", len(key), len(fields[name])), key, fields[name]]
    return b"".join(parts)


def _split(data: bytes) -> dict[str, bytes] | None:
    if not data.startswith(_MAGIC):
        return None
    fields, at = {}, len(_MAGIC)
    while at < len(data):
        if at + 8 > len(data):
            return None
        key, value = struct.unpack_from(">II", data, at)
        at += 8
        fields[data[at : at + key].decode("utf-8", "surrogateescape")] = data[at + key : at + key + value]
        at += key + value
    return fields


def _pending(cassette_id: str, change: Change) -> bytes:
    plain: dict[str, Any] = {
        "id": cassette_id,
        "until": time.time(),
        "ttl": repr(change.ttl),
        "keep": repr(change.keep),
        **{name: getattr(change, name) for name in _PLAIN},
        "metadata": dict(change.metadata),
        "episodes": [(key, place.hex()) for key, place in change.episodes],
    }
    packs = {f"{_PACKS}{name}": value for name, value in change.packs.items()}
    blobs = {f"{_BLOBS}{digest}": blob for digest, blob in change.blobs.items()}
    return _joined({"": json.dumps(plain).encode(), **packs, **blobs})


_PLAIN = ("cap", "replace", "played", "drop", "unreadable")
_PACKS, _BLOBS = "p ", "b "


def _unpending(data: bytes) -> tuple[str, Change] | None:
    fields = _split(data) or {}
    try:
        plain: dict[str, Any] = json.loads(fields[""])
        # It is as old as it is: the wait counts.
        passed = max(0.0, time.time() - plain["until"])
        return plain["id"], Change(
            ttl=max(1.0, float(plain["ttl"]) - passed),
            keep=max(1.0, float(plain["keep"]) - passed),
            cap=plain["cap"],
            replace=plain["replace"],
            metadata=plain["metadata"],
            episodes=tuple((key, bytes.fromhex(place)) for key, place in plain["episodes"]),
            packs={name.removeprefix(_PACKS): value for name, value in fields.items() if name.startswith(_PACKS)},
            blobs={name.removeprefix(_BLOBS): value for name, value in fields.items() if name.startswith(_BLOBS)},
            played=tuple(plain["played"]),
            drop=tuple(plain["drop"]),
            unreadable=tuple(plain["unreadable"]),
        )
    except (KeyError, ValueError, TypeError):
        return None
