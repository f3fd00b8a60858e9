"""The vcrpy persister over a store. What it must never do is raise while saving: vcrpy would leave HTTP patched for the rest of the run."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcr.persisters.filesystem import CassetteNotFoundError

from llm_vcr.errors import NotSavedWarning
from llm_vcr.request import read_body
from llm_vcr.stores.base import CassetteRecord, Episode, Store
from llm_vcr.stores.file import FileStore
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
        ttl: float = math.inf,
        root: str | os.PathLike[str] | None = None,
        extra_paths: Sequence[str] = (),
    ) -> None:
        """Persist in ``store`` (by default the files themselves); episodes are fresh for ``ttl`` seconds."""
        self.root = Path(root) if root is not None else Path.cwd()
        self.store: Store = store if store is not None else FileStore(self.root)
        self.ttl = ttl
        self.extra_paths = tuple(extra_paths)
        self.failures: list[str] = []
        """What could not be saved, one sentence each."""
        self._loaded: dict[str, CassetteRecord] = {}

    def __deepcopy__(self, memo: object) -> Persister:
        """Itself: pytest-recording copies a ``vcr_config`` deeply, and a store is not a value."""
        return self

    def cassette_id(self, path: str | os.PathLike[str]) -> str:
        """The id of the cassette at ``path``: relative to the root where it lies below it, with ``/`` on every system."""
        absolute = Path(os.path.abspath(self.root / Path(path)))
        with contextlib.suppress(ValueError):
            return absolute.relative_to(Path(os.path.abspath(self.root))).as_posix()
        return absolute.as_posix()

    def load_cassette(self, path: str, serializer: Serializer | None = None) -> tuple[list[Request], list[Any], dict[str, Any]]:
        """The requests and responses of the cassette at ``path``, and of the extra ones behind them.

        Raises:
            CassetteNotFoundError: where there is none (vcrpy then records).
            CassetteFileError: where there is one that cannot be read.
        """
        store = self._store(serializer)
        cassette_id = self.cassette_id(path)
        record = store.load(cassette_id)
        episodes = [(one, False) for one in record.episodes] if record is not None else []
        if record is not None:
            self._loaded[cassette_id] = record
        for extra in dict.fromkeys(self.cassette_id(one) for one in self.extra_paths):
            if extra != cassette_id and (more := store.load(extra)) is not None:
                episodes += [(one, True) for one in more.episodes]
        if record is None and not episodes:
            raise CassetteNotFoundError(f"no cassette {cassette_id}")
        requests = Loaded(_request(one, borrowed=borrowed) for one, borrowed in episodes)
        requests.record = record
        return requests, [one.response for one, _ in episodes], dict(record.metadata) if record is not None else {}

    def is_stale(self, path: str) -> bool:
        """Whether the cassette at ``path``, loaded before, is older than it may be."""
        record = self._loaded.get(self.cassette_id(path))
        return record is not None and record.is_stale()

    def save_cassette(self, path: str, cassette_dict: dict[str, Any], serializer: Serializer | None = None) -> None:
        """Store what vcrpy hands over. Whatever goes wrong is told in `failures`, in the log and as a `NotSavedWarning`."""
        try:
            self._save(path, cassette_dict, serializer)
        except Exception as error:
            sentence = f"{self.cassette_id(path)} was not saved: {type(error).__name__}: {error}"
            self.failures.append(sentence)
            log.warning(sentence, exc_info=True)
            # A run that turns warnings into errors must not get one out of here.
            with contextlib.suppress(NotSavedWarning):
                warnings.warn(sentence, NotSavedWarning, stacklevel=2)

    def _save(self, path: str, cassette_dict: dict[str, Any], serializer: Serializer | None) -> None:
        pairs = zip(cassette_dict["requests"], cassette_dict["responses"], strict=True)
        episodes = tuple(_episode(request, response) for request, response in pairs if not getattr(request, "borrowed", False))
        cassette_id = self.cassette_id(path)
        record = CassetteRecord(
            episodes,
            recorded_at=datetime.now(UTC),
            ttl=self.ttl,
            metadata=cassette_dict.get("metadata") or {},
            base=cassette_dict["base"] if "base" in cassette_dict else self._loaded.get(cassette_id),
        )
        self._store(serializer).merge(cassette_id, record, ttl=self.ttl, keep=7 * self.ttl)

    def _store(self, serializer: Serializer | None) -> Store:
        from vcr.serializers import yamlserializer

        if isinstance(self.store, FileStore) and serializer is not None and serializer is not yamlserializer:
            return self.store.with_serializer(serializer)
        return self.store


def _request(episode: Episode, *, borrowed: bool) -> Request:
    request = Request.loaded(**episode.request)
    request.borrowed = borrowed
    return request


def _episode(request: Any, response: Any) -> Episode:
    body = read_body(request.body).data if request.body is not None else None
    headers = {name: [value] for name, value in request.headers.items()}
    return Episode({"method": request.method, "uri": request.uri, "headers": headers, "body": body}, response)
