"""Where the reports of all tests come together: in the controller under xdist, else in the one process there is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from llm_vcr.config import Settings
from llm_vcr.pytest_plugin import overview
from llm_vcr.pytest_plugin.gate import Failure, warnings, why_failed
from llm_vcr.pytest_plugin.health import ask
from llm_vcr.pytest_plugin.owners import Collected
from llm_vcr.pytest_plugin.presented import Presented
from llm_vcr.pytest_plugin.summary import Summary
from llm_vcr.pytest_plugin.verdict import PROPERTY, Verdict

if TYPE_CHECKING:
    from llm_vcr.pytest_plugin.budget import Budget
    from llm_vcr.pytest_plugin.report import Report
    from llm_vcr.pytest_plugin.spending import Bill

_NAMED = 3
"""So many tests are named for each reason to fail; ``summary.json`` names them all."""


class Totals:
    """Gathers what the tests came to, decides whether the run fails for it, and tells it."""

    def __init__(self, config: pytest.Config, settings: Settings, budget: Budget, report: Report | None) -> None:
        """Gather under ``settings``."""
        self._config = config
        self._settings = settings
        self._budget = budget
        self._report = report
        self._is_worker = hasattr(config, "workerinput")
        self._is_each = config.getoption("dist", "no") == "each"
        self.collected = Collected(config)
        self.summary = Summary(project=settings.project or config.rootpath.name)
        self.failures: list[Failure] = []
        self._presented = Presented(config.rootpath, settings.report_page)
        self._shown = False
        self._by_worker: dict[str, dict[str, Verdict]] = {}

    # --- what is collected

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Before anybody takes some of them out."""
        self.collected.begin(items)

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """What is left out may have cassettes."""
        if any(True for _ in items):
            self.collected.leave_out()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be imported has tests that nobody knows."""
        if report.failed:
            self.collected.leave_out()

    # --- workers

    def told_by_worker(self, *, any_marked: bool) -> dict[str, Any]:
        """What a worker of xdist tells its controller; one of them tells for all whose cassettes are whose, where there are any."""
        first = self._config.workerinput["workerid"] == "gw0"  # type: ignore[attr-defined]  # xdist's
        complete = self.collected.complete
        return {"complete": complete, "owned": self.collected.owned() if first and complete and any_marked else None}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take it."""
        told = getattr(node, "workeroutput", {}).get("llm_vcr_collected", {"complete": False, "owned": None})
        if not told["complete"]:
            self.collected.leave_out()
        self.summary.owned = told["owned"] or self.summary.owned

    # --- the tests

    def take(self, report: pytest.TestReport) -> None:
        """Take a phase of a test, and price its calls when it is over."""
        self.summary.note(report)
        self._presented.note(report)
        if report.when != "teardown":
            return
        told = dict(report.user_properties).get(PROPERTY)
        if not isinstance(told, str):
            return
        verdict = self._of_every_worker(report, self.summary.found(report.nodeid, self.summary.read(told)))
        bill = self.summary.add(report.nodeid, verdict)
        others = [one for one in report.user_properties if one[0] != PROPERTY]
        report.user_properties = [*others, *_properties(verdict, bill)]

    def _of_every_worker(self, report: pytest.TestReport, verdict: Verdict) -> Verdict:
        """Under ``--dist=each`` every worker runs every test: what the others spent counts as that of earlier attempts does."""
        if not self._is_each:
            return verdict
        worker = report.node.gateway.id
        told = self._by_worker.setdefault(report.nodeid, {})
        told[worker] = verdict
        for one in [one for name, one in told.items() if name != worker]:
            verdict = verdict.after(one)
        return verdict

    def lose(self, nodeid: str, verdict: Verdict) -> None:
        """Take the verdict of a test that was broken off, as no report carries it."""
        self.summary.lose(nodeid, verdict)

    # --- the end

    def decide(self, session: pytest.Session, hints: Iterable[str], found: Iterable[Failure], *, any_marked: bool) -> None:
        """Fail the run for the failures ``found`` before and those of the tests; ``hints`` are for who wrote the settings."""
        self.summary.hints += [*hints, *warnings(self._budget)]
        if not (session.shouldstop or session.shouldfail) and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            self.summary.complete = self.collected.complete
        if self.summary.complete and any_marked:  # where there are workers, nothing is marked here
            self.summary.owned = self.collected.owned()
        self.failures = [*found, *why_failed(self._settings, self.summary, self._budget)]
        if self.failures and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @property
    def _worth_telling(self) -> bool:
        return self.summary.worth_telling or bool(self.failures)

    def tell(self, session: pytest.Session) -> None:
        """Write the report."""
        if not (self._worth_telling or self.summary.hints or self._presented.wanted):
            return
        self.summary.store = ask(self._settings, self._config.rootpath).data()
        data = self.summary.data(self._config.rootpath, int(session.exitstatus), [one.sentence() for one in self.failures])
        if self._worth_telling or self.summary.hints:
            self._data = data
        known = self.summary.tests()
        whole: dict[str, Any] | None = None
        if self._report is not None and self._worth_telling:
            whole = self._report.merge(data, self.summary.verdicts, known)
        if self._presented.wanted:
            # Without a folder, what came with the tests' reports.
            tests = {nodeid: {**asdict(one), **known[nodeid]} for nodeid, one in self.summary.verdicts.items()}
            self._presented.write(whole or {**data, "tests": tests})

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show it."""
        self._shown = True
        if (data := getattr(self, "_data", None)) is not None:
            named = _NAMED if len(self.failures) < _NAMED else 1
            failures = [one.sentence(named) for one in self.failures]
            folder = self._settings.report_folder or ""
            overview.show(
                terminalreporter, data, self.summary.verdicts, failures, verbose=self._config.getoption("llm_vcr_verbose"), folder=folder
            )
        for line, warns in self._presented.lines():
            terminalreporter.write_line(line, yellow=warns)

    def pytest_unconfigure(self) -> None:
        """Where there is no screen to show it on (``-p no:terminal``), say at least why the run fails, and give GitHub its annotations."""
        if self._shown or self._is_worker:
            return
        texts = [f"llm_vcr: FAILED {one.sentence(_NAMED)}" for one in self.failures]
        sys.stdout.write("".join(f"{text}\n" for text in [*texts, *(line for line, _ in self._presented.lines())]))


def _properties(verdict: Verdict, bill: Bill) -> list[tuple[str, object]]:
    """What a report carries: everything as one JSON, and beside it what people read in JUnit XML."""
    totals = bill.totals()
    return [
        (PROPERTY, json.dumps({**vars(verdict), "used": (), **totals})),
        (f"{PROPERTY}_verdict", verdict.verdict),
        (f"{PROPERTY}_live", verdict.paid),
        (f"{PROPERTY}_replayed", verdict.played + verdict.repeated),
        (f"{PROPERTY}_refused", verdict.stopped),
        (f"{PROPERTY}_spent_usd", f"{totals['spent']:.6f}"),
        (f"{PROPERTY}_avoided_usd", f"{totals['avoided']:.6f}"),
        (f"{PROPERTY}_unknown_price_calls", totals["unknown_calls"]),
    ]
