"""Which fixtures the tests have, found once for all tests of a place that ask for the same.

pytest follows what a test asks for through every fixture's arguments, and looks for each name in every place above the test, for each test
anew: with pytest-recording's eight, that is a third of what collecting a small test costs, in every worker. For two functions of a module,
or methods of a class, that ask for the same names it comes to the same, until somebody makes another fixture.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from collections.abc import Set as AbstractSet
from types import CodeType
from typing import Any

import pytest

Closure = tuple[list[str], dict[str, Sequence[pytest.FixtureDef[Any]]]]
"""The names of all fixtures, those of the whole session first; and who makes each, the nearest one last."""


class Closures:
    """Remembers them for as long as tests are collected."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> Generator[None, object, object]:
        """Put the memory in place, and take it away."""
        with _remembered(getattr(session, "_fixturemanager", None)):
            return (yield)


@contextlib.contextmanager
def _remembered(manager: Any) -> Iterator[None]:
    """Let pytest's ``manager`` of fixtures remember, unless it is one that we do not know, or somebody has changed it."""
    if not _is_known(manager):
        yield
        return
    plain, register = manager.getfixtureclosure, manager._register_fixture
    # Of one place: what is collected next is the next test of the same place, or there is none.
    known: dict[object, Closure] = {}
    place: pytest.Collector | None = None

    def getfixtureclosure(parentnode: pytest.Item, initialnames: tuple[str, ...], ignore_args: AbstractSet[str]) -> Closure:
        nonlocal place
        if manager._arg2nodeid2fixturedefs:  # a fixture may be for this test alone
            return plain(parentnode=parentnode, initialnames=initialnames, ignore_args=ignore_args)  # type: ignore[no-any-return]
        if parentnode.parent is not place:
            known.clear()
            place = parentnode.parent
        asked = (initialnames, frozenset(ignore_args))
        found = known.get(asked)
        if found is None:
            found = known[asked] = plain(parentnode=parentnode, initialnames=initialnames, ignore_args=ignore_args)
        # Parameters change them, and each test has its own.
        return [*found[0]], {name: [*several] for name, several in found[1].items()}

    def _register_fixture(*args: Any, **kwargs: Any) -> None:
        known.clear()
        register(*args, **kwargs)

    ours = {"getfixtureclosure": getfixtureclosure, "_register_fixture": _register_fixture}
    vars(manager).update(ours)
    try:
        yield
    finally:
        for name, one in ours.items():
            if vars(manager).get(name) is one:
                delattr(manager, name)


def _is_known(manager: Any) -> bool:
    """Whether the methods are pytest's own, of a pytest that keeps its fixtures as we know it."""
    if not hasattr(manager, "_arg2nodeid2fixturedefs") or not hasattr(manager, "_arg2node2fixturedefs"):
        return False
    used = ("getfixtureclosure", "_register_fixture", "getfixturedefs")
    if any(getattr(getattr(manager, name, None), "__module__", None) != "_pytest.fixtures" for name in used):
        return False
    code: CodeType = manager.getfixtureclosure.__code__
    return code.co_varnames[: code.co_argcount] == ("self", "parentnode", "initialnames", "ignore_args")
