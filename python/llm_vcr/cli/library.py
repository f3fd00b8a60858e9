"""The cassettes a command works on: found by name or pattern, read one by one, and replaced whole with a copy put aside first."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import fnmatch
import functools
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from llm_vcr.cli import project as projects
from llm_vcr.cli.project import Project
from llm_vcr.cli.screen import Screen, many, problem, shown
from llm_vcr.errors import CassetteFileError, StoreUnavailableError
from llm_vcr.exchange.content import body
from llm_vcr.stores import open_store
from llm_vcr.stores.base import CassetteRecord, Episode, Store
from llm_vcr.stores.file import FileStore

if TYPE_CHECKING:
    from llm_vcr.pytest_plugin.owners import Owner

Function = TypeVar("Function", bound=Callable[..., Any])

BACKUPS = ".llm-vcr/backup"
"""Below the project's root: what was there before a command changed it."""


class Library:
    """All cassettes of a store."""

    def __init__(self, store: Store, project: Project, screen: Screen) -> None:
        """Work on ``store`` for ``project``, and tell troubles on ``screen``."""
        self.store = store
        self.project = project
        self.screen = screen
        self.unreadable: list[CassetteFileError] = []
        """What could not be read so far. A command that met one goes on, and ends with 2."""
        self._backup: Path | None = None

    # --- finding

    def tests(self) -> list[Owner]:
        """All tests of the project, with the cassettes they own.

        Raises:
            click.UsageError: where pytest cannot collect them.
        """
        from llm_vcr.cli import owners  # imports pytest, which most commands need nothing of

        with self.screen.busy("asking pytest for the tests"):
            return owners.collect(self.project.root)

    def everything(self) -> list[str]:
        """All ids.

        Raises:
            click.UsageError: where the store is a folder that is not there: nothing is found in one, no secret either.
        """
        if isinstance(self.store, FileStore) and not self.store.root.is_dir():
            raise click.UsageError(f"the store {self.project.settings.store}: there is no folder {self.store.root}")
        if not isinstance(self.store, FileStore):
            return list(self.store.scan())

        def refuse(error: OSError) -> None:
            self.refuse(CassetteFileError(str(error.filename), None, f"the folder cannot be read: {error.strerror}"))

        return list(self.store.scan(refused=refuse))

    def ids(self, pattern: str | None = None) -> list[str]:
        """The cassettes whose id matches: as a glob, or, without glob characters, as a part of the id."""
        everything = self.everything()
        if pattern is None:
            return everything
        wanted = self._relative(pattern)
        chosen = [one for one in everything if _matches(one, wanted) or _matches(one, pattern)]
        if not chosen:
            raise click.UsageError(f"no cassette matches {pattern!r}" + _near(pattern, everything))
        return chosen

    def find(self, name: str) -> str:
        """The one cassette called ``name``: its id, its file, the end of its id, or the id of its test.

        Raises:
            click.UsageError: where there is none, with the nearest names, or more than one.
        """
        everything = self.everything()
        for wanted in dict.fromkeys((name, self._relative(name), *_of_test(name))):
            if wanted in everything:
                return wanted
            ends = [one for one in everything if f"/{one}".endswith(f"/{wanted}") or f"/{_stem(one)}".endswith(f"/{wanted}")]
            if len(ends) == 1:
                return ends[0]
            if ends:
                raise click.UsageError(f"{name!r} is the end of {many(len(ends), 'cassette')}: {', '.join(ends[:5])}")
        raise click.UsageError(f"there is no cassette {name!r}" + _near(name, everything))

    def _relative(self, name: str) -> str:
        """A path as the shell completes it, as an id."""
        if not isinstance(self.store, FileStore):
            return name
        return Path(os.path.relpath(Path(name).absolute(), self.store.root.absolute())).as_posix()

    # --- reading

    def load(self, cassette_id: str) -> CassetteRecord | None:
        """The cassette, or ``None`` where it is gone or cannot be read; the latter is told at once."""
        try:
            return self.read(cassette_id)
        except CassetteFileError as error:
            self.refuse(self._with_advice(error, cassette_id))
            return None

    def _with_advice(self, error: CassetteFileError, cassette_id: str) -> CassetteFileError:
        """The error, and which command can read the file, if one can."""
        from llm_vcr import foreign

        data = self.raw(cassette_id)
        if data is None:
            return error
        try:
            tool, _ = foreign.read(data, error.path)
        except CassetteFileError:
            return error
        if tool == "vcrpy":
            return CassetteFileError(error.path, error.line, f"{error.problem}; `llm-vcr normalize` can read it, and repairs it")
        return CassetteFileError(error.path, None, f"{tool} wrote this: `llm-vcr import {shown(error.path)}` makes a cassette of it")

    def read(self, cassette_id: str) -> CassetteRecord | None:
        """The cassette, or ``None`` where it is gone. Of a shared store, single episodes that cannot be read are told at once.

        Raises:
            CassetteFileError: where it cannot be read.
        """
        try:
            record = self.store.load(cassette_id)
        except StoreUnavailableError as error:
            if "WRONGTYPE" not in error.reason:
                raise
            raise CassetteFileError(cassette_id, None, "what has its key in the store is no cassette") from error
        if record is not None and record.unreadable:
            why = ", ".join(sorted(set(record.unreadable.values())))
            self.refuse(CassetteFileError(cassette_id, None, f"{many(len(record.unreadable), 'episode')} cannot be read: {why}"))
        return record

    def refuse(self, error: CassetteFileError) -> None:
        """Tell of a cassette that cannot be read; the command goes on with the others."""
        self.unreadable.append(error)
        self.screen.trouble(f"{shown(error.path)}{f', line {error.line}' if error.line else ''}: {error.problem}")

    def must_load(self, name: str) -> tuple[str, CassetteRecord]:
        """The cassette called ``name``.

        Raises:
            click.UsageError: where there is none.
            CassetteFileError: where it cannot be read.
        """
        cassette_id = self.find(name)
        record = self.read(cassette_id)
        if record is None:
            raise click.UsageError(f"the cassette {cassette_id} is empty, or has just gone")
        return cassette_id, record

    def records(self, pattern: str | None = None, what: str = "reading") -> Iterator[tuple[str, CassetteRecord]]:
        """All readable cassettes that match."""
        for cassette_id in self.screen.progress(self.ids(pattern), what):
            record = self.load(cassette_id)
            if record is not None:
                yield cassette_id, record

    def raw(self, cassette_id: str) -> bytes | None:
        """The file of a cassette as it is, where the store is files."""
        if not isinstance(self.store, FileStore):
            return None
        try:
            return self.store.path(cassette_id).read_bytes()
        except OSError:
            return None

    def size(self, cassette_id: str, record: CassetteRecord) -> int:
        """Bytes of the file; of what is elsewhere, bytes of its bodies."""
        if isinstance(self.store, FileStore):
            with contextlib.suppress(FileNotFoundError):  # it has just gone
                return self.store.path(cassette_id).stat().st_size
        return sum(len(one.request["body"] or b"") + len(body(one.response)) for one in record.episodes)

    # --- changing

    def replace(self, cassette_id: str, old: CassetteRecord, new: CassetteRecord) -> None:
        """Put ``new`` in the place of ``old`` in one step, a copy of which lies in the backup from then on."""
        self.keep_copy(cassette_id, old)
        if not new.episodes:
            self.store.delete(cassette_id)
            return
        ttl, episodes = new.ttl, new.episodes
        if any(one.key is None for one in episodes):
            # A store that keeps episodes one by one plays them as they were written: so all are, in their order, and none becomes fresher.
            left = min(one.fresh_until for one in old.episodes) - time.time()
            ttl = min(ttl, max(left, 1.0))
            episodes = tuple(dataclasses.replace(one, key=None) for one in episodes)
        changed = dataclasses.replace(new, episodes=episodes, base=old, replace=True)
        self.store.merge(cassette_id, changed, ttl=ttl, keep=7 * ttl)

    def keep_copy(self, cassette_id: str, record: CassetteRecord | None) -> None:
        """Put a copy of a cassette aside: of a file byte for byte, of anything else as YAML."""
        if self._backup is None:
            moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
            base = self.project.root / BACKUPS
            self._backup = next(
                path for number in range(1000) if not (path := base / (f"{moment}-{number}" if number else moment)).exists()
            )
            self._backup.mkdir(parents=True)
            # Nobody wants them in a commit, and nobody should have to think of it.
            (base.parent / ".gitignore").write_text("*\n", "utf-8")
        target = self._backup / cassette_id.replace("..", "__").lstrip("/")
        data = self.raw(cassette_id)
        if data is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        elif record is not None:
            FileStore(self._backup).merge(target.relative_to(self._backup).as_posix(), record, ttl=record.ttl, keep=record.ttl)

    @property
    def backup(self) -> str | None:
        """The folder of the copies, once there is one."""
        return None if self._backup is None else shown(self._backup)

    # --- ending

    def end(self, *, found: bool = False) -> None:
        """End the command: 2 where something could not be read, else 1 where something was found."""
        if self.unreadable:
            sys.exit(2)
        if found:
            sys.exit(1)

    def problems(self) -> list[dict[str, Any]]:
        """What could not be read, for JSON."""
        return [problem(one) for one in self.unreadable]


def command(function: Function) -> Function:
    """Give a command ``--store`` and ``--json``, and hand it its `Library` first."""

    @click.option("--store", metavar="URL", help="Where the cassettes are; by default what the project's settings say.")
    @click.option("--json", "as_json", is_flag=True, help="Write one JSON document, for scripts.")
    @functools.wraps(function)
    def call(*args: Any, store: str | None, as_json: bool, **kwargs: Any) -> Any:
        return function(open_library(store, Screen(as_json=as_json)), *args, **kwargs)

    return call  # type: ignore[return-value]


def open_library(url: str | None, screen: Screen) -> Library:
    """The library at ``url``, or where the project around the working directory has it."""
    project = projects.find(Path.cwd(), store=url)
    return Library(open_store(resolved(project), project.settings, root=project.root), project, screen)


def resolved(project: Project) -> str:
    """The store's URL; a folder in the settings is one below the project's root, a folder on the command line below where the user is."""
    store = project.settings.store
    scheme, _, folder = store.partition(":")
    if scheme != "file":
        return store
    base = Path.cwd() if project.settings.sources.get("store") == "--store" else project.root
    return f"file:{base / folder.removeprefix('//')}"


def pick(record: CassetteRecord, wanted: str) -> list[int]:
    """The numbers (from 0) of the episodes that ``wanted`` names: a number from 1, or the beginning of a fingerprint.

    Raises:
        click.UsageError: where there is none, or where fingerprints of several requests begin so.
    """
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 5:
        if not 1 <= int(wanted) <= len(record.episodes):
            raise click.UsageError(f"there is no episode {wanted}: the cassette has {many(len(record.episodes), 'episode')}")
        return [int(wanted) - 1]
    prints = fingerprints(record)
    begin, colon, ordinal = wanted.lower().partition(":")
    keys = [key.partition(":") for key in record.keyed()]
    chosen = [number for number, (print_, _, place) in enumerate(keys) if print_.startswith(begin) and (not colon or place == ordinal)]
    if not chosen:
        raise click.UsageError(f"no episode has a fingerprint that begins with {wanted!r}: there are {', '.join(prints[:5])}")
    if len({keys[number][0] for number in chosen}) > 1:
        several = ", ".join(prints[number] for number in chosen[:5])
        raise click.UsageError(f"{wanted!r} is the beginning of several fingerprints: {several}. Write more of the one that is meant")
    return chosen


def fingerprints(record: CassetteRecord) -> list[str]:
    """A short fingerprint for each episode; equal requests get their ordinal behind it."""
    keys = [key.partition(":") for key in record.keyed()]
    return [f"{print_[:10]}:{ordinal}" if ordinal != "0" else print_[:10] for print_, _, ordinal in keys]


def with_episodes(record: CassetteRecord, episodes: Sequence[Episode]) -> CassetteRecord:
    """The same cassette with other episodes."""
    return dataclasses.replace(record, episodes=tuple(episodes))


def fresh_until(record: CassetteRecord) -> float:
    """Until when all of a cassette is fresh, in seconds since 1970: a file knows it of itself, a shared store of each episode."""
    of_file = record.recorded_at.timestamp() + record.ttl if record.recorded_at is not None else math.inf
    return min([of_file, *(one.fresh_until for one in record.episodes)])


def _matches(cassette_id: str, pattern: str) -> bool:
    if pattern in cassette_id:  # also `test_it[a-b]`, whose brackets are a parameter's
        return True
    globs = any(one in pattern for one in "*?[")
    return globs and (fnmatch.fnmatchcase(cassette_id, pattern) or fnmatch.fnmatchcase(cassette_id, f"*/{pattern}"))


def _stem(cassette_id: str) -> str:
    return cassette_id.rpartition(".")[0] if "." in cassette_id.rpartition("/")[2] else cassette_id


def _of_test(name: str) -> list[str]:
    """The id of the cassette of a test, without its suffix, where ``name`` is a test's node id."""
    file, found, test = name.partition("::")
    if not found:
        return []
    path = Path(file)
    return [(path.parent / "cassettes" / path.stem / test.replace("::", ".")).as_posix()]


def _near(name: str, everything: Sequence[str]) -> str:
    if not everything:
        return ": the store is empty"
    # Compared by the last component too: that is what people remember.
    last = {one.rpartition("/")[2]: one for one in everything}
    short = name.rpartition("/")[2]
    near = [last[one] for one in difflib.get_close_matches(short, last, 3, 0.6)] or difflib.get_close_matches(name, everything, 3, 0.4)
    return f". The nearest: {', '.join(near)}" if near else ""
