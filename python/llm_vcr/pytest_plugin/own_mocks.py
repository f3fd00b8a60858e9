"""Tests that stand in for the provider themselves: recording them would record their mocks.

A test is known by a marker, by a fixture, or by real use in its module's syntax tree: in the test, in a fixture that it requests, or in a
function that one of them calls. A comment, a string, or a variable that happens to be called ``responses`` is no use.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

_LIBRARIES = ("respx", "responses", "pytest_httpx", "requests_mock", "aioresponses")
_MARKERS = {"respx": "respx", "httpx_mock": "pytest-httpx"}
_FIXTURES = {"respx_mock": "respx", "httpx_mock": "pytest-httpx", "requests_mock": "requests-mock", "aioresponses": "aioresponses"}
_TRANSPORT = "MockTransport"
_CLIENTS = ("httpx", "httpx2")


def own_mock(item: pytest.Function, root: Path, markers: Collection[str], known: dict[pytest.FixtureDef[Any], str | None]) -> str | None:
    """What a test with these ``markers`` stands in for the provider with, or ``None``. Only modules below ``root`` are read.

    What is ``known`` of fixtures need not be found again for each test.
    """
    for name, library in _MARKERS.items():
        if name in markers:
            return f"uses {library}"
    for name, library in _FIXTURES.items():
        if name in item.fixturenames:
            return f"uses {library}"
    if (doctest := getattr(item, "dtest", None)) is not None:
        used = _used_by_examples("".join(one.source for one in doctest.examples))
        return f"uses {used}" if used else None
    below = str(root)  # to compare a `Path` is dear
    used = _used_by(item.function, below)
    # Of several fixtures of a name the last one is what the test gets; one that overrides another may ask for it, so all count.
    defined = item._fixtureinfo.name2fixturedefs
    for name in item.fixturenames:
        for one in defined.get(name, ()):
            if one not in known:
                known[one] = _used_by(one.func, below)
            used = used or known[one]
    return f"uses {used}" if used else None


def _used_by(function: Any, below: str) -> str | None:
    code = getattr(_plain(function), "__code__", None)
    # What is defined inside of a function is part of it.
    return None if code is None else _uses_below(below, code.co_filename).get(code.co_qualname.partition(".<locals>")[0])


def _plain(function: Any) -> Any:
    """The function as it stands in its module, below decorators such as ``respx.mock``."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return getattr(function, "__func__", function)


def _used_by_examples(source: str) -> str | None:
    """What the examples of a doctest use."""
    try:
        tree = ast.parse(source)
    except (ValueError, SyntaxError, RecursionError):
        return None
    bound = _bound(tree)
    return next(filter(None, (_mock(node, bound) for node in ast.walk(tree))), None)


@functools.lru_cache(maxsize=4096)
def _uses_below(root: str, filename: str) -> Mapping[str, str]:
    path = Path(filename)
    return _uses(path) if Path(root) in path.parents and "site-packages" not in path.parts else {}


def _uses(path: Path) -> Mapping[str, str]:
    """The functions and methods of a module that use a mock, by themselves or through others of the same module, and what they use."""
    try:
        source = path.read_text("utf-8")
        # Most modules never mention one: those need not be parsed.
        if not any(word in source for word in (*_LIBRARIES, _TRANSPORT)):
            return {}
        tree = ast.parse(source)
    except (OSError, ValueError, SyntaxError, RecursionError):
        return {}
    bound = _bound(tree)
    uses: dict[str, str] = {}
    mentions: dict[str, set[str]] = {}
    for qualified, function in _functions(tree):
        names = mentions.setdefault(qualified, set())
        for node in ast.walk(function):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
            if used := _mock(node, bound):
                uses.setdefault(qualified, used)
    for statement in tree.body:
        # A module-level client made of a mock: whoever mentions it uses it.
        if isinstance(statement, ast.Assign) and (used := next(filter(None, (_mock(node, bound) for node in ast.walk(statement))), None)):
            uses |= {target.id: used for target in statement.targets if isinstance(target, ast.Name)}
    while True:
        # Whose method is meant, nobody can tell.
        known = {name.rpartition(".")[2]: used for name, used in uses.items()}
        more = {name: known[found] for name, names in mentions.items() if name not in uses for found in sorted(names & known.keys())[:1]}
        if not more:
            return uses
        uses |= more


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """The functions of a module, and the methods of its classes, by their qualified names."""
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        within, outer = waiting.pop()
        for node in ast.iter_child_nodes(outer):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{within}{node.name}", node
            else:
                waiting.append((f"{within}{node.name}." if isinstance(node, ast.ClassDef) else within, node))


def _bound(tree: ast.Module) -> dict[str, str]:
    """Names in the module that stand for a mock library, or for the mock transport of a client, and what to call it."""
    bound = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                if (library := one.name.partition(".")[0]) in _LIBRARIES:
                    bound[one.asname or library] = library
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            library = node.module.partition(".")[0]
            for one in node.names:
                if library in _LIBRARIES:
                    bound[one.asname or one.name] = library
                elif library in _CLIENTS and one.name == _TRANSPORT:
                    bound[one.asname or one.name] = f"{library}.{_TRANSPORT}"
    return bound


def _mock(node: ast.AST, bound: Mapping[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return bound.get(node.id)
    if isinstance(node, ast.Attribute) and node.attr == _TRANSPORT and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{_TRANSPORT}"
    return None
