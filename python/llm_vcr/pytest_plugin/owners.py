"""Which test owns which cassette, and whether a run has seen all tests, without which nobody can tell what is an orphan."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llm_vcr.pytest_plugin.marking import has_fixtures
from llm_vcr.pytest_plugin.naming import folder_beside, names, shared_fixture


@dataclass(frozen=True)
class Owner:
    """A test, and the cassettes that are its own."""

    nodeid: str
    cassettes: tuple[str, ...]
    """Ids without suffix; only the last component where ``anywhere``."""
    anywhere: bool
    """The folder is made by a fixture of the user's, so only the name is known."""
    shared: tuple[str, ...] = ()
    """What the ids of the cassettes of fixtures begin with that it shares with other tests: parameters and phases stand behind."""

    def owns(self, cassette_id: str) -> bool:
        """Whether a cassette is this test's."""
        stem = without_suffix(cassette_id)
        own = any(stem == one or (self.anywhere and stem.rpartition("/")[2] == one) for one in self.cassettes)
        return own or any(_is_of(stem, one) for one in self.shared)


def owner(item: pytest.Function, known: dict[pytest.FixtureDef[Any], str | None] | None = None) -> Owner:
    """A collected test as the owner of its cassettes. What is ``known`` of fixtures need not be found again for each test."""
    extra = [str(one) for mark in item.iter_markers("vcr") for one in mark.args]
    own = [_without_known_suffix(name) for name in (*names(item), *extra) if name]
    shared = _shared(item.config.rootpath, item._fixtureinfo.name2fixturedefs, {} if known is None else known)
    definitions = item.session._fixturemanager.getfixturedefs("vcr_cassette_dir", item) or ()
    if bool(definitions) and not definitions[-1].func.__module__.startswith("pytest_recording"):
        return Owner(item.nodeid, (*(name.rpartition("/")[2] for name in own), *_fixtures(item)), anywhere=True, shared=shared)
    folder = _folder(str(item.path), str(item.config.rootpath))
    return Owner(item.nodeid, (*(f"{folder}/{name}" for name in own), *_fixtures(item)), anywhere=False, shared=shared)


def is_own(item: pytest.Item, cassette_id: str) -> bool:
    """Whether a cassette has the name that a test alone gives to its own: no marker and no fixture of the user's names it."""
    if item.get_closest_marker("default_cassette") is not None:
        return False
    folder = _folder(str(item.path), str(item.config.rootpath))
    return without_suffix(cassette_id) in {f"{folder}/{name}" for name in names(item) if name}


def _is_of(stem: str, shared: str) -> bool:
    return stem == shared or stem.startswith((f"{shared}[", f"{shared}.", f"{shared}-"))


def _shared(
    root: Path, definitions: Mapping[str, Sequence[pytest.FixtureDef[Any]]], known: dict[pytest.FixtureDef[Any], str | None]
) -> tuple[str, ...]:
    every = [one for several in definitions.values() for one in several]
    for one in every:
        if one not in known:
            found = shared_fixture(one, root, (), 0)
            known[one] = None if found is None else f"{Path(os.path.relpath(found.folder, root)).as_posix()}/{found.plain}"
    return tuple(place for one in every if (place := known[one]) is not None)


def _fixtures(item: pytest.Function) -> list[str]:
    """The files that llm-mock's marker names, without their suffix."""
    if item.get_closest_marker("llm_replay") is None:
        return []
    from llm_vcr.compat.llm_mock import arguments

    try:
        told = arguments(item) or {}
    except pytest.UsageError:  # which its test was told
        return []
    fixture = Path(told["fixture"]).absolute()
    return [_without_known_suffix(Path(os.path.relpath(fixture, item.config.rootpath)).as_posix())]


@functools.lru_cache(maxsize=256)
def _folder(module: str, root: str) -> str:
    return Path(os.path.relpath(folder_beside(Path(module)), root)).as_posix()


def without_suffix(cassette_id: str) -> str:
    """The id without the suffix of its file."""
    return cassette_id.rpartition(".")[0]


def _without_known_suffix(name: str) -> str:
    return name.removesuffix(".yaml").removesuffix(".yml").removesuffix(".json")


class Collected:
    """What a run has collected, and whether that is everything there is."""

    def __init__(self, config: pytest.Config) -> None:
        """Nothing is left out so far, unless the command line says so."""
        source, where = config.args_source, pytest_config_args(config)
        named = source is where.ARGS or (source is where.INVOCATION_DIR and config.invocation_params.dir != config.rootpath)
        self.is_asked_for = not named
        """The run was asked for all tests."""
        self._left_out = named or any(config.getoption(option, None) for option in ("ignore", "ignore_glob", "lf", "collectonly"))
        self._items: Sequence[pytest.Item] = ()
        self._count = 0

    def begin(self, items: Sequence[pytest.Item]) -> None:
        """Note what was found, before anybody takes something out of it."""
        self._items, self._count = items, len(items)

    def leave_out(self) -> None:
        """Something was left out: deselected, or not collected for an error."""
        self._left_out = True

    @property
    def complete(self) -> bool:
        """Whether this is everything."""
        return not self._left_out and len(self._items) == self._count

    def owned(self) -> dict[str, list[str]]:
        """The ids, without suffix, that belong to the tests; and where only the ``names`` of cassettes are known, those."""
        known: dict[pytest.FixtureDef[Any], str | None] = {}
        everyone = [owner(item, known) for item in self._items if has_fixtures(item)]
        return {
            "ids": sorted({one for each in everyone if not each.anywhere for one in each.cassettes}),
            "names": sorted({one for each in everyone if each.anywhere for one in each.cassettes}),
            "shared": sorted({one for each in everyone for one in each.shared}),
        }


def pytest_config_args(config: pytest.Config) -> Any:
    """Pytest's names for where its arguments came from."""
    return type(config).ArgsSource


def orphans(root: Path, owned: dict[str, list[str]], opened: Collection[str]) -> list[str]:
    """The cassette files below ``root`` that no test has: neither ``owned`` by name, nor ``opened`` in this run.

    Looked for where the tests have their cassettes: a folder ``cassettes`` beside them, and the folders of those that were opened.
    """
    from llm_vcr.stores.file import FileStore

    ids, known_names = set(owned["ids"]), set(owned["names"])
    folders = {one.rpartition("/cassettes/")[0] + "/cassettes" if "/cassettes/" in one else "cassettes" for one in ids}
    folders |= {one.rpartition("/")[0] for one in opened if not os.path.isabs(one)}
    found = set()
    for folder in _topmost(folders):
        if (root / folder).is_dir():
            found |= {f"{folder}/{one}" for one in FileStore(root / folder).scan()}
    return sorted(
        one
        for one in found - set(opened)
        if (stem := without_suffix(one)) not in ids
        and stem.rpartition("/")[2] not in known_names
        and not any(_is_of(stem, shared) for shared in owned["shared"])
    )


def _topmost(folders: Iterable[str]) -> list[str]:
    """Those that lie in none of the others."""
    chosen: list[str] = []
    for folder in sorted(folders):
        if not any(folder == one or folder.startswith(f"{one}/") for one in chosen):
            chosen.append(folder)
    return chosen
