"""Which fixtures the tests have, found once for all tests of a place that ask for the same.

pytest follows what a test asks for through every fixture's arguments, and looks for each name in every place above the test, for each test
anew; then it asks for each name whether a marker above the test gives it parameters. With pytest-recording's eight, that is 40 % of what
collecting a small test costs, in every worker. For two functions of a module, or methods of a class, that ask for the same names it comes
to the same, until somebody makes another fixture.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from collections.abc import Set as AbstractSet
from types import CodeType
from typing import Any, NamedTuple

import pytest

Makers = dict[str, Sequence[pytest.FixtureDef[Any]]]
"""Who makes the fixture of a name, the nearest one last."""


class _Closure(NamedTuple):
    names: list[str]
    """Of all fixtures, those of the whole session first."""
    makers: Makers
    has_params: bool
    """One of them has parameters of its own."""


class Closures:
    """Remembers them for as long as tests are collected."""

    def __init__(self) -> None:
        """Know none."""
        self._manager: Any = None
        self._place: pytest.Collector | None = None
        """What is collected next is the next test of the same place, or there is none."""
        self._known: dict[object, _Closure] = {}
        """Those of the place, by what is asked for."""
        self._is_quiet = False
        """Nobody but pytest gives parameters to the tests of the place, and no marker of the place does."""
        self._plain: pytest.Item | None = None
        """The last one asked about, if it can have no parameters."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> Generator[None, object, object]:
        """Put the memory in place, and take it away."""
        with self._in_place(getattr(session, "_fixturemanager", None)):
            return (yield)

    @contextlib.contextmanager
    def _in_place(self, manager: Any) -> Iterator[None]:
        """Let pytest's ``manager`` of fixtures remember, unless it is one that we do not know, or somebody has changed it."""
        if not _is_known(manager):
            yield
            return
        self._manager, self._find, self._register = manager, manager.getfixtureclosure, manager._register_fixture
        ours = {"getfixtureclosure": self._closure, "_register_fixture": self._registered}
        vars(manager).update(ours)
        try:
            yield
        finally:
            for name, one in ours.items():
                if vars(manager).get(name) is one:
                    delattr(manager, name)
            self._manager = None
            self._move(None)

    def _move(self, place: pytest.Collector | None) -> None:
        self._place, self._plain = place, None
        self._known.clear()
        if place is not None:
            finders = place.ihook.pytest_generate_tests.get_hookimpls()
            self._is_quiet = all(one.plugin is self or one.function.__module__.startswith("_pytest.") for one in finders)
            self._is_quiet = self._is_quiet and not _gives_parameters(place.iter_markers())

    def _closure(self, parentnode: pytest.Item, initialnames: tuple[str, ...], ignore_args: AbstractSet[str]) -> tuple[list[str], Makers]:
        """What pytest's own finds, in a list and a dict of the test's own: parameters change them."""
        self._plain = None
        # Somebody who has kept ours asks for more than was collected; a fixture may be for this test alone.
        if self._manager is None or self._manager._arg2nodeid2fixturedefs:
            found: tuple[list[str], Makers] = self._find(parentnode=parentnode, initialnames=initialnames, ignore_args=ignore_args)
            return found
        if parentnode.parent is not self._place:
            self._move(parentnode.parent)
        asked = (initialnames, frozenset(ignore_args))
        if (known := self._known.get(asked)) is None:
            names, makers = self._find(parentnode=parentnode, initialnames=initialnames, ignore_args=ignore_args)
            has_params = any(one.params is not None for several in makers.values() for one in several)
            known = self._known[asked] = _Closure(names, makers, has_params)
        if self._is_quiet and not known.has_params and not _gives_parameters(parentnode.own_markers):
            self._plain = parentnode
        return [*known.names], known.makers.copy()

    def _registered(self, *args: Any, **kwargs: Any) -> None:
        self._known.clear()
        self._register(*args, **kwargs)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> Generator[None, object, object]:
        """Let pytest look for parameters of no fixture, where there are none for certain."""
        theirs = (metafunc.module, metafunc.cls)
        if metafunc.definition is not self._plain or any(hasattr(one, "pytest_generate_tests") for one in theirs):
            return (yield)
        names, metafunc.fixturenames = metafunc.fixturenames, []
        try:
            return (yield)
        finally:
            metafunc.fixturenames = names


def _gives_parameters(markers: Iterator[pytest.Mark] | list[pytest.Mark]) -> bool:
    return any(mark.name == "parametrize" for mark in markers)


def _is_known(manager: Any) -> bool:
    """Whether the methods are pytest's own, of a pytest that keeps its fixtures as we know it."""
    if not hasattr(manager, "_arg2nodeid2fixturedefs") or not hasattr(manager, "_arg2node2fixturedefs"):
        return False
    used = ("getfixtureclosure", "_register_fixture", "getfixturedefs")
    if any(getattr(getattr(manager, name, None), "__module__", None) != "_pytest.fixtures" for name in used):
        return False
    code: CodeType = manager.getfixtureclosure.__code__
    return code.co_varnames[: code.co_argcount] == ("self", "parentnode", "initialnames", "ignore_args")
