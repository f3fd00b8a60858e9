"""The shared store: one hash a cassette in Redis (6.2 or newer, or Valkey), merged by one script.

Keys are ``<prefix>:cassette:<project>/<id>``, ``<prefix>:blob:<sha256>`` and ``<prefix>:lease:<project>/<id>``. Every command and script
touches one key, so that a cluster can come.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import re
import threading
import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, BusyLoadingError, NoScriptError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from llm_vcr import _core
from llm_vcr.errors import ConfigError, StoreUnavailableError
from llm_vcr.stores.base import MergeResult
from llm_vcr.stores.packed import ASIDE, LAYOUT, META, PACK, Change, PackedStore, Raw

PREFIX = "llm-vcr"
PROJECT = "default"

PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds before each further try where the connection was refused or dropped: a restart is ridden out."""

TIMEOUT = 5.0
"""Seconds for one answer; ``?socket_timeout=`` in the URL says otherwise."""

DOWN = 20.0
"""Seconds for which a store that could not be reached is not asked again, or each test would wait for it anew."""

SETTLED = 3600
"""Seconds after which an episode that was neither played nor recorded may make room for another one."""

_LONGER = 3600  # seconds for which a blob outlives the episode that needs it: their clocks start one after the other

_OLDEST = (6, 2)


@dataclass(frozen=True)
class Flushed:
    """What `RedisStore.flush` removed, or would have."""

    cassette_id: str
    episodes: int


class RedisStore(PackedStore):
    """Cassettes in a Redis. It connects when first used, or by `open`; each process has connections of its own."""

    def __init__(self, url: str, *, project: str = PROJECT, prefix: str = PREFIX) -> None:
        """Keep the cassettes of ``project`` at ``url``.

        Raises:
            ConfigError: for a URL that redis-py cannot read.
        """
        self.url = url
        self.project = project
        self.prefix = prefix
        self._down_until = 0.0
        self._down_because = ""
        self._played: dict[str, set[str]] = {}
        self._lock = threading.Lock()
        try:
            self._client = redis.Redis.from_url(
                url,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=3.0,
                # RESP3 would cost a HELLO, and hides NOAUTH behind what it says of that.
                protocol=2,
                # One place decides what is tried again (`_run`), and knows what may be.
                retry=Retry(NoBackoff(), 0),
            )
        except (ValueError, TypeError) as error:
            raise ConfigError("llm_vcr_store", _core.redact_uri(url), f"a URL that redis-py can read ({error})") from None

    def __repr__(self) -> str:
        return f"RedisStore({_core.redact_uri(self.url)!r}, project={self.project!r}, prefix={self.prefix!r})"

    def __deepcopy__(self, memo: object) -> RedisStore:
        """Itself: pytest-recording copies its configuration deeply, and connections are no values."""
        return self

    # --- the connection

    def open(self) -> None:
        """Connect now, before anything blocks sockets, and see whether this is a server we can use.

        Raises:
            StoreUnavailableError: where there is none, or not such a one.
        """
        (info,) = self._run([("INFO", "SERVER")])
        told = _info(info)
        if told.get("redis_mode") not in ("standalone", None):
            raise StoreUnavailableError(
                self._name(), f"this is a {told['redis_mode']} node, and llm_vcr speaks with single servers only for now"
            )
        version = told.get("redis_version", "0")
        if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < _OLDEST:
            raise StoreUnavailableError(self._name(), f"Redis {version} is too old: 6.2 or newer is needed")

    def close(self) -> None:
        """Note what was played, and disconnect. Nothing here is worth an error."""
        try:
            self.note_played()
        except StoreUnavailableError:
            self._played.clear()
        self._client.close()

    def _name(self) -> str:
        return _core.redact_uri(self.url)

    def _run(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """The answers to commands sent in one round trip; the first error among them is raised.

        Raises:
            StoreUnavailableError: where the store cannot be reached, or refuses.
        """
        if self._down_because and time.monotonic() < self._down_until:
            raise StoreUnavailableError(self._name(), self._down_because)
        # A store that was down a moment ago is asked once, not over and over.
        pauses = iter(()) if self._down_because else iter(PAUSES)
        while True:
            try:
                answers = self._once(commands)
            except (AuthenticationError, AuthorizationError) as error:
                raise StoreUnavailableError(self._name(), _sentence(error)) from None
            except (RedisConnectionError, RedisTimeoutError, OSError) as error:
                pause = next(pauses, None)
                # What does not answer at all is given one more chance: each costs the whole timeout.
                if isinstance(error, RedisTimeoutError):
                    pauses = iter(())
                if pause is None:
                    self._down_because = _sentence(error)
                    self._down_until = time.monotonic() + DOWN
                    raise StoreUnavailableError(self._name(), self._down_because) from None
                time.sleep(pause)
                continue
            self._down_because = ""
            failed = next((one for one in answers if isinstance(one, Exception)), None)
            if failed is None:
                return answers
            pause = next(pauses, None) if str(failed).startswith(("BUSY ", "TRYAGAIN")) else None
            if pause is None:
                raise StoreUnavailableError(self._name(), _sentence(failed))
            time.sleep(pause)

    def _once(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        answers = self._pipeline(commands)
        if any(isinstance(one, NoScriptError) for one in answers):
            answers = self._pipeline([_in_full(command) for command in commands])
        loading = next((one for one in answers if isinstance(one, BusyLoadingError)), None)
        if loading is not None:
            raise loading
        return answers

    def _pipeline(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """The plain answers. redis-py's own pipeline takes as long around them as they take themselves, and copies what is sent."""
        pool = self._client.connection_pool
        connection: Any = pool.get_connection()
        try:
            connection.send_packed_command(_wired(commands))
            return [_answer(connection) for _ in commands]
        except BaseException:
            # Whatever is still on its way belongs to nobody any more.
            connection.disconnect()
            raise
        finally:
            pool.release(connection)

    # --- keys

    def _key(self, kind: str, cassette_id: str) -> bytes:
        # A Mac's file names come decomposed, and the same test has the same key everywhere.
        name = unicodedata.normalize("NFC", cassette_id)
        return f"{self.prefix}:{kind}:{self.project}/{name}".encode("utf-8", "surrogatepass")

    def _blob_key(self, digest: str) -> bytes:
        return f"{self.prefix}:blob:{digest}".encode("utf-8", "surrogatepass")

    def key(self, cassette_id: str) -> str:
        """The key of a cassette."""
        return self._key("cassette", cassette_id).decode("utf-8", "surrogatepass")

    # --- what `PackedStore` stands on

    def read(self, cassette_id: str) -> Raw:
        """See `PackedStore.read`: one round trip."""
        moment, flat = self._run([("TIME",), ("HGETALL", self._key("cassette", cassette_id))])
        pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
        fields = {bytes(name).decode("utf-8", "surrogateescape"): bytes(value) for name, value in pairs}
        return Raw(int(moment[0]) + int(moment[1]) / 1e6, fields)

    def read_blobs(self, digests: list[str]) -> dict[str, bytes]:
        """See `PackedStore.read_blobs`: one more round trip, for cassettes with large payloads only."""
        found = self._run([("GET", self._blob_key(one)) for one in digests])
        return {digest: bytes(blob) for digest, blob in zip(digests, found, strict=True) if blob is not None}

    def write(self, cassette_id: str, change: Change) -> MergeResult:
        """See `PackedStore.write`: one round trip. Blobs go first, so that no episode ever points to one that is still to come."""
        living = -1 if change.keep == math.inf else math.ceil(change.keep) + _LONGER
        commands: list[tuple[Any, ...]] = [
            _script("blob", [self._blob_key(digest)], [blob, living]) for digest, blob in change.blobs.items()
        ]
        commands.append(_script("merge", [self._key("cassette", cassette_id)], _arguments(change)))
        kept, from_others, dropped, refused, _ = self._run(commands)[-1]
        return MergeResult(kept=kept, from_others=from_others, dropped=dropped, refused=refused)

    def delete(self, cassette_id: str) -> bool:
        """See `Store.delete`. Blobs are left to expire: another cassette may need them."""
        (gone,) = self._run([("UNLINK", self._key("cassette", cassette_id))])
        return bool(gone)

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `Store.scan`."""
        yield from sorted(one for one in self._ids() if one.startswith(prefix))

    def _ids(self) -> set[str]:
        start = self._key("cassette", "")
        pattern = _escaped(start) + b"*"
        found: set[str] = set()
        cursor: Any = 0
        while True:
            ((cursor, keys),) = self._run([("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)])
            found.update(bytes(key)[len(start) :].decode("utf-8", "surrogatepass") for key in keys)
            if int(cursor) == 0:
                return found

    def capacity(self) -> float | None:
        """See `Store.capacity`: used memory of ``maxmemory``."""
        used, limit = self.memory()
        return used / limit if limit else None

    def memory(self) -> tuple[int, int]:
        """The bytes that the server uses, and may use (``maxmemory``; 0 for no limit)."""
        (info,) = self._run([("INFO", "MEMORY")])
        told = _info(info)
        return int(told.get("used_memory", "0")), int(told.get("maxmemory", "0"))

    def eviction_policy(self) -> str:
        """What the server forgets when it is full (``maxmemory-policy``); empty where it does not tell."""
        (info,) = self._run([("INFO", "MEMORY")])
        return _info(info).get("maxmemory_policy", "")

    # --- what else a shared store does

    def played(self, cassette_id: str, keys: Iterable[str]) -> None:
        """Remember that these episodes were played; the server is told by `note_played`, once for the whole run."""
        with self._lock:
            self._played.setdefault(cassette_id, set()).update(keys)

    def note_played(self) -> None:
        """Tell the server what was played: at the cap, what no run has played for longest is dropped first.

        Raises:
            StoreUnavailableError: where the store cannot be reached.
        """
        with self._lock:
            noted, self._played = self._played, {}
        commands = [
            _script("played", [self._key("cassette", cassette_id)], [LAYOUT, SETTLED // 2, *sorted(keys)])
            for cassette_id, keys in noted.items()
        ]
        for start in range(0, len(commands), 500):
            self._run(commands[start : start + 500])

    def flush(self, match: str = "*", *, older_than: float | None = None, overflowed: bool = False, dry_run: bool = False) -> list[Flushed]:
        """Forget the cassettes of this project whose id matches; tell which, sorted.

        ``older_than`` leaves those alone into which something was saved less than so many seconds ago; ``overflowed`` takes only those that
        had to refuse an episode. Nothing but keys under our prefix is touched.

        Raises:
            StoreUnavailableError: where the store cannot be reached.
        """
        ids = sorted(one for one in self._ids() if fnmatchcase(one, match))
        flushed = []
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            asked: list[tuple[Any, ...]] = [("TIME",)]
            for one in some:
                asked += [("HGET", self._key("cassette", one), META), ("HKEYS", self._key("cassette", one))]
            moment, *told = self._run(asked)
            chosen = []
            for one, stored, fields in zip(some, told[::2], told[1::2], strict=True):
                meta = _meta(stored)
                if older_than is not None and int(moment[0]) - meta.get("saved", 0) < older_than:
                    continue
                if overflowed and not meta.get("refused"):
                    continue
                chosen.append(Flushed(one, sum(not bytes(name).startswith(_NO_EPISODES) for name in fields)))
            if chosen and not dry_run:
                self._run([("UNLINK", self._key("cassette", one.cassette_id)) for one in chosen])
            flushed += chosen
        return flushed

    # --- leases

    def acquire(self, cassette_id: str, owner: str, seconds: float) -> bool:
        """Take the lease of a cassette, if nobody has it."""
        (taken,) = self._run([("SET", self._key("lease", cassette_id), owner, "NX", "PX", int(seconds * 1000))])
        return taken is not None and taken is not False

    def renew(self, cassette_ids: Iterable[str], owner: str, seconds: float) -> None:
        """Prolong leases that ``owner`` has."""
        self._run([_script("lease", [self._key("lease", one)], ["renew", owner, int(seconds * 1000)]) for one in cassette_ids])

    def release(self, cassette_id: str, owner: str) -> None:
        """Give a lease back."""
        self._run([_script("lease", [self._key("lease", cassette_id)], ["release", owner])])

    def is_leased(self, cassette_id: str) -> bool:
        """Whether somebody has the lease of a cassette."""
        (there,) = self._run([("EXISTS", self._key("lease", cassette_id))])
        return bool(there)


def project_of(root: str | os.PathLike[str]) -> str:
    """The project's name as ``pyproject.toml`` has it: the same in every checkout, whatever the folder is called."""
    import tomllib

    try:
        named = tomllib.loads((Path(root) / "pyproject.toml").read_text(encoding="utf-8")).get("project", {}).get("name")
    except (OSError, ValueError):
        return PROJECT
    return str(named or PROJECT)


# --- commands


@functools.cache
def _source(name: str) -> tuple[bytes, str]:
    text = Path(__file__).with_name(f"{name}.lua").read_bytes()
    return text, hashlib.sha1(text, usedforsecurity=False).hexdigest()


def _script(name: str, keys: list[bytes], arguments: list[Any]) -> tuple[Any, ...]:
    """A script by its digest: the server is sent its text only if it does not know it."""
    return ("EVALSHA", _source(name)[1], len(keys), *keys, *arguments)


_COPIED = 8192
"""Longer arguments are sent from where they are."""


def _wired(commands: list[tuple[Any, ...]]) -> list[bytes]:
    """Commands as they are sent (RESP, arrays of bulk strings)."""
    pieces, text = [], bytearray()
    for command in commands:
        text += b"*%d\r\n" % len(command)
        for argument in command:
            data = argument if isinstance(argument, bytes) else str(argument).encode()
            text += b"$%d\r\n" % len(data)
            if len(data) > _COPIED:
                pieces += [bytes(text), data]
                text = bytearray()
            else:
                text += data
            text += b"\r\n"
    return [*pieces, bytes(text)]


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return error


_NAMES = ("merge", "blob", "played", "lease")


def _in_full(command: tuple[Any, ...]) -> tuple[Any, ...]:
    if command[0] != "EVALSHA":
        return command
    name = next(one for one in _NAMES if _source(one)[1] == command[1])
    return ("EVAL", _source(name)[0], *command[2:])


_NO_EPISODES = tuple(name.encode() for name in (META, ASIDE, PACK))


def _arguments(change: Change) -> list[Any]:
    """As merge.lua takes them."""
    fixed = [
        _seconds(change.ttl),
        _seconds(change.keep),
        change.cap,
        int(change.replace),
        json.dumps(dict(change.metadata)) if change.metadata else "",
        LAYOUT,
        SETTLED,
    ]
    counts = [len(one) for one in (change.episodes, change.moved, change.packs, change.played, change.drop, change.unreadable)]
    rows = (*change.episodes, *change.moved, *change.packs.items())
    parts = [part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part for row in rows for part in row]
    names = [one.encode("utf-8", "surrogateescape") for one in (*change.played, *change.drop, *change.unreadable)]
    return [*fixed, *counts, *parts, *names]


def _seconds(span: float) -> int | str:
    return -1 if span == math.inf else repr(float(span))


def _escaped(key: bytes) -> bytes:
    """A key as a pattern that matches it alone."""
    return b"".join(b"\\" + bytes([one]) if one in b"*?[]^\\-" else bytes([one]) for one in key)


def _meta(stored: bytes | None) -> dict[str, Any]:
    try:
        return dict(json.loads(stored or b"{}"))
    except (ValueError, TypeError):
        return {}


def _info(answer: Any) -> dict[str, str]:
    if isinstance(answer, dict):
        return {str(name): str(value) for name, value in answer.items()}
    lines = bytes(answer).decode("utf-8", "replace").splitlines()
    return {name: value for name, mark, value in (line.partition(":") for line in lines) if mark}


def _sentence(error: BaseException) -> str:
    """What went wrong, in one line and without what redis-py may quote of a command."""
    text = str(error).strip().splitlines()
    kind = type(error).__name__
    first = text[0] if text else kind
    # redis-py puts the command in front: "Command # 1 (EVALSHA … ) of pipeline caused error: OOM …"
    first = re.sub(r" script: [0-9a-f]{40}, .*", "", first.rpartition("caused error: ")[2] or first)
    if "unauthenticated" in first:
        # What a server says of a long command from somebody who should have said a password first.
        return "NOAUTH: the server wants a password, and the URL has none"
    return f"{first[:300]}" if kind in first else f"{kind}: {first[:300]}"
