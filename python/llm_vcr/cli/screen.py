"""What the commands write: a terminal's tables or, with ``--json``, one document for scripts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape as escape
from rich.progress import Progress
from rich.table import Table

from llm_vcr.amounts import age as age
from llm_vcr.amounts import dollars as dollars
from llm_vcr.amounts import duration as duration
from llm_vcr.amounts import many as many
from llm_vcr.amounts import size as size
from llm_vcr.errors import CassetteFileError

# What is written into a file or a pipe is for grep: a line is a line, however long.
_UNBROKEN = 2**16


class Screen:
    """Standard output for what was asked, standard error for what went wrong on the way."""

    def __init__(self, *, as_json: bool) -> None:
        """Write tables, or JSON."""
        self.as_json = as_json
        self._out = Console(highlight=False, soft_wrap=False)
        if not self._out.is_terminal:
            self._out = Console(highlight=False, width=_UNBROKEN)
        self._err = Console(stderr=True, highlight=False, soft_wrap=True)

    @property
    def width(self) -> int:
        """Columns of a terminal; of a pipe, more than any line has."""
        return self._out.width

    def json(self, document: object) -> None:
        """Write the document of a command."""
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=_jsonable) + "\n")

    def line(self, text: str = "", *, style: str | None = None) -> None:
        """Write a line; ``text`` may hold rich's markup."""
        self._out.print(text, style=style, soft_wrap=True)

    def show(self, thing: object) -> None:
        """Write a table or anything else that rich can render."""
        self._out.print(thing)

    def trouble(self, text: str) -> None:
        """Say what went wrong."""
        self._err.print(f"[red]{escape(text)}[/]")

    def note(self, text: str) -> None:
        """Say something beside the answer."""
        self._err.print(f"[dim]{escape(text)}[/]")

    def progress(self, items: Iterable[Any], what: str) -> Iterator[Any]:
        """The items one by one, with a bar on a terminal where there are many."""
        listed = list(items)
        if len(listed) < 50 or not self._err.is_terminal:
            yield from listed
            return
        with Progress(console=self._err, transient=True) as bar:
            yield from bar.track(listed, description=what)


def table(*columns: str, right: Iterable[str] = (), fold: str | None = None) -> Table:
    """An empty table with these headings; numbers to the right, the one that may need several lines folded."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for name in columns:
        if name == fold:
            made.add_column(name, overflow="fold", ratio=None)
        else:
            made.add_column(name, justify="right" if name in right else "left", no_wrap=name in right)
    return made


def problem(error: CassetteFileError) -> dict[str, Any]:
    """An unreadable cassette in JSON."""
    return {"path": shown(error.path), "line": error.line, "problem": error.problem}


def shown(path: str | Path) -> str:
    """A path as the user would type it here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else Path(relative).as_posix()


def _jsonable(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Path | frozenset | set):
        return str(value) if isinstance(value, Path) else sorted(value)
    raise TypeError(f"{type(value).__qualname__} has no place in JSON")
