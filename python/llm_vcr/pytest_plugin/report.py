"""The report folder: everything about every test, as JSON. One file a process, merged by the controller, cleared at the start of a run."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_vcr.pytest_plugin.verdict import Verdict

SUMMARY = "summary.json"


class Report:
    """The folder of a run. Nothing that goes wrong with it may fail a test: the summary on the screen says what is missing."""

    def __init__(self, folder: Path, process: str) -> None:
        """Write into ``folder``, as the process called ``process`` (a worker's name, or ``main``)."""
        self.folder = folder
        self._process = process

    def clear(self) -> None:
        """Remove what an earlier run wrote, and nothing else."""
        with contextlib.suppress(OSError):
            for old in [*self.folder.glob("process-*.jsonl"), self.folder / SUMMARY]:
                old.unlink(missing_ok=True)

    def add(self, nodeid: str, verdict: Verdict) -> None:
        """Append a test's verdict, with all its misses and calls, to this process's file."""
        with contextlib.suppress(OSError):
            self._make()
            with open(self.folder / f"process-{self._process}.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps({"test": nodeid, **vars(verdict)}) + "\n")

    def merge(self, summary: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Write the summary of all processes, with what is ``known`` of tests beside their verdicts, and return it.

        A test that was run again is in it as it came out last.
        """
        tests: dict[str, Any] = {}
        with contextlib.suppress(OSError):
            for file in sorted(self.folder.glob("process-*.jsonl")):
                for line in file.read_text("utf-8").splitlines():
                    with contextlib.suppress(ValueError):  # a process that was killed while it wrote
                        told = json.loads(line)
                        nodeid = told.pop("test")
                        del told["used"]  # priced by now
                        tests[nodeid] = {**told, **known.get(nodeid, {})}
            # A process that crashed wrote nothing of the test that was running.
            tests |= {nodeid: dict(told) for nodeid, told in known.items() if nodeid not in tests and "verdict" in told}
            self._make()
            (self.folder / SUMMARY).write_text(_text(summary, tests), "utf-8")
        return {**summary, "tests": tests}

    def _make(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True)
            # As pytest's own cache does: nobody commits it by accident.
            (self.folder / ".gitignore").write_text("# Made by llm_vcr.\n*\n", "utf-8")


def _text(summary: Mapping[str, Any], tests: Mapping[str, Any]) -> str:
    """The summary as people read it, with a line for each test: `json` indents in Python, which for thousands of tests takes seconds."""
    head = json.dumps(summary, indent=2).removesuffix("\n}")
    lines = ",\n".join(f"    {json.dumps(nodeid)}: {json.dumps(told)}" for nodeid, told in tests.items())
    return f'{head},\n  "tests": {{\n{lines}\n  }}\n}}\n'
