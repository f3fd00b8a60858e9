"""The table at the end of a run."""

from __future__ import annotations

import pytest

from tests.clients.matrix import verdicts_of
from tests.clients.run import EVERY, FAST
from tests.clients.table import counts, rows, summary


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """All verdicts of the clients that were run, in one table; it runs on xdist's controller, too."""
    reports = {
        report.nodeid: report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind) if report.when == "call"
    }
    verdicts = [one for report in reports.values() for one in verdicts_of(report)]
    if not verdicts:
        return
    verdicts.sort(key=lambda one: EVERY.index(one.client))
    terminalreporter.section("clients")
    # Within a larger run one line per client is enough, as long as there is nothing to look at.
    whole = any(one.client not in FAST or not one.right for one in verdicts) or terminalreporter.config.get_verbosity() > 0
    for line in rows(verdicts) if whole else summary(verdicts):
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"  {len(verdicts)} calls: {counts(verdicts)}")
