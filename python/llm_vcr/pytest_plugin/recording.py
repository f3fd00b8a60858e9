"""pytest-recording's fixtures in one, for the tests whose author has put nothing of their own in the place of any.

pytest sets up nine fixtures for each test, and makes a `request` anew for each one that asks for it: that was a third of what a small test
costs. pytest-recording's own ``vcr`` still opens the cassette; it is only handed what the others would have said, by their own functions.
A test, or a fixture, that asks for one of the others by name gets it as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from llm_vcr.pytest_plugin.rewriting import FreshConfig, FreshMarkers, without_rewrite

if TYPE_CHECKING:
    from llm_vcr.pytest_plugin.attempt import Attempt

_HANDED = ("record_mode", "disable_recording", "vcr_markers", "vcr_cassette_dir", "pytestconfig")
"""What ``vcr`` asks for by its arguments, beside `request`."""

_ASKED = ("vcr_config", "default_cassette_name")
"""What it asks `request` for."""

_NEEDLESS = frozenset({"block_network", *_HANDED})
"""What is not set up any more, unless somebody asks for it."""

_OWN = pytest.StashKey[frozenset[str]]()
"""Of what ``vcr`` asks `request` for: what the author of a test has a fixture of their own for."""


class Recording:
    """Gives tests the one fixture."""

    def __init__(self, config: pytest.Config, attempt: Callable[[], Attempt]) -> None:
        """``attempt`` gives the one that is under way."""
        self._config = config
        self._attempt = attempt
        self._stock: dict[str, Callable[..., Any]] = {}
        """pytest-recording's functions, by name."""
        self._options: dict[str, Any] = {}
        """What pytest-recording's fixtures of the whole run say."""
        self._folder: tuple[pytest.Item | pytest.Collector | None, str] = (None, "")
        """Of the cassettes of the tests of a module or class."""

    # After everybody who may still change which fixtures a test has.
    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Put the one in the place of ``vcr``, for each test that has all of pytest-recording's."""
        manager: Any = session._fixturemanager
        ours = manager.getfixturedefs("_llm_vcr_recording", session)
        stock = {name: _pytest_recordings(manager.getfixturedefs(name, session)) for name in ("vcr", "block_network", *_HANDED, *_ASKED)}
        if self._config.getoption("block_network") or not ours or None in stock.values():
            return
        if {*stock["vcr"].argnames} != {"request", *_HANDED}:  # of a pytest-recording that we do not know
            return
        self._stock = {name: one.func for name, one in stock.items()}
        # A test's parameters may have markers of their own, and it has one list of fixtures for all of them.
        tests: dict[int, list[tuple[pytest.Function, list[pytest.Mark]]]] = {}
        for item in items:
            if isinstance(item, pytest.Function):
                tests.setdefault(id(item._fixtureinfo), []).append((item, list(item.iter_markers())))
        asked_of: dict[object, Any] = {}
        for several in tests.values():
            info: Any = several[0][0]._fixtureinfo
            marks = [mark for _, its in several for mark in its]
            if any(mark.name == "block_network" for mark in marks):
                continue
            if any(_only(info.name2fixturedefs.get(name)) is not stock[name] for name in ("vcr", *_NEEDLESS)):
                continue
            info.name2fixturedefs["vcr"] = ours
            needed = {*info.argnames, *(name for mark in marks if mark.name == "usefixtures" for name in mark.args)}
            info.names_closure[:] = [name for name in info.names_closure if name not in _NEEDLESS or name in needed]
            for item, _ in several:
                if item.parent not in asked_of:  # where a test stands decides
                    asked_of[item.parent] = {name: manager.getfixturedefs(name, item) for name in _ASKED}
                found = {name: info.name2fixturedefs.get(name, asked_of[item.parent][name]) for name in _ASKED}
                item.stash[_OWN] = frozenset(name for name in _ASKED if _only(found[name]) is not stock[name])

    @pytest.fixture
    def _llm_vcr_recording(self) -> Iterator[Any]:
        """What ``vcr`` is."""
        attempt = self._attempt()
        item: Any = attempt.item
        markers = without_rewrite("vcr_markers", self._stock["vcr_markers"](item._request))
        request = _Request(item, self._stock)
        self._options = self._options or {name: self._stock[name](item._request) for name in ("record_mode", "disable_recording")}
        if markers:
            attempt.fresh_start = isinstance(markers, FreshMarkers) or isinstance(request.getfixturevalue("vcr_config"), FreshConfig)
        yield from self._stock["vcr"](
            request=request,
            vcr_markers=markers,
            vcr_cassette_dir=self._folder_of(item),
            **self._options,
            pytestconfig=self._config,
        )

    def _folder_of(self, item: pytest.Item) -> str:
        if self._folder[0] is not item.parent:
            self._folder = (item.parent, self._stock["vcr_cassette_dir"](SimpleNamespace(node=item.getparent(pytest.Module))))
        return self._folder[1]


class _Request:
    """What pytest-recording's ``vcr`` takes for `request`."""

    def __init__(self, item: Any, stock: Mapping[str, Callable[..., Any]]) -> None:
        self._item = item
        self._own = item.stash[_OWN]
        self._stock = stock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._item._request, name)

    def getfixturevalue(self, name: str) -> Any:
        """A fixture's value: what pytest-recording's own functions say needs no set-up."""
        if name not in _ASKED or name in self._own:
            return self._item._request.getfixturevalue(name)
        return self._stock[name]() if name == "vcr_config" else self._stock[name](self._item._request)


def _pytest_recordings(found: Sequence[pytest.FixtureDef[Any]] | None) -> Any:
    """pytest-recording's own fixture of a name; pytest's for ``pytestconfig``."""
    own = [one for one in found or () if str(one.func.__module__).startswith(("pytest_recording.", "_pytest."))]
    return own[0] if len(own) == 1 else None


def _only(found: Sequence[pytest.FixtureDef[Any]] | None) -> pytest.FixtureDef[Any] | None:
    """The one fixture of a name, if there is one and nobody has put another one over it."""
    return found[0] if found is not None and len(found) == 1 else None
