"""Which test owns which cassette: asked of pytest, by a collection in a process of its own.

As a pytest plugin (``-p llm_vcr.cli.owners``) this module writes what it saw into the file that `_TOLD` names.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llm_vcr.pytest_plugin.marking import has_fixtures
from llm_vcr.pytest_plugin.owners import Owner, owner, without_suffix

if TYPE_CHECKING:
    import pytest

_TOLD = "_LLM_VCR_OWNERS"


def collect(root: Path, arguments: Sequence[str] = ()) -> list[Owner]:
    """All tests that pytest finds below ``root``.

    Raises:
        click.UsageError: where pytest cannot collect, with what it says: without all tests, nobody can tell what is an orphan.
    """
    with tempfile.TemporaryDirectory(prefix="llm-vcr-") as folder:
        told = Path(folder) / "owners.json"
        done = subprocess.run(  # noqa: S603 - our own interpreter, and arguments that no shell sees
            [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "llm_vcr.cli.owners", "-p", "no:cacheprovider", *arguments],
            cwd=root,
            # The report of the last run stays: this is none.
            env={**os.environ, _TOLD: str(told), "LLM_VCR_REPORT": "off"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        # 5: there are no tests.
        if done.returncode not in (0, 5) or not told.exists():
            last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
            raise click.UsageError(f"pytest cannot collect the tests, so nobody can say whose the cassettes are:\n{last}")
        return [
            Owner(one["nodeid"], tuple(one["cassettes"]), one["anywhere"], tuple(one["shared"]))
            for one in json.loads(told.read_text("utf-8"))
        ]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write down the tests and their cassettes."""
    told = os.environ.get(_TOLD)
    if told is None:
        return
    items = [asdict(owner(item)) for item in session.items if has_fixtures(item)]
    Path(told).write_text(json.dumps(items), "utf-8")


def mentioned(root: Path, cassettes: Sequence[str]) -> set[str]:
    """The cassettes that Python code below ``root`` asks for by a text.

    That is their own name (``use_cassette("…")``), or the name of the fixture whose they are (``getfixturevalue("…")``).
    """
    left = {one: re.compile(rf"""["'/]{re.escape(_name(one))}(?:\.ya?ml|\.json)?["']""") for one in cassettes}
    found: set[str] = set()
    for folder, folders, files in os.walk(root):
        folders[:] = [
            one for one in folders if one[0] != "." and one != "node_modules" and not os.path.exists(Path(folder) / one / "pyvenv.cfg")
        ]
        for file in files:
            if left and file.endswith(".py"):
                source = (Path(folder) / file).read_text("utf-8", "replace")
                found |= {one for one, name in left.items() if name.search(source)}
                left = {one: name for one, name in left.items() if one not in found}
    return found


def _name(cassette_id: str) -> str:
    """By which name code would ask for it."""
    name = without_suffix(cassette_id).rpartition("/")[2]
    fixture = re.match(r"(?:.*\.)?fixture-(\w+)", name)
    return fixture[1] if fixture is not None else name


def matches(nodeid: str, pattern: str) -> bool:
    """Whether a test's id has ``pattern`` in it, or matches it as a glob. Brackets are a parameter's, not a glob's."""
    if any(one in pattern for one in "*?"):
        return fnmatch.fnmatchcase(nodeid, pattern.replace("[", "[[]"))
    return pattern in nodeid
