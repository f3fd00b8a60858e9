"""The vcrpy persister over a store. What it must never do is raise while saving: vcrpy would leave HTTP patched for the rest of the run."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vcr.persisters.filesystem import CassetteNotFoundError

from llm_vcr.codec import is_yaml
from llm_vcr.config import Settings
from llm_vcr.errors import LlmVcrWarning, NotSavedWarning, SecretWarning, StoreUnavailableError, StoreWarning
from llm_vcr.hosts import is_provider
from llm_vcr.request import header, read_body
from llm_vcr.stores.base import CassetteRecord, Episode, Store
from llm_vcr.stores.file import FileStore
from llm_vcr.stores.lease import Flight, Leases
from llm_vcr.vcr_request import Request

if TYPE_CHECKING:
    from llm_vcr.codec import Serializer

log = logging.getLogger(__name__)


class Loaded(list[Request]):
    """The requests of a cassette."""

    record: CassetteRecord | None = None
    """All there was of it. Who saves it later says so (``base``): what others have stored since must stay."""


class Persister:
    """Loads and saves vcrpy's cassettes through a `Store`.

    ``root`` is the project's root: a cassette's id is its path below it. ``extra_paths`` are cassettes that are played from and never
    written to (the arguments of pytest-recording's ``vcr`` marker).
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        ttl: float | None = None,
        root: str | os.PathLike[str] | None = None,
        extra_paths: Sequence[str] = (),
        settings: Settings | None = None,
        on_lost: Callable[[str], None] | None = None,
    ) -> None:
        """Persist in ``store`` (by default the files) under ``settings``; a ``ttl`` wins over theirs, and over the store's own.

        ``on_lost`` is told when the store is out of reach and ``llm_vcr_on_outage`` is ``fail``.
        """
        self.root = root if isinstance(root, Path) else Path.cwd() if root is None else Path(root)
        self.store: Store = store if store is not None else FileStore(self.root)
        self.settings = settings or Settings()
        if ttl is None:
            ttl = self.settings.ttl
        self.ttl: float = getattr(self.store, "default_ttl", math.inf) if ttl is None else ttl
        self.extra_paths = tuple(extra_paths)
        self.failures: list[str] = []
        """What could not be saved, one sentence each."""
        self.problems: list[str] = []
        """What could not be read, or is still to be merged, one sentence each."""
        self.overflow = False
        """Something was not stored for want of room."""
        self.lost = ""
        """Why no call may be made any more: the store is out of reach, and ``llm_vcr_on_outage`` is ``fail``."""
        self._on_lost = on_lost
        # Its requests hold a record: it is needed no longer than they are.
        self._loaded: dict[str, weakref.ref[CassetteRecord]] = {}
        self._ids: dict[str | os.PathLike[str], str] = {}
        """Each is asked for several times a test, and finding one is dear."""
        self._ids_below: Path | None = None
        self._leases = Leases.of(self.store)

    def __deepcopy__(self, memo: object) -> Persister:
        """Itself: pytest-recording copies a ``vcr_config`` deeply, and a store is not a value."""
        return self

    def cassette_id(self, path: str | os.PathLike[str]) -> str:
        """The id of the cassette at ``path``: relative to the root where it lies below it, with ``/`` on every system."""
        if self._ids_below is not self.root:
            self._ids_below, self._ids = self.root, {}
        known = self._ids.get(path)
        if known is None:
            root = os.fspath(self.root)
            known = self._id_of(path, root)
            if os.path.isabs(root):  # or else it changes with the working directory
                self._ids[path] = known
        return known

    def _id_of(self, path: str | os.PathLike[str], root: str) -> str:
        # Nearly every one lies below the root and is written so: to normalise what is normal, or to make a `Path`, is dear.
        usual = self.settings.format != "json"
        if usual and type(path) is str and path.startswith(f"{root}/") and _is_normal(path):
            return path[len(root) + 1 :]
        name, root = os.path.abspath(os.path.join(root, path)), os.path.abspath(root)
        below = root if root.endswith(os.sep) else root + os.sep
        if usual and name.startswith(below):
            return name[len(below) :].replace(os.sep, "/")
        absolute = Path(name)
        if self.settings.format == "json" and isinstance(self.store, FileStore) and absolute.suffix in (".yaml", ".yml"):
            # vcrpy and pytest-recording name cassettes by their serializer, which is YAML's.
            absolute = absolute.with_suffix(".json")
        with contextlib.suppress(ValueError):
            return absolute.relative_to(root).as_posix()
        if not isinstance(self.store, FileStore):
            # In a store that others share, the way from the root is the same in every checkout.
            with contextlib.suppress(ValueError):  # another drive
                return Path(os.path.relpath(absolute, root)).as_posix()
        return absolute.as_posix()

    def load_cassette(self, path: str, serializer: Serializer | None = None) -> tuple[list[Request], list[Any], dict[str, Any]]:
        """The requests and responses of the cassette at ``path``, and of the extra ones behind them.

        Raises:
            CassetteNotFoundError: where there is none (vcrpy then records).
            CassetteFileError: where there is one that cannot be read.
            StoreUnavailableError: where the store cannot be reached and ``llm_vcr_on_outage`` is ``fail``.
        """
        store = self._store(serializer)
        cassette_id = self.cassette_id(path)
        record = self._load(store, cassette_id)
        episodes = [(one, False) for one in record.episodes] if record is not None else []
        if record is not None:
            self._loaded[cassette_id] = weakref.ref(record)
        for extra in dict.fromkeys(map(self.cassette_id, self.extra_paths)):
            if extra != cassette_id and (more := self._load(store, extra)) is not None:
                episodes += [(one, True) for one in more.episodes]
        if record is None and not episodes:
            raise CassetteNotFoundError(f"no cassette {cassette_id}")
        stale = record is not None and record.is_stale()
        now = time.time()
        requests = Loaded(
            _request(one, borrowed=borrowed, stale=one.is_stale(now) or (stale and not borrowed)) for one, borrowed in episodes
        )
        requests.record = record
        for request in requests:
            request.record = record
        return requests, [one.response for one, _ in episodes], dict(record.metadata) if record is not None else {}

    def _load(self, store: Store, cassette_id: str) -> CassetteRecord | None:
        """What the store has, or nothing where it is out of reach and that is no reason to stop."""
        try:
            record = store.load(cassette_id)
        except StoreUnavailableError as error:
            self._lose(error)
            if self.lost:
                raise
            self._tell(f"{error}; calls go live", StoreWarning, self.problems)
            return None
        for said in getattr(store, "notes", lambda: ())():
            self._tell(said, StoreWarning, self.problems)
        for key, why in (record.unreadable if record is not None else {}).items():
            name = getattr(store, "key", str)(cassette_id)
            self._tell(f"{name}, field {key}: {why}; it is passed over, and kept aside", StoreWarning, self.problems)
        return record

    def _lose(self, error: StoreUnavailableError) -> None:
        if self.settings.outage == "fail":
            self.lost = f"{error} (llm_vcr_on_outage = fail)"
            if self._on_lost is not None:
                self._on_lost(self.lost)

    def note_played(self, path: str, keys: frozenset[str]) -> None:
        """Tell a shared store which episodes were played: at the cap, what no run plays is dropped first."""
        note = getattr(self.store, "played", None)
        if keys and note is not None:
            note(self.cassette_id(path), keys)

    def flight(self, path: str) -> Flight | None:
        """The one recording of the cassette at ``path`` among all processes; ``None`` where the store is not shared."""
        return self._leases.flight(self.cassette_id(path), self.settings.wait, self._lose) if self._leases is not None else None

    def reload(self, path: str, before: CassetteRecord | None) -> tuple[CassetteRecord | None, list[tuple[Request, Any]]]:
        """The cassette at ``path`` as it is now, and the episodes that others have stored since it was loaded as ``before``."""
        record = None
        with contextlib.suppress(StoreUnavailableError):  # then no call is made
            record = self._load(self.store, self.cassette_id(path))
        if record is None:
            return before, []
        known = {one.key: one.fresh_until for one in before.episodes} if before is not None else {}
        fresh = [one for one in record.episodes if one.key not in known or (one.fresh_until > known[one.key] + 1 and not one.is_stale())]
        return record, [(_request(one, borrowed=False, stale=one.is_stale()), one.response) for one in fresh]

    def save_cassette(self, path: str, cassette_dict: dict[str, Any], serializer: Serializer | None = None) -> None:
        """Store what vcrpy hands over. Whatever goes wrong is told in `failures`, in the log and as a `NotSavedWarning`."""
        try:
            self._save(path, cassette_dict, serializer)
        except Exception as error:
            because = str(error) if isinstance(error, StoreUnavailableError) else f"{type(error).__name__}: {error}"
            log.debug("not saved", exc_info=True)
            self._tell(f"{self.cassette_id(path)} was not saved: {because}", NotSavedWarning, self.failures)

    def _tell(self, sentence: str, kind: type[LlmVcrWarning], where: list[str]) -> None:
        if sentence in where:
            return
        where.append(sentence)
        log.warning(sentence)
        # A run that turns warnings into errors must not get one out of here.
        with contextlib.suppress(LlmVcrWarning):
            warnings.warn(sentence, kind, stacklevel=4)

    def _save(self, path: str, cassette_dict: dict[str, Any], serializer: Serializer | None) -> None:
        pairs = zip(cassette_dict["requests"], cassette_dict["responses"], strict=True)
        cassette_id = self.cassette_id(path)
        ours = [(request, response) for request, response in pairs if not getattr(request, "borrowed", False)]
        # Under these, fingerprints are what they are in any run.
        plain_rules = not (self.settings.ignore or self.settings.mask)
        episodes = tuple(
            self._safe(cassette_id, number, request, _episode(request, response, plain_rules=plain_rules))
            for number, (request, response) in enumerate(ours, 1)
        )
        base = cassette_dict["base"] if "base" in cassette_dict else self._loaded.get(cassette_id, lambda: None)()
        record = CassetteRecord(
            episodes,
            recorded_at=datetime.now(UTC),
            ttl=self.ttl,
            metadata=cassette_dict.get("metadata") or {},
            base=base,
            replace=cassette_dict.get("replace", False),
            played=cassette_dict.get("played", frozenset()),
        )
        cap = self.settings.max_episodes
        result = self._store(serializer).merge(cassette_id, record, ttl=self.ttl, keep=7 * self.ttl, cap=cap)
        if result.pending:
            self._tell(f"{result.pending}; {cassette_id} waits in the mirror to be merged", StoreWarning, self.problems)
        if result.refused:
            told = (
                f"OVERFLOW: {cassette_id} has {result.kept} episodes and may have {cap} (llm_vcr_max_episodes): {result.refused} not stored"
            )
            self.overflow = True
            self._tell(told, NotSavedWarning, self.failures)

    def _safe(self, cassette_id: str, number: int, request: Any, episode: Episode) -> Episode:
        """The episode as it is stored, and a warning of each secret that the filters have not caught."""
        body = (episode.response.get("body") or {}).get("string")
        # What was stored before is not changed by the way; `llm-vcr scan` and `normalize` are for that.
        if getattr(request, "stored", False) or (isinstance(body, bytes) and getattr(request, "clean_answer", None) is body):
            return episode
        from llm_vcr import leaks

        host = urlsplit(str(request.uri)).hostname or ""
        safe, taken, left = leaks.cleaned(episode, said_by_model=is_provider(host, self.settings.provider_hosts))
        for one, done in [(one, "taken out") for one in taken] + [(one, "left, as a model may have said it") for one in left]:
            self._tell(f"{cassette_id}, episode {number}: a secret ({one.kind}) in {one.place} was {done}", SecretWarning, self.problems)
        return safe

    def _store(self, serializer: Serializer | None) -> Store:
        if is_yaml(serializer) or not isinstance(self.store, FileStore):
            return self.store
        return self.store.with_serializer(serializer)


def _is_normal(path: str) -> bool:
    """Whether `os.path.normpath` would certainly give a path back as it is."""
    return os.sep == "/" and "//" not in path and "/." not in path and not path.endswith("/")


def _request(episode: Episode, *, borrowed: bool, stale: bool) -> Request:
    request = Request.loaded(**episode.request, store=episode.header_store)
    request.borrowed = borrowed
    request.stale = stale
    request.key = episode.key
    request.episode = episode
    return request


def _episode(request: Any, response: Any, *, plain_rules: bool) -> Episode:
    """An interaction as an episode, with the fingerprint that is known of it under ``plain_rules``."""
    known = isinstance(request, Request) and request.unsupported is None
    body = request._body if known else read_body(request.body).data if request.body is not None else None
    # One look at what vcrpy's headers keep, instead of one for each name.
    store = getattr(request.headers, "_store", None)
    headers = {name: [value] for name, value in (store.values() if isinstance(store, dict) else request.headers.items())}
    prints = getattr(request, "_llm_vcr_prints", None)  # as `matchers` has them
    computed = None
    if plain_rules and prints is not None and prints[1] is body and prints[2] == header(headers, "content-type"):
        computed = prints[3].get(False)
    return Episode(
        {"method": request.method, "uri": request.uri, "headers": headers, "body": body},
        response,
        key=getattr(request, "key", None),
        body_print=computed,
    )
