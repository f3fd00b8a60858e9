"""One attempt at a test, and whether what it recorded may be stored."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llm_vcr.pytest_plugin.kept import facts
from llm_vcr.pytest_plugin.owners import is_own
from llm_vcr.pytest_plugin.spending import notes
from llm_vcr.pytest_plugin.verdict import Verdict, judge

if TYPE_CHECKING:
    import pytest
    import vcr as vcrpy

    from llm_vcr.playback.cassette import Cassette
    from llm_vcr.pytest_plugin.livecalls import LiveCall


class Attempt:
    """One attempt at a test: a rerun is another one, and knows nothing of the first."""

    def __init__(self, item: pytest.Item) -> None:
        """Begin with nothing opened and no phase done."""
        self.item = item
        self.cassettes: list[Cassette] = []
        self.fresh_start = False
        """``rewrite`` was asked for, by the marker or by ``vcr_config``."""
        self.phases: dict[str, str] = {}
        self.vcr: vcrpy.VCR | None = None
        """What pytest-recording opened its cassette with."""
        self.left_behind: list[str] = []
        """What it has left patched, one sentence each."""

    def note(self, report: pytest.TestReport) -> None:
        """Note how a phase ended. An expected failure is what the test is for, so it counts as passed; a failed subtest fails its test."""
        expected = report.outcome == "skipped" and hasattr(report, "wasxfail")
        if self.phases.get(report.when or "") != "failed":
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
            if cassette.gate is None and cassette.replaces and cassette.counts.refused:
                # A test may swallow a refusal, and pass: the half that was paid for is no substitute for the whole that is there.
                cassette.gate = "a call was refused, so the old recording stays"

    def verdict(self, around: Sequence[LiveCall], disabled: str | None) -> Verdict:
        """The verdict, once everything is over."""
        if not (self.cassettes or around or self.left_behind):
            return _nothing(disabled)
        if not self.cassettes:
            return judge((), around, disabled=disabled, more_notes=self.left_behind)
        kept = facts(self.cassettes, passed=self.why_not() is None, is_own=lambda cassette_id: is_own(self.item, cassette_id))
        return judge(self.cassettes, around, disabled=disabled, more_notes=self.left_behind, used=notes(self.cassettes), kept=kept)

    def let_go(self) -> None:
        """Hold on to no cassette any more, once the verdict is told: each knows by its policy whom to tell that it is open."""
        self.cassettes.clear()
        self.vcr = None

    def foreseen(self, around: Sequence[LiveCall], disabled: str | None) -> Verdict:
        """The verdict as it looks after the call: what is recorded will be stored if the gate is open."""
        return judge(self.cassettes, around, disabled=disabled, stored=self.why_not() is None)

    def explanation(self, around: Sequence[LiveCall]) -> str:
        """Why calls were not answered, for whoever reads the failure; identical ones once, with their number."""
        blocks = ["\n".join(miss.lines()) for one in self.cassettes for miss in one.misses if miss.refused or miss.cause != "not recorded"]
        blocks += [f"{call.host}: called around every cassette, from {call.where} ({call.via})" for call in around]
        counted = Counter(blocks)
        return "\n".join(block + (f"\n  ({count} times)" if count > 1 else "") for block, count in list(counted.items())[:_EXPLAINED])


@functools.lru_cache(maxsize=64)
def _nothing(disabled: str | None) -> Verdict:
    """The verdict of a test without a cassette that called nobody: many a suite has more of these than of others."""
    return judge((), (), disabled=disabled)


_EXPLAINED = 5
"""So many different misses stand at a failure; the report folder has them all."""
