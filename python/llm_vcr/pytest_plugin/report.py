"""The report folder: everything about every test, as JSON. One file a process, merged by the controller, cleared at the start of a run."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from llm_vcr.pytest_plugin.verdict import Verdict

SUMMARY = "summary.json"


class Report:
    """The folder of a run. Nothing that goes wrong with it may fail a test: the summary on the screen says what is missing."""

    def __init__(self, folder: Path, process: str) -> None:
        """Write into ``folder``, as the process called ``process`` (a worker's name, or ``main``)."""
        self.folder = folder
        # A `Path` is dear, and a line is written for each test.
        self._file = os.path.join(folder, f"process-{process}.jsonl")

    def clear(self) -> None:
        """Remove what an earlier run wrote, and nothing else."""
        with contextlib.suppress(OSError):
            for old in [*self.folder.glob("process-*.jsonl"), self.folder / SUMMARY]:
                old.unlink(missing_ok=True)

    def add(self, nodeid: str, verdict: Verdict, text: str | None = None) -> None:
        """Append a test's verdict, with all its misses and calls, to this process's file; ``text`` is its `Verdict.dump`."""
        line = f"{_TEST}{json.dumps(nodeid)}, {(text or verdict.dump())[1:]}\n".encode()
        with contextlib.suppress(OSError):
            try:
                self._append(line)
            except FileNotFoundError:
                self._make()
                self._append(line)

    def _append(self, line: bytes) -> None:
        # One write of one line: what a file object does beside that takes longer.
        file = os.open(self._file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o666)
        try:
            os.write(file, line)
        finally:
            os.close(file)

    def merge(self, summary: Mapping[str, Any], told: Mapping[str, Verdict], known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Write the summary of all processes, and return it: the verdicts as they were ``told``, and what is ``known`` of each test beside.

        Of a test that has more misses and calls than it can tell, and of one that was not heard, the files have all. A test that was run
        again is in it as it came out last.
        """
        whole = {nodeid: verdict for nodeid, verdict in told.items() if verdict.is_whole and verdict.verdict != "UNMARKED:NO_TRAFFIC"}
        tests = {nodeid: _row(verdict, known[nodeid]) for nodeid, verdict in whole.items()}
        with contextlib.suppress(OSError):
            tests |= {nodeid: _row(verdict, known.get(nodeid, {})) for nodeid, verdict in self._written(whole)}
            # A process that crashed wrote nothing of the test that was running.
            tests |= {nodeid: dict(more) for nodeid, more in known.items() if nodeid not in tests and "verdict" in more}
            self._make()
            (self.folder / SUMMARY).write_text(_text(summary, tests), "utf-8")
        return {**summary, "tests": tests}

    def _written(self, told: Iterable[str]) -> Iterator[tuple[str, Verdict]]:
        """What stands in the files of tests other than those ``told``."""
        heard = set(map(json.dumps, told))
        for file in sorted(self.folder.glob("process-*.jsonl")):
            for line in file.read_text("utf-8").splitlines():
                # To read a line takes ten times as long as to see whose it is.
                if line.removeprefix(_TEST).partition(_VERDICT)[0] not in heard:
                    with contextlib.suppress(ValueError):  # a process that was killed while it wrote
                        values = json.loads(line)
                        yield values.pop("test"), Verdict.of(values)

    def _make(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True)
            # As pytest's own cache does: nobody commits it by accident.
            (self.folder / ".gitignore").write_text("# Made by llm_vcr.\n*\n", "utf-8")


_TEST, _VERDICT = '{"test": ', ', "verdict": '
"""Between them stands a line's node id: in it, a quotation mark is escaped."""


def _row(verdict: Verdict, known: Mapping[str, Any]) -> dict[str, Any]:
    row = {**vars(verdict), **known}
    del row["used"]  # priced by now
    return row


def _text(summary: Mapping[str, Any], tests: Mapping[str, Any]) -> str:
    """The summary as people read it, with a line for each test: `json` indents in Python, which for thousands of tests takes seconds."""
    head = json.dumps(summary, indent=2).removesuffix("\n}")
    lines = ",\n".join(f"    {json.dumps(nodeid)}: {json.dumps(told)}" for nodeid, told in tests.items())
    return f'{head},\n  "tests": {{\n{lines}\n  }}\n}}\n'
