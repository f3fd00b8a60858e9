"""Folders that hold cassettes and nothing else: pytest would ask every plugin about every cassette, in every worker."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

_SUFFIXES = (".yaml", ".yml", ".json")


class CassetteFolders:
    """The hook for them."""

    def __init__(self, config: pytest.Config) -> None:
        """Look at folders of a run under ``config``."""
        self._config = config

    # Before pytest's own, and after everybody else's.
    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Leave a folder ``cassettes`` alone in which nobody can find a test."""
        if path.name != "cassettes" or parent.session.isinitpath(path, with_parents=True):
            return None
        return _Cassettes.from_parent(parent, path=path) if self._only_pytest_looks() and _holds_no_test(path) else None

    def _only_pytest_looks(self) -> bool:
        """Whether it is pytest's own collectors alone that say what a test is; those of Python and of text files."""
        hook = self._config.hook
        finders = [*hook.pytest_collect_file.get_hookimpls(), *hook.pytest_collect_directory.get_hookimpls()]
        theirs = [one for one in finders if one.plugin is not self and not one.function.__module__.startswith("_pytest.")]
        return not theirs and not self._config.getoption("doctestglob", None)


class _Cassettes(pytest.Directory):
    """Such a folder."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Nothing."""
        return ()


def _holds_no_test(folder: str | Path) -> bool:
    """Whether there are but cassettes, in this folder and below. What cannot be read may be anything."""
    try:
        with os.scandir(folder) as entries:
            return all(_holds_no_test(one.path) if one.is_dir(follow_symlinks=False) else _is_cassette(one) for one in entries)
    except OSError:
        return False


def _is_cassette(entry: os.DirEntry[str]) -> bool:
    # A link may lead to a folder of tests, whatever its name.
    return entry.is_file(follow_symlinks=False) and entry.name.endswith(_SUFFIXES)
