"""A run whose store goes away on the way ends there, where `llm_vcr_on_outage` is `fail`: an outage is a red job, not a bill."""

from __future__ import annotations

import pytest


class Outage:
    """Whether the store was lost, and why."""

    def __init__(self) -> None:
        """Nothing is lost yet."""
        self._why = ""

    def note(self, why: str) -> None:
        """Take what went wrong first."""
        self._why = self._why or why

    def end(self, session: pytest.Session) -> None:
        """Let the session end after this test. A worker of xdist hands that on to its controller, and so to the other workers."""
        if self._why and not session.shouldstop:
            session.shouldstop = f"llm_vcr: {self._why}"
