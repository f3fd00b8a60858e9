"""Cassettes of a shared store under an older prefix or project, moved to where the settings look for them now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click

from llm_vcr import config
from llm_vcr.cli.library import Library
from llm_vcr.stores import open_store
from llm_vcr.stores.base import CassetteRecord, Store
from llm_vcr.stores.file import FileStore
from llm_vcr.stores.packed import JITTER


def older(library: Library, prefix: str | None, project: str | None) -> Store:
    """The store of the library as it was under another ``prefix`` or ``project``.

    Raises:
        click.UsageError: where there can be none, or it is the one that is in use.
    """
    settings = library.project.settings
    if isinstance(library.store, FileStore):
        raise click.UsageError("--from-prefix and --from-project are for a shared store: a file has its place and no key")
    changed = {name: value for name, value in (("prefix", prefix), ("project", project)) if value is not None}
    # Its copies on this machine are those of the new keys.
    before = replace(config.override(settings, "normalize", **changed), mirror=None, on_outage=None)
    store = open_store(settings.store, before, root=library.project.root)
    new = open_store(settings.store, replace(settings, mirror=None, on_outage=None), root=library.project.root)
    if store.key("x") == new.key("x"):  # type: ignore[attr-defined]  # a shared store has keys
        raise click.UsageError(f"the cassettes are under {new.key('…')} already")  # type: ignore[attr-defined]
    return store


def move(library: Library, source: Store, *, write: bool) -> Iterator[dict[str, Any]]:
    """Move each cassette that stands under an older key: it is under the new one before the old one goes.

    What is there under the new key stays, and nothing becomes fresher than it was.
    """
    for cassette_id in library.screen.progress(list(source.scan()), "moving"):
        record = source.load(cassette_id)
        if record is None:
            continue
        if write:
            library.keep_copy(cassette_id, record)
            for part in _by_freshness(record):
                left = min(one.fresh_until for one in part.episodes) - time.time()
                # The store spreads it by its jitter, upwards too.
                ttl = max(left / (1 + JITTER), 1.0)
                library.store.merge(cassette_id, part, ttl=ttl, keep=7 * ttl)
            source.delete(cassette_id)
        yield {"cassette": cassette_id, "repairs": {"older key": 1}, "bytes": library.size(cassette_id, record), "bytes_after": None}


def _by_freshness(record: CassetteRecord) -> Iterator[CassetteRecord]:
    """The episodes in groups that go stale together: a store gives all that are written at once the same time."""
    group: list[Any] = []
    for one in record.episodes:
        if group and abs(group[0].fresh_until - one.fresh_until) > 1:
            yield replace(record, episodes=tuple(group), base=None)
            group = []
        group.append(one)
    if group:
        yield replace(record, episodes=tuple(group), base=None)
