"""llm-mock's fixture files as a store: its JSON is read, ours is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from llm_vcr import _core, json_layout
from llm_vcr.compat.llm_mock import _HASH
from llm_vcr.errors import CassetteFileError
from llm_vcr.foreign import llm_mock
from llm_vcr.request import header
from llm_vcr.stores.base import CassetteRecord, Episode, MergeResult
from llm_vcr.stores.file import FileStore


class Fixtures(FileStore):
    """Fixtures below ``root``. One that llm-mock wrote becomes one of ours when something is recorded into it."""

    def __init__(self, root: Path, hash_of: Callable[[Mapping[str, Any]], str]) -> None:
        """Tell interactions apart by ``hash_of`` their request."""
        super().__init__(root, json_layout)
        self._hash_of = hash_of

    def load(self, cassette_id: str) -> CassetteRecord | None:
        """See `Store.load`."""
        tree = self._of_llm_mock(cassette_id)
        if tree is None:
            return super().load(cassette_id)
        episodes: dict[str, Episode] = {}
        for one, exchange in llm_mock.exchanges(tree, cassette_id):
            if isinstance(exchange, str):
                continue
            # The calls that are compared with it have been cleaned too.
            body = _core.redact(exchange.request["body"])
            hash_ = str(one.get("hash") or self._hash_of(json.loads(body)))
            headers = {**exchange.request["headers"], _HASH: [hash_]}
            # Of several under one hash, llm-mock answers with the first.
            episodes.setdefault(hash_, replace(exchange, request={**exchange.request, "headers": headers, "body": body}))
        return CassetteRecord(tuple(episodes.values()))

    def _of_llm_mock(self, cassette_id: str) -> Mapping[str, Any] | None:
        path = self.path(cassette_id)
        try:
            tree = json.loads(path.read_text("utf-8-sig"))
        except OSError:
            return None
        except ValueError as error:
            raise CassetteFileError(str(path), getattr(error, "lineno", None), f"this is no valid JSON: {error}") from error
        return tree if isinstance(tree, dict) and isinstance(tree.get("interactions"), list) and llm_mock.is_one(tree) else None

    def merge(self, cassette_id: str, record: CassetteRecord, *, ttl: float, keep: float, cap: int | None = None) -> MergeResult:
        """See `Store.merge`. What was recorded anew takes the place of what it is asked for by the same fields."""
        if record.replace and record.base is not None:
            known = len(record.base.episodes)
            old, new = record.episodes[:known], record.episodes[known:]
            fresh = {hash_ for one in new for hash_ in self._hashes(one)}
            record = replace(record, episodes=(*(one for one in old if fresh.isdisjoint(self._hashes(one))), *new))
        return super().merge(cassette_id, record, ttl=ttl, keep=keep, cap=cap)

    def _hashes(self, episode: Episode) -> set[str]:
        """What an episode is found under: the hash of its request, and the one that llm-mock gave it."""
        told = header(episode.request["headers"], _HASH)
        body = episode.request["body"] or b""
        try:
            own = self._hash_of(json.loads(body))
        except (ValueError, AttributeError):  # no JSON object: as a whole
            own = _core.sha256_hex(body)
        return {own, told} if told else {own}
