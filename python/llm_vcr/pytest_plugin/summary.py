"""What a run came to, as plain data: the verdicts, calls, dollars and cassettes of all its tests. `overview` shows it on the screen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_vcr.pytest_plugin.kept import unused
from llm_vcr.pytest_plugin.owners import orphans
from llm_vcr.pytest_plugin.spending import Bill
from llm_vcr.pytest_plugin.verdict import Verdict

if TYPE_CHECKING:
    import pytest

_INDEX = re.compile(r"\[\d+\]")

FORMAT = 1
"""The version of what `Summary.data` gives: names are added, never changed."""


@dataclass(slots=True)
class Outcome:
    """How a test ended, over its phases; of several attempts, the last one's."""

    seconds: float = 0.0
    word: str = "passed"

    def note(self, report: pytest.TestReport) -> None:
        """Take a phase. An expected failure is what its test is for."""
        if report.when == "setup":
            self.word = "passed"
        if not hasattr(report, "context"):  # a subtest's time is its test's, too
            self.seconds += report.duration
        word = "passed" if hasattr(report, "wasxfail") and report.outcome == "skipped" else report.outcome
        if self.word == "passed" or word == "failed":
            self.word = word if word in ("failed", "skipped") else "passed"


@dataclass
class Summary:
    """The verdicts of a run, gathered where all reports come together."""

    project: str = ""
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    bills: dict[str, Bill] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    outside: list[Mapping[str, Any]] = field(default_factory=list)
    """Live calls of no test that was running, each with when it was seen."""
    exchanges: Counter[str] = field(default_factory=Counter)
    """Exchanges of credentials by host."""
    store: Mapping[str, Any] = field(default_factory=dict)
    """`health.StoreHealth.data`."""
    owned: Mapping[str, list[str]] | None = None
    """`owners.Collected.owned`, where somebody has told it."""
    complete: bool = False
    """All tests were collected, and none was left out."""
    lost: dict[str, Verdict] = field(default_factory=dict)
    """The verdicts of tests that were broken off: their process crashed, or they ended the run."""
    hints: list[str] = field(default_factory=list)
    """What the user should know of the settings."""
    _orphans: list[str] | None = None
    _told: tuple[str, Verdict] | None = None

    def add(self, nodeid: str, verdict: Verdict) -> Bill:
        """Take a test's verdict, and price its calls; a later one replaces it (a rerun), and knows what the earlier one spent."""
        self.verdicts[nodeid] = verdict
        bill = self.bills[nodeid] = Bill().add(verdict.used)
        bill.unknown_calls += verdict.leaked
        return bill

    def told(self, verdict: Verdict) -> str:
        """A verdict as text, in the process that comes to it."""
        if self._told is None or self._told[1] is not verdict:
            self._told = (verdict.dump(), verdict)
        return self._told[0]

    def read(self, text: str) -> Verdict:
        """A verdict of which that is the text. What this process told a moment ago it need not read again."""
        return self._told[1] if self._told is not None and text is self._told[0] else Verdict.parse(text)

    def lose(self, nodeid: str, verdict: Verdict) -> None:
        """Take the verdict of a test that was broken off, which is no success."""
        self.lost[nodeid] = self.found(nodeid, verdict)
        self.add(nodeid, self.lost[nodeid])
        self.outcomes.setdefault(nodeid, Outcome()).word = "failed"

    def found(self, nodeid: str, verdict: Verdict) -> Verdict:
        """The verdict of a test, with what it spent where it was broken off before, and is run again in another worker."""
        return verdict if nodeid not in self.lost else verdict.after(self.lost[nodeid])

    def join(self, nodeid: str, verdict: Verdict, *, passed: bool) -> None:
        """Take the verdict of a fixture that tests share, beside what it has come to already."""
        before = self.verdicts.get(nodeid)
        self.add(nodeid, verdict if before is None else before.joined(verdict))
        if not passed:
            self.outcomes[nodeid] = Outcome(word="failed")

    def note(self, report: pytest.TestReport) -> None:
        """Take the outcome and the time of a phase."""
        nodeid = report.nodeid
        outcome = self.outcomes.get(nodeid)
        if outcome is None:
            outcome = self.outcomes[nodeid] = Outcome()
        outcome.note(report)

    def bill(self) -> Bill:
        """What the whole run spent and avoided."""
        whole = Bill()
        for one in self.bills.values():
            whole.join(one)
        whole.unknown_calls += sum(not one["refused"] for one in self.outside)
        return whole

    @property
    def worth_telling(self) -> bool:
        """Whether anything happened that has to do with us."""
        return bool(self.outside or self.exchanges) or any(one.verdict != "UNMARKED:NO_TRAFFIC" for one in self.verdicts.values())

    def orphans(self, root: Path) -> list[str]:
        """The cassette files that no test has; none are told after a run that was not complete. Looked for once."""
        if self._orphans is None:
            files = str(self.store.get("url", "")) == "file"
            told = self.complete and self.owned is not None and files
            self._orphans = orphans(root, dict(self.owned or {}), self._opened()) if told else []
        return self._orphans

    def _opened(self) -> Collection[str]:
        return {one["id"] for verdict in self.verdicts.values() for one in verdict.cassettes}

    def data(self, root: Path, exit_status: int, failures: Iterable[str]) -> dict[str, Any]:
        """All of it: what ``summary.json`` has beside the tests' own verdicts."""
        for nodeid, verdict in self.verdicts.items():
            if nodeid not in self.bills:  # Ctrl-C came while it was priced
                self.add(nodeid, verdict)
        verdicts = self.verdicts.values()
        bill = self.bill()
        return {
            "format": FORMAT,
            "started": self.started.isoformat(timespec="seconds"),
            "seconds": round((datetime.now(UTC) - self.started).total_seconds(), 3),
            "exit_status": exit_status,
            "project": self.project,
            "complete": self.complete,
            "verdicts": dict(Counter(one.verdict for one in verdicts)),
            "calls": {
                "live": sum(one.paid for one in verdicts) + sum(not one["refused"] for one in self.outside),
                "replayed": sum(one.played + one.repeated for one in verdicts),
                "leaked": sum(one.leaked for one in verdicts),
                "refused": sum(one.stopped for one in verdicts),
                **{word: sum(getattr(one, word) for one in verdicts) for word in ("recorded", "repeated", "masked")},
            },
            "dollars": {**bill.totals(), "unknown_models": self._unknown(bill)},
            "models": bill.by_model(),
            "misses": self._causes(),
            "disabled": self._disabled(),
            "outside_of_tests": list(self.outside),
            "credential_exchanges": dict(self.exchanges),
            "warnings": dict(self._notes()),
            "hints": list(self.hints),
            "failures": list(failures),
            "media_shrunk": sum(one.shrunk for one in verdicts),
            "masked_values": self._masked(),
            "store": dict(self.store),
            "unused": unused((one.cassettes for one in verdicts), everyone=self.complete and self._all_passed()),
            "orphans": self.orphans(root),
        }

    def _all_passed(self) -> bool:
        return all(one.word == "passed" for one in self.outcomes.values())

    def tests(self) -> dict[str, dict[str, Any]]:
        """What is known of each test beside its verdict."""
        known: dict[str, dict[str, Any]] = {}
        for nodeid, verdict in self.verdicts.items():
            bill, outcome = self.bills[nodeid], self.outcomes.get(nodeid, Outcome())
            here = verdict.scope or nodeid in self.lost
            known[nodeid] = {
                # Of a fixture, each process knows what it did there; only here it is put together. So is what was broken off.
                **({name: value for name, value in asdict(verdict).items() if name != "used"} if here else {}),
                **bill.totals(),
                "models": bill.by_model(),
                "seconds": round(outcome.seconds, 4),
                "outcome": outcome.word,
            }
        return known

    def _unknown(self, bill: Bill) -> list[str]:
        """Whose price is not known: models, and hosts of calls that nobody saw whole."""
        leaked = [call["host"] for one in self.verdicts.values() for call in one.calls if not call["refused"]]
        leaked += [call["host"] for call in self.outside if not call["refused"]]
        return sorted({model for (model, _), one in bill.models.items() if one.unknown_calls} | set(leaked))

    def _causes(self) -> list[dict[str, Any]]:
        """The misses of the suite by cause and path, the most frequent first."""
        groups: dict[tuple[str, str], dict[str, Any]] = {}
        for nodeid, one in self.verdicts.items():
            for miss in one.misses:
                # What is not recorded yet is no puzzle.
                if miss["cause"] == "not recorded" and not miss["refused"]:
                    continue
                path, fix = miss["path"], miss["fix"]
                everywhere = _INDEX.sub("[*]", path)
                group = groups.setdefault((miss["cause"], everywhere), {"path": path, "fix": fix, "tests": {}, "example": dict(miss)})
                if group["path"] != path:
                    # The same thing in another message: one setting mends them all.
                    group["path"], group["fix"] = everywhere, fix.replace(path, everywhere) if path else fix
                group["tests"][nodeid] = None
        told = [{"cause": cause, **group, "tests": list(group["tests"])} for (cause, _), group in groups.items()]
        return sorted(told, key=lambda group: -len(group["tests"]))

    def _disabled(self) -> dict[str, list[str]]:
        """The tests that were left without a cassette on purpose, by reason."""
        by_reason: dict[str, list[str]] = {}
        for nodeid, one in sorted(self.verdicts.items()):
            if one.disabled:
                by_reason.setdefault(one.disabled, []).append(nodeid)
        return by_reason

    def _masked(self) -> list[dict[str, Any]]:
        """What replays were equal but for, the most frequent first."""
        groups: dict[tuple[str, str], dict[str, Any]] = {}
        for nodeid, one in self.verdicts.items():
            for value in one.masked_values:
                group = groups.setdefault(
                    (value["what"], value["path"]), {"what": value["what"], "path": value["path"], "count": 0, "example_test": nodeid}
                )
                group["count"] += value["count"]
        return sorted(groups.values(), key=lambda group: -group["count"])

    def _notes(self) -> Counter[str]:
        return Counter(note for one in self.verdicts.values() for note in one.notes)
