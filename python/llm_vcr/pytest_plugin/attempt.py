"""One attempt at a test, and whether what it recorded may be stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from llm_vcr.cassette import Cassette


class Attempt:
    """One attempt at a test: a rerun is another one, and knows nothing of the first."""

    def __init__(self, item: pytest.Item) -> None:
        """Begin with nothing opened and no phase done."""
        self.item = item
        self.cassettes: list[Cassette] = []
        self.fresh_start = False
        """``rewrite`` was asked for, by the marker or by ``vcr_config``."""
        self.phases: dict[str, str] = {}

    def note(self, report: pytest.TestReport) -> None:
        """Note how a phase ended. An expected failure is what the test is for, so it counts as passed."""
        expected = report.outcome == "skipped" and hasattr(report, "wasxfail")
        self.phases[report.when or ""] = "passed" if expected else report.outcome

    def why_not(self) -> str | None:
        """Why nothing of this attempt may be stored, or ``None``: its setup and its call must have passed."""
        for phase in ("setup", "call"):
            outcome = self.phases.get(phase)
            if outcome != "passed":
                return f"{phase} {outcome}" if outcome else f"no {phase}"
        return None

    def close_gate(self) -> None:
        """Tell the cassettes, before they are saved."""
        for cassette in self.cassettes:
            cassette.gate = self.why_not()
