"""The verdict beside PASSED and FAILED, for whoever asked for more than dots."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from llm_vcr.pytest_plugin.verdict import PROPERTY, Verdict


class Shown:
    """The hooks for it: pytest writes that word only with ``-v``, so nobody else pays for them."""

    def __init__(self) -> None:
        """Nothing is shown yet."""
        self._foreseen: dict[str, str] = {}
        """The verdicts that stand beside an outcome, as foreseen after the call."""
        self._over = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """The lines of pytest's own summary are read by tools: those stay as they are."""
        self._over = True

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self, report: pytest.CollectReport | pytest.TestReport) -> Generator[None, Any, Any]:
        """Show the verdict beside the outcome. A later verdict gets a line of its own."""
        status = yield
        if self._over or not hasattr(report, "when") or (told := dict(report.user_properties).get(PROPERTY)) is None:
            return status
        verdict = Verdict.parse(str(told)).verdict
        if report.when == "call":
            self._foreseen[report.nodeid] = verdict
        elif report.when != "teardown" or self._foreseen.pop(report.nodeid, verdict) == verdict:
            return status
        if verdict == "UNMARKED:NO_TRAFFIC":
            return status
        category, letter, word = status
        text, markup = word if isinstance(word, tuple) else (word, None)
        text = f"{text} {verdict}".strip()
        return category, letter, (text, markup) if markup is not None else text
