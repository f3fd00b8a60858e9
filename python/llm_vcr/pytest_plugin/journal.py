"""What a worker of xdist has live, written down before each call: one that crashes cannot tell it any more.

A file for each worker, in the folder that the workers of a run share. It holds what the controller has not been told yet: the calls of the
test that is running, and those of no test, which are told at the end. Whoever ends as it should leaves nothing that anybody reads.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_vcr.pytest_plugin.spending import note
from llm_vcr.pytest_plugin.verdict import Verdict

_FILE = "live-"


class Journal:
    """The file of one worker. Nothing that goes wrong with it may fail a call: the worker itself will tell, unless it crashes."""

    def __init__(self, folder: Path, worker: str) -> None:
        """Write into ``folder``, as ``worker``."""
        self._file = folder / f"{_FILE}{worker}"
        self._outside: list[str] = []
        self._dirty = False

    def note(self, nodeid: str, call: Mapping[str, Any], *, around: bool) -> None:
        """A ``call`` is about to be made in the test ``nodeid`` (or outside of tests): in a cassette, or ``around`` every one."""
        line = json.dumps({"test": nodeid, "call": call, "around": around}) + "\n"
        if not nodeid:
            self._outside.append(line)
        with contextlib.suppress(OSError), open(self._file, "a", encoding="utf-8") as file:
            file.write(line)
        self._dirty = True

    def pytest_runtest_logfinish(self) -> None:
        """What the last test did has been sent to the controller."""
        if self._dirty:
            self._dirty = False
            with contextlib.suppress(OSError):
                self._file.write_text("".join(self._outside), "utf-8")


@dataclass
class Lost:
    """What a worker had live, and could not tell."""

    why: str
    """What became of the worker."""
    live: dict[str, int] = field(default_factory=dict)
    """Calls in the cassette of a test; of one, as a rule: that which was running."""
    around: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    """Calls around it."""
    outside: list[Mapping[str, Any]] = field(default_factory=list)

    def verdicts(self) -> Iterator[tuple[str, Verdict]]:
        """Those of the tests."""
        from llm_vcr.exchange.content import NO_ANSWER

        for nodeid in dict.fromkeys([*self.live, *self.around]):
            live, calls = self.live.get(nodeid, 0), tuple(self.around.get(nodeid, ()))
            yield (
                nodeid,
                Verdict(
                    "LIVE_CALL" if calls else "MISS:NOT_PERSISTED",
                    live=live,
                    leaked=len(calls),
                    reason=f"{self.why} while it ran",
                    calls=calls,
                    # Whether there was an answer, and what that used, nobody knows.
                    used=(note(NO_ANSWER, live=live, replayed=0),) if live else (),
                ),
            )


def unread(folder: Path | None, told: Collection[str]) -> list[str]:
    """The workers with a journal that are not among those that ``told`` all themselves: the controller did not wait for them."""
    if folder is None:
        return []
    return sorted(one.name.removeprefix(_FILE) for one in folder.glob(f"{_FILE}*") if one.name.removeprefix(_FILE) not in told)


def read(folder: Path | None, worker: str, what: str) -> Lost:
    """What stands in the journal of a worker that ``what`` has become of (such as ``crashed``)."""
    lost = Lost(f"worker {worker} {what}")
    if folder is None:
        return lost
    with contextlib.suppress(OSError):
        for line in (folder / f"{_FILE}{worker}").read_text("utf-8").splitlines():
            with contextlib.suppress(ValueError):  # it crashed while it wrote
                told = json.loads(line)
                nodeid, call = told["test"], told["call"]
                if not nodeid:
                    lost.outside.append({**call, "when": f"before {lost.why}"})
                elif told["around"]:
                    lost.around.setdefault(nodeid, []).append(call)
                else:
                    lost.live[nodeid] = lost.live.get(nodeid, 0) + 1
    return lost
