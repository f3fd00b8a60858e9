"""Which tests get a cassette, and under which settings of their own."""

from __future__ import annotations

import fnmatch
from typing import Any, TypeGuard

import pytest

from llm_vcr import config as table
from llm_vcr.config import Settings
from llm_vcr.errors import ConfigError
from llm_vcr.pytest_plugin.naming import marks
from llm_vcr.pytest_plugin.own_mocks import own_mock

_AUTOMATIC = pytest.StashKey[bool]()
_OFF = pytest.StashKey[str]()

_CHECKED = frozenset({"llm_vcr", "cassette_ttl"})
"""The markers whose arguments are settings."""


class Marking:
    """Marks tests so that pytest-recording gives them a cassette."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        """Mark as ``settings`` say."""
        self._root = config.rootpath
        self._settings = settings
        self.any_marked = False
        """Whether at least one test gets a cassette."""
        self.unmatched = set(settings.skip)
        """What ``llm_vcr_skip`` names and no test that was collected."""

    def mark(self, items: list[pytest.Item]) -> None:
        """Mark the collected tests.

        Raises:
            pytest.UsageError: for a marker that cannot be.
        """
        automatic = pytest.mark.vcr
        known: dict[pytest.FixtureDef[Any], str | None] = {}
        for item in items:
            if not has_fixtures(item):
                continue
            markers = {mark.name for mark in item.iter_markers()}
            off = self.arguments(item).get("off") if markers & _CHECKED else None
            if off:
                item.stash[_OFF] = str(off)
                continue
            if "vcr" not in markers:
                if "llm_vcr" not in markers:
                    if self._settings.mode != "auto" or not self._is_below_paths(item):
                        continue
                    if reason := self._skipped(item) or own_mock(item, self._root, markers, known):
                        item.stash[_OFF] = reason
                        continue
                item.stash[_AUTOMATIC] = True
                item.add_marker(automatic)
            self.any_marked = True

    def _skipped(self, item: pytest.Item) -> str | None:
        """Why the user wants a test left alone, or ``None``."""
        found = [one for one in self._settings.skip if _matches(one, item.nodeid)]
        self.unmatched.difference_update(found)
        return f"llm_vcr_skip = {found[0]}" if found else None

    def _is_below_paths(self, item: pytest.Item) -> bool:
        roots = [self._root / one for one in self._settings.paths]
        return not roots or any(item.path == root or root in item.path.parents for root in roots)

    def arguments(self, item: pytest.Item) -> dict[str, Any]:
        """The arguments of all ``llm_vcr`` markers of a test, the nearest one last; checked, so that a misspelt one is no silent one.

        Raises:
            pytest.UsageError: naming the test and what is wrong.
        """
        merged: dict[str, Any] = _lifetime(item)
        for marker in reversed(list(item.iter_markers("llm_vcr"))):
            if marker.args:
                raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.llm_vcr takes keyword arguments only, got {marker.args!r}")
            merged.update(marker.kwargs)
        own = {name: value for name, value in merged.items() if name != "off"}
        try:
            table.override(self._settings, "@pytest.mark.llm_vcr", **own)
            for name, value in own.items():
                if table.TABLE[name].whole_run:
                    raise ConfigError(f"@pytest.mark.llm_vcr({name}=…)", value, f"{name} in the ini file: it is one for the whole run")
        except ConfigError as error:
            raise pytest.UsageError(f"{item.nodeid}: {error}") from None
        return merged

    def settings(self, item: pytest.Item) -> tuple[Settings, frozenset[str]]:
        """The settings of a test, and which of them its markers set."""
        if _CHECKED.isdisjoint([mark.name for mark in marks(item)]):
            return self._settings, frozenset()
        own = {name: value for name, value in self.arguments(item).items() if name != "off"}
        return table.override(self._settings, "@pytest.mark.llm_vcr", **own), frozenset(own)


def _lifetime(item: pytest.Item) -> dict[str, Any]:
    """What LiteLLM's marker says, as a setting of ours: the nearest one counts.

    Raises:
        pytest.UsageError: naming the test and what is wrong.
    """
    marker = item.get_closest_marker("cassette_ttl")
    if marker is None:
        return {}
    try:
        (seconds,) = marker.args
        return {"ttl": table.lifetime(str(seconds))}
    except ValueError:
        expected = "one whole number of seconds; 0, less, and 'inf' never expire"
        raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.cassette_ttl takes {expected}; it has {marker.args!r}") from None


def _matches(pattern: str, nodeid: str) -> bool:
    """Whether ``pattern`` is the test, a class, module or folder it stands in, or a pattern with ``*`` over its whole id."""
    exact = pattern.rstrip("/")
    return nodeid == exact or nodeid.startswith((f"{exact}/", f"{exact}::", f"{exact}[")) or fnmatch.fnmatchcase(nodeid, pattern)


def has_fixtures(item: pytest.Item) -> TypeGuard[pytest.Function]:
    """Whether pytest gives fixtures to an item, and so pytest-recording a cassette: to functions, and to doctests."""
    return hasattr(item, "fixturenames")


def is_automatic(item: pytest.Item) -> bool:
    """Whether the test is marked by us, and not by its author."""
    return item.stash.get(_AUTOMATIC, False)


def why_off(item: pytest.Item) -> str | None:
    """Why a test was left without a cassette on purpose, or ``None``."""
    return item.stash.get(_OFF, None)
