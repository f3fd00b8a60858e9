"""What the commands write: a terminal's tables or, with ``--json``, one document for scripts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from rich import box, markup
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from llm_vcr.amounts import age as age
from llm_vcr.amounts import dollars as dollars
from llm_vcr.amounts import duration as duration
from llm_vcr.amounts import many as many
from llm_vcr.amounts import size as size
from llm_vcr.errors import CassetteFileError

# What is written into a file or a pipe is for grep: a line is a line, however long.
_UNBROKEN = 2**16

_PATIENCE = 0.5
"""Seconds after which a terminal is shown how far the work is."""

_GAP = 3
"""Columns between two columns of a table."""


class Screen:
    """Standard output for what was asked, standard error for what went wrong on the way."""

    def __init__(self, *, as_json: bool) -> None:
        """Write tables, or JSON."""
        self.as_json = as_json
        self._out = _console(sys.stdout)
        self._err = _console(sys.stderr)
        self._watched = not as_json and _is_terminal(sys.stderr)

    def json(self, document: object) -> None:
        """Write the document of a command."""
        write_json(document)

    def line(self, text: str = "", *, style: str | None = None) -> None:
        """Write a line; ``text`` may hold rich's markup. A terminal breaks it between words."""
        self._out.print(text, style=style, soft_wrap=self._out.width == _UNBROKEN)

    def show(self, thing: object) -> None:
        """Write a table or anything else that rich can render; what is wider than the terminal is not cut."""
        self._out.print(thing, crop=False)

    def trouble(self, text: str) -> None:
        """Say what went wrong."""
        self._err.print(f"[red]{escape(text)}[/]", soft_wrap=self._err.width == _UNBROKEN)

    def note(self, text: str) -> None:
        """Say something beside the answer."""
        self._err.print(f"[dim]{escape(text)}[/]", soft_wrap=self._err.width == _UNBROKEN)

    def progress(self, items: Iterable[Any], what: str) -> Iterator[Any]:
        """The items one by one, with a bar on a terminal where that takes long."""
        listed = list(items)
        if not self._watched:
            yield from listed
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        bar = Progress(*columns, console=self._err, transient=True)
        task = bar.add_task(what, total=len(listed))
        begun = time.monotonic()
        try:
            for number, one in enumerate(listed, 1):
                yield one
                bar.update(task, completed=number)
                if not bar.live.is_started and time.monotonic() - begun > _PATIENCE:
                    bar.start()
        finally:
            bar.stop()

    @contextlib.contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Tell a terminal what it waits for, where nobody knows how long."""
        if not self._watched:
            yield
            return
        with self._err.status(escape(what)):
            yield


def plain(text: str) -> str:
    """A text with the signs that steer a terminal as their escapes: whatever a model, a server or a file's name says is only shown."""
    return _STEERING.sub(lambda found: f"\\x{ord(found[0]):02x}", text.replace("\r\n", "\n"))


_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def escape(text: str) -> str:
    """A `plain` text that rich takes for no markup."""
    return markup.escape(plain(text))


def write_json(document: object) -> None:
    """Write a document to standard output."""
    # What another encoding lacks stands as an escape.
    ascii_only = "utf" not in (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    text = json.dumps(document, ensure_ascii=ascii_only, indent=2, default=_jsonable)
    # JSON itself leaves these as they are.
    sys.stdout.write(re.sub(r"[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def _console(stream: TextIO) -> Console:
    # Names of tests and texts of models may have `:key:` in them, and mean no emoji.
    plainly: dict[str, Any] = {"stderr": stream is sys.stderr, "highlight": False, "emoji": False}
    return Console(**plainly) if _is_terminal(stream) else Console(**plainly, width=_UNBROKEN)


def _is_terminal(stream: TextIO) -> bool:
    # FORCE_COLOR asks for colours, in the logs of a CI for one; that makes no terminal of it.
    return stream.isatty()


def table(*columns: str, right: Iterable[str] = (), fold: str | None = None) -> Table:
    """An empty table with these headings; numbers to the right, the one that may need several lines folded."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for name in columns:
        if name == fold:
            made.add_column(name, overflow="fold", ratio=None)
        else:
            made.add_column(name, justify="right" if name in right else "left", no_wrap=name in right)
    return made


class Listing:
    """A table whose rows begin with a path. A path too long for the screen has a line of its own, so that it stays in one piece.

    Of the other columns, numbers to the right stand as they are, and texts are broken between words where there is no room.
    """

    def __init__(self, *columns: str, right: Iterable[str] = ()) -> None:
        """Have ``columns``, the first of which is the path."""
        self._columns = [Text(name, style="bold") for name in columns]
        self._right = [name in right for name in columns]
        self._rows: list[list[Text]] = []

    def row(self, path: str, *cells: str) -> None:
        """Add a row; path and cells may hold rich's markup."""
        self._rows.append([Text.from_markup(one, emoji=False) for one in (path, *cells)])

    def across(self, text: str) -> None:
        """Add a line that no column binds."""
        self._rows.append([Text.from_markup(text, emoji=False)])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = [row for row in (self._columns, *self._rows) if len(row) > 1]
        widths = [max(row[number].cell_len for row in whole) for number in range(len(self._columns))]
        gap = self._fit(widths, options.max_width)
        yield from self._lines(console, self._columns, widths, gap)
        yield Text("─" * min(options.max_width, sum(widths) + gap * (len(widths) - 1)))
        for row in self._rows:
            if len(row) == 1:
                yield _in_one_piece(row[0])
            else:
                yield from self._lines(console, row, widths, gap)

    def _fit(self, widths: list[int], width: int) -> int:
        """Make columns narrower until they fit, and tell how far they stand apart."""
        between = len(widths) - 1
        gap = _GAP if sum(widths) + _GAP * between <= width else _GAP - 1
        over = sum(widths) + gap * between - width
        heading = self._columns[0].cell_len
        texts = [number for number in range(1, len(widths)) if not self._right[number]]
        whole = [row for row in self._rows if len(row) > 1]
        words = {number: max(len(word) for row in whole for word in (row[number].plain or " ").split(" ")) for number in texts}
        # A path has a third of the screen before words are put below each other, and words are broken last.
        steps = [(0, width // 3), *((one, words[one]) for one in texts), (0, 0), *((one, 12) for one in texts)]
        for number, least in steps:
            least = max(least, heading if number == 0 else self._columns[number].cell_len)
            given = min(max(0, over), max(0, widths[number] - least))
            widths[number] -= given
            over -= given
        return gap

    def _lines(self, console: Console, row: list[Text], widths: list[int], gap: int) -> Iterator[Text]:
        path, *cells = row
        if path.cell_len > widths[0]:
            yield _in_one_piece(path)
            path = Text()
        broken = [[path]]
        for cell, width in zip(cells, widths[1:], strict=True):
            broken.append(list(cell.wrap(console, width)) or [Text()])
        for number in range(max(map(len, broken))):
            parts = [lines[number] if number < len(lines) else Text() for lines in broken]
            line = Text(no_wrap=True)
            for part, width, right in zip(parts, widths, self._right, strict=True):
                part.rstrip()
                space = " " * max(0, width - part.cell_len)
                line += Text.assemble(space, part) if right else Text.assemble(part, space)
                line.append(" " * gap)
            line.rstrip()
            yield line


def _in_one_piece(path: Text) -> Text:
    """A line that only the terminal itself breaks, so that what is copied from it is whole."""
    path.no_wrap, path.overflow = True, "ignore"
    return path


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
