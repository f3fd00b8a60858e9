"""The name of the cassette of a test, and of a fixture that several tests share."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import vcr as vcrpy

_SUFFIX = ".yaml"
"""Of a cassette's file, as pytest-recording counts it."""

_OLD = pytest.StashKey[bool]()
"""Set for a test under whose name of pytest-recording's a recording stood when the run began."""


def note_old_recordings(items: Sequence[pytest.Item]) -> None:
    """Note which recordings `cassette_name` is to keep in use, before any test runs.

    Later, a test of another worker, whose own name it is, may have recorded under it a moment ago.
    """
    for item in items:
        theirs, *own = names(item)
        if own and _is_there(folder_beside(item.path), theirs):
            item.stash[_OLD] = True


def cassette_name(item: pytest.Item, vcr: vcrpy.VCR, *, in_files: bool) -> str | None:
    """A name no other test has, where pytest-recording's own would be shared, or ``None`` where its own will do.

    pytest-recording writes ``[a/b]`` and ``[a:b]`` both as ``[a-b]``, and of classes inside of others only the innermost. A recording that
    was there under the old name before the run is still used, where cassettes are ``in_files``.
    """
    theirs, *own = names(item)
    if not own:
        return None
    if not in_files:
        return own[0]
    folder, name = Path(vcr.cassette_library_dir or "."), own[-1]
    # A folder that a fixture names is not known before the test runs.
    is_old = _OLD in item.stash if folder == folder_beside(item.path) else _is_there(folder, theirs)
    return name if _is_there(folder, name) or not is_old else None


def marks(item: pytest.Item) -> list[pytest.Mark]:
    """What `pytest.Item.iter_markers` gives, the nearest one first: that asks each mark of a generator in a generator."""
    found: list[pytest.Mark] = []
    node: pytest.Item | pytest.Collector | None = item
    while node is not None:
        found += node.own_markers
        node = node.parent
    return found


def names(item: pytest.Item) -> tuple[str, ...]:
    """The names that a test's cassette may have: pytest-recording's, and where other tests could have the same one, a name of its own.

    Behind that, the same as it is in files, where it is too long for them.
    """
    cls = None
    node: Any = item
    while node is not None:
        for mark in node.own_markers:
            if mark.name == "default_cassette":
                return (_cut(str(mark.args[0]) if mark.args else ""),)
        if cls is None and pytest.Class in type(node).__mro__:  # pytest's classes of nodes have an `isinstance` in Python
            cls = node.obj
        node = node.parent
    plain = f"{cls.__name__}.{item.name}" if cls else item.name
    is_inner = cls is not None and "." in cls.__qualname__
    if not is_inner and _unchanged().fullmatch(plain):
        return (_cut(plain),)
    from pytest_recording.plugin import get_default_cassette_name

    safe: str = get_default_cassette_name(cls, item.name)
    if safe == plain and not is_inner:
        return (_cut(safe),)
    digits = hashlib.sha256(_bytes(item.nodeid)).hexdigest()[:8]
    own = f"{safe}-{digits}"
    room = _file_name_limit() - len(_SUFFIX)
    short = f"{_first(safe, room - len(digits) - 1)}-{digits}"
    return (_cut(safe), own) if short == own else (_cut(safe), own, short)


def _cut(name: str) -> str:
    """The name as pytest-recording cuts it before it opens a cassette."""
    room = _file_name_limit() - len(_SUFFIX)
    if len(name) <= room:
        return name
    digits = hashlib.md5(_bytes(name), usedforsecurity=False).hexdigest()
    return f"{name[: room - len(digits) - 3]}...{digits}"


def _first(text: str, size: int) -> str:
    """So many bytes of a text, or the few less that are whole characters."""
    encoded = _bytes(text)
    return text if len(encoded) <= size else encoded[:size].decode("utf-8", "ignore")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@functools.cache
def _file_name_limit() -> int:
    """How long a file's name may be, as pytest-recording asks for it."""
    try:
        return os.pathconf(".", "PC_NAME_MAX")
    except (AttributeError, ValueError, OSError):
        return 255


@functools.cache
def _unchanged() -> re.Pattern[str]:
    """What names are made of that pytest-recording takes as they are: nearly all. It looks for each of the other characters in turn."""
    from pytest_recording.plugin import get_default_cassette_name

    every = [chr(number) for number in range(ord(" "), 127)]
    kept = [one for one in every if get_default_cassette_name(None, f"a{one}a") == f"a{one}a"]
    return re.compile(f"[{re.escape(''.join(kept))}]+")


@dataclass(frozen=True)
class SharedFixture:
    """A fixture that several tests share, with its parameter."""

    nodeid: str
    """Where it is defined, its name and parameter, and its scope: what people are told."""
    folder: Path
    """Of its cassettes: where those of the tests of its module are, or beside its ``conftest.py``."""
    name: str
    """Of its cassettes, without a suffix."""
    plain: str
    """What the name begins with, whatever the parameter."""
    scope: str


_OF_OTHERS = ("_pytest.", "pytest_recording.", "pytest_asyncio.", "anyio.", "xdist.")
"""Fixtures of the test runner itself and of what we drive: none of them calls a provider."""

_XUNIT = {
    "_xunit_setup_module_fixture_": "setup_module",
    "_xunit_setup_class_fixture_": "setup_class",
    "_unittest_setUpClass_fixture_": "setUpClass",
}
"""Fixtures that pytest makes of a user's own functions (and of their counterparts for the end): how they begin, what people call them."""

_LONGEST = 200
"""Bytes of a file name: file systems take 255 with suffixes and temporary names."""


def shared_fixture(fixturedef: pytest.FixtureDef[Any], root: Path, param: Sequence[Any], index: int) -> SharedFixture | None:
    """The fixture with its parameter (none, or one), number ``index`` of those it has; ``None`` for one that each test has by itself."""
    if fixturedef.scope == "function":
        return None
    name = fixturedef.argname
    if f"{getattr(fixturedef.func, '__module__', '')}.".startswith(_OF_OTHERS):
        theirs = next((plain for begin, plain in _XUNIT.items() if name.startswith(begin)), None)
        if theirs is None:
            return None
        name = theirs
    place, _, cls = fixturedef.baseid.partition("::")
    where = Path(place) if place.endswith(".py") else Path(place) / "conftest.py"
    plain = ".".join(filter(None, (*cls.split("::"), f"fixture-{name}")))
    ident = "".join(f"[{_param_id(fixturedef, one, index)}]" for one in param)
    defined = "::".join(filter(None, (where.as_posix(), cls, name)))
    return SharedFixture(
        f"{defined}{ident} ({fixturedef.scope} fixture)",
        folder_beside(root / where),
        _safe(f"{plain}{ident}"),
        _safe(plain),
        fixturedef.scope,
    )


def _param_id(fixturedef: pytest.FixtureDef[Any], param: Any, index: int) -> str:
    """The id of a parameter as it stands in the tests' ids, unless another one of the fixture has the same."""
    everyone = list(fixturedef.params or ())
    if index >= len(everyone):
        # It is the test's (``indirect=True``), and other tests may count theirs in another way.
        return _own_id(fixturedef, param, 0, index)
    ids = [_own_id(fixturedef, one, number, number) for number, one in enumerate(everyone)]
    return ids[index] if ids.count(ids[index]) == 1 else f"{ids[index]}{index}"


def _own_id(fixturedef: pytest.FixtureDef[Any], param: Any, number: int, index: int) -> str:
    ids = fixturedef.ids
    own = ids(param) if callable(ids) else ids[number] if ids and number < len(ids) else None
    if own is not None:
        return str(own)
    if param is None or isinstance(param, str | int | float | bool | complex):
        return str(param)
    named = getattr(param, "__name__", None)
    return named if isinstance(named, str) else f"{fixturedef.argname}{index}"


def _safe(name: str) -> str:
    """A file name, the same on every system: one that had to be changed, or cut, ends in digits that no other has."""
    from pytest_recording.plugin import get_default_cassette_name

    safe: str = get_default_cassette_name(None, name)
    safe = "".join(one if one.isprintable() else "-" for one in safe)
    short = _first(safe, _LONGEST)
    if short == name:
        return name
    return f"{short}-{hashlib.sha256(_bytes(name)).hexdigest()[:8]}"


def folder_beside(file: Path) -> Path:
    """Of the cassettes of a module, as pytest-recording has it unless a fixture says otherwise."""
    return file.parent / "cassettes" / file.stem


def _is_there(folder: Path, name: str) -> bool:
    return any((folder / f"{name}{suffix}").exists() for suffix in (".yaml", ".json"))
