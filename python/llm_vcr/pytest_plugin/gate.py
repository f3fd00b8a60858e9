"""When a run fails although its tests passed: it spent more than it may, or came to a verdict that the user does not accept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llm_vcr.config import Settings
from llm_vcr.pytest_plugin.verdict import Verdict

FAILS: Mapping[str, Callable[[Verdict], bool]] = {
    "MISS": lambda one: one.verdict.startswith("MISS") or one.refused > 0,
    "PARTIAL": lambda one: one.verdict == "PARTIAL",
    "OVERFLOW": lambda one: one.verdict == "MISS:OVERFLOW",
    "LIVE_CALL": lambda one: bool(one.calls),
    "STALE": lambda one: one.verdict == "HIT:STALE",
}
"""What ``--llm-vcr-fail-on`` can name."""


def why_failed(settings: Settings, verdicts: Mapping[str, Verdict], outside: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why the run fails, one sentence each with the tests it is about; nothing if it does not.

    ``outside`` are the live calls of no test (collection, the ends of the session).
    """
    reasons = []
    limit = settings.max_live_calls
    if limit is not None:
        paid = sum(one.paid for one in verdicts.values()) + sum(not one["refused"] for one in outside)
        stopped = sum(one.stopped for one in verdicts.values()) + sum(bool(one["refused"]) for one in outside)
        if paid > limit or stopped:
            where = [nodeid for nodeid, one in verdicts.items() if one.stopped or (paid > limit and one.paid)]
            where += _places(outside)
            made = f"{paid} made" if paid else "none made"
            reasons.append(f"--llm-vcr-max-live-calls {limit}: {made}, {stopped} refused: {_named(where)}")
    for word in settings.fail_on:
        where = [nodeid for nodeid, one in verdicts.items() if FAILS[word](one)]
        if word == "LIVE_CALL":
            where += _places(outside)
        if where:
            reasons.append(f"--llm-vcr-fail-on {word}: {_named(where)}")
    return reasons


def _places(outside: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whose the live calls are that were made while none of their tests was running."""
    return list(dict.fromkeys(f"{one['started_by']} (in the background)" if one.get("started_by") else "outside of tests" for one in outside))


_NAMED = 20


def _named(where: Sequence[str]) -> str:
    more = f" and {len(where) - _NAMED} more" if len(where) > _NAMED else ""
    return ", ".join(where[:_NAMED]) + more
