"""pytest-recording's fixtures in one, for the tests whose author has put nothing of their own in the place of any.

pytest sets up nine fixtures for each test, and makes a `request` anew for each one that asks for it: that was a third of what a small test
costs. pytest-recording's own ``vcr`` still opens the cassette; it is only handed what the others would have said, by their own functions.
A test, or a fixture, that asks for one of the others by name gets it as ever. Where nobody says anything of a test (no fixture, marker or
hook), its cassette is opened with what pytest-recording has made for one before it in the same folder.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from llm_vcr.pytest_plugin.naming import marks, names
from llm_vcr.pytest_plugin.rewriting import FreshConfig, FreshMarkers, without_rewrite

if TYPE_CHECKING:
    from llm_vcr.pytest_plugin.attempt import Attempt

_HANDED = ("record_mode", "disable_recording", "vcr_markers", "vcr_cassette_dir", "pytestconfig")
"""What ``vcr`` asks for by its arguments, beside `request`."""

_ASKED = ("vcr_config", "default_cassette_name")
"""What it asks `request` for."""

_NEEDLESS = frozenset({"block_network", *_HANDED})
"""What is not set up any more, unless somebody asks for it."""

_SAY_MORE = frozenset({"default_cassette", "llm_vcr", "cassette_ttl"})
"""The markers that say something of a test's cassette, beside ``vcr``."""

_LONGEST = 100
"""Names up to so many characters are certainly not too long for a file system, in whatever encoding."""

_OWN = pytest.StashKey[frozenset[str]]()
"""Of what ``vcr`` asks `request` for: what the author of a test has a fixture of their own for."""


class OpensCassettes(Protocol):
    """Whoever knows the settings of the run."""

    def running(self) -> Attempt:
        """The attempt that is under way: a fixture is set up."""

    def opened_with(self, attempt: Attempt) -> Mapping[str, Any] | None:
        """What its cassette was opened with, but for what is its own; ``None`` where none was."""

    def open_again(self, attempt: Attempt, arguments: Mapping[str, Any], name: str) -> AbstractContextManager[Any]:
        """A cassette with another one's arguments."""


class Recording:
    """Gives tests the one fixture."""

    def __init__(self, config: pytest.Config, cassettes: OpensCassettes) -> None:
        """``cassettes`` knows which attempt is under way, and what its cassette is opened with."""
        self._config = config
        self._cassettes = cassettes
        self._usual: tuple[str, Mapping[str, Any]] | None = None
        """The folder of the last test of which nobody said anything of their own, and what its cassette was opened with."""
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
                tests.setdefault(id(item._fixtureinfo), []).append((item, marks(item)))
        asked_of: dict[object, Any] = {}
        # Of thousands of tests, each set would be something more for the garbage collector to look through, all through the run.
        same: dict[frozenset[str], frozenset[str]] = {}
        for several in tests.values():
            info: Any = several[0][0]._fixtureinfo
            said = [mark for _, its in several for mark in its]
            if any(mark.name == "block_network" for mark in said):
                continue
            if any(_only(info.name2fixturedefs.get(name)) is not stock[name] for name in ("vcr", *_NEEDLESS)):
                continue
            info.name2fixturedefs["vcr"] = ours
            needed = {*info.argnames, *(name for mark in said if mark.name == "usefixtures" for name in mark.args)}
            info.names_closure[:] = [name for name in info.names_closure if name not in _NEEDLESS or name in needed]
            for item, _ in several:
                if item.parent not in asked_of:  # where a test stands decides
                    asked_of[item.parent] = {name: manager.getfixturedefs(name, item) for name in _ASKED}
                found = {name: info.name2fixturedefs.get(name, asked_of[item.parent][name]) for name in _ASKED}
                own = frozenset(name for name in _ASKED if _only(found[name]) is not stock[name])
                item.stash[_OWN] = same.setdefault(own, own)

    @pytest.fixture
    def _llm_vcr_recording(self) -> Iterator[Any]:
        """What ``vcr`` is."""
        attempt = self._cassettes.running()
        item: Any = attempt.item
        found = marks(item)
        folder = self._folder_of(item)
        name = self._usual_name(item, found)
        if name is not None and self._usual is not None and self._usual[0] == folder and _is_theirs():
            with self._cassettes.open_again(attempt, self._usual[1], name) as cassette:
                yield cassette
            return
        markers = without_rewrite("vcr_markers", [mark for mark in found if mark.name == "vcr"])
        request = _Request(item, self._stock, named=any(mark.name == "default_cassette" for mark in found))
        self._options = self._options or {name: self._stock[name](item._request) for name in ("record_mode", "disable_recording")}
        if markers:
            attempt.fresh_start = isinstance(markers, FreshMarkers) or isinstance(request.getfixturevalue("vcr_config"), FreshConfig)
        yield from self._stock["vcr"](
            request=request,
            vcr_markers=markers,
            vcr_cassette_dir=folder,
            **self._options,
            pytestconfig=self._config,
        )
        if name is not None and _is_theirs() and (arguments := self._cassettes.opened_with(attempt)) is not None:
            self._usual = (folder, arguments)

    def _usual_name(self, item: pytest.Item, found: Sequence[pytest.Mark]) -> str | None:
        """The name of the cassette of a test of which nobody says anything of their own; ``None`` of any other.

        pytest-recording makes a `vcr.VCR` with some thirty settings for each test, and puts these together with those of fixtures and
        markers. Where there are none, what comes of it is the same for all tests of a module.
        """
        asks = self._config.hook.pytest_recording_configure.get_hookimpls()
        if item.stash[_OWN] or len(asks) != 1 or self._options.get("disable_recording", True):
            return None
        theirs = [mark for mark in found if mark.name == "vcr"]
        if not theirs or any(mark.args or mark.kwargs for mark in theirs) or not _SAY_MORE.isdisjoint([mark.name for mark in found]):
            return None
        name, *own = names(item)
        return name if not own and len(name) <= _LONGEST else None

    def _folder_of(self, item: pytest.Item) -> str:
        if self._folder[0] is not item.parent:
            self._folder = (item.parent, self._stock["vcr_cassette_dir"](SimpleNamespace(node=item.getparent(pytest.Module))))
        return self._folder[1]


def _is_theirs() -> bool:
    """Whether pytest-recording makes a ``vcr.VCR`` in its own way: somebody may have put something else in the place of either."""
    module, config = sys.modules.get("pytest_recording._vcr"), sys.modules.get("vcr.config")
    if module is None or config is None or module.VCR is not config.VCR:
        return False
    code = getattr(module.use_cassette, "__code__", None)
    return code is not None and code.co_filename == module.__file__


class _Request:
    """What pytest-recording's ``vcr`` takes for `request`."""

    def __init__(self, item: Any, stock: Mapping[str, Callable[..., Any]], *, named: bool) -> None:
        """``named`` says whether the test has a marker that names its cassette."""
        self._item = item
        self._named = named
        self._own = item.stash[_OWN]
        self._stock = stock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._item._request, name)

    def getfixturevalue(self, name: str) -> Any:
        """A fixture's value: what pytest-recording's own functions say needs no set-up."""
        if name not in _ASKED or name in self._own:
            return self._item._request.getfixturevalue(name)
        if name == "vcr_config":
            return self._stock[name]()
        return self._stock[name](self._item._request) if self._named else names(self._item)[0]


def _pytest_recordings(found: Sequence[pytest.FixtureDef[Any]] | None) -> Any:
    """pytest-recording's own fixture of a name; pytest's for ``pytestconfig``."""
    own = [one for one in found or () if str(one.func.__module__).startswith(("pytest_recording.", "_pytest."))]
    return own[0] if len(own) == 1 else None


def _only(found: Sequence[pytest.FixtureDef[Any]] | None) -> pytest.FixtureDef[Any] | None:
    """The one fixture of a name, if there is one and nobody has put another one over it."""
    return found[0] if found is not None and len(found) == 1 else None
