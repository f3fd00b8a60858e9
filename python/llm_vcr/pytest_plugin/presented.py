"""A run's end for people: the page, where one is asked for, and on GitHub annotations and the step summary."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from llm_vcr.reporting.run import Run


class Presented:
    """Shows a run from its summary. Nothing that goes wrong with it may fail a test: a line on the screen says so."""

    def __init__(self, root: Path, page: str | None) -> None:
        """Write the page to ``page`` below ``root``, or none."""
        self._root = root
        self._page = root / page if page else None
        self._annotate = os.environ.get("GITHUB_ACTIONS") == "true"
        self._step_summary = os.environ.get("GITHUB_STEP_SUMMARY", "")
        self._places: dict[str, tuple[str, int]] = {}
        self._lines: list[str] = []
        self._warnings: list[str] = []

    @property
    def wanted(self) -> bool:
        """Whether anybody looks."""
        return bool(self._page or self._annotate or self._step_summary)

    def note(self, report: pytest.TestReport) -> None:
        """Keep where a test stands, for its annotation."""
        if not self._annotate:
            return
        file, line, _ = report.location
        if line is not None:
            self._places[report.nodeid] = (file, line + 1)

    def write(self, summary: Mapping[str, Any]) -> None:
        """Write the files that are asked for."""
        from llm_vcr.reporting import github
        from llm_vcr.reporting.run import read

        run = read(summary)
        if self._page is not None and self._written(self._page, lambda page: self._write_page(page, run)):
            self._lines.append(f"report: {self._page}")
        if not (run.live or run.replayed or run.refused or run.leaked):
            return
        if self._step_summary:
            self._written(Path(self._step_summary), lambda file: _append(file, github.step_summary(run)))
        if self._annotate:
            places = {nodeid: github.Place(*place) for nodeid, place in self._places.items()}
            self._lines += github.commands(run, places, self._folder())

    def lines(self) -> Iterator[tuple[str, bool]]:
        """Where they are, and GitHub's annotations; each line, and whether it is a warning."""
        yield from ((line, False) for line in self._lines)
        yield from ((f"warning: {warning}", True) for warning in self._warnings)

    def _write_page(self, page: Path, run: Run) -> None:
        from llm_vcr.reporting.page import write

        write(page, run)

    def _written(self, file: Path, write: Callable[[Path], None]) -> bool:
        try:
            write(file)
        except OSError as error:
            self._warnings.append(f"{file} could not be written: {error.strerror or error}")
            return False
        return True

    def _folder(self) -> str:
        """The project's root as GitHub sees it, from the root of the checkout."""
        checkout = Path(os.environ.get("GITHUB_WORKSPACE") or self._root).resolve()
        root = self._root.resolve()
        return root.relative_to(checkout).as_posix().removeprefix(".") if root.is_relative_to(checkout) else ""


def _append(file: Path, text: str) -> None:
    with open(file, "a", encoding="utf-8") as summary:
        summary.write(text)
