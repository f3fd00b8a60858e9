"""When a run fails although its tests passed: it spent more than it may, or came to a verdict that the user does not accept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llm_vcr.amounts import dollars
from llm_vcr.config import Settings
from llm_vcr.pytest_plugin.budget import USD, Budget
from llm_vcr.pytest_plugin.summary import Summary
from llm_vcr.pytest_plugin.verdict import Verdict

FAILS: Mapping[str, Callable[[Verdict], bool]] = {
    "MISS": lambda one: one.verdict.startswith("MISS") or one.refused > 0,
    "PARTIAL": lambda one: one.verdict == "PARTIAL",
    "OVERFLOW": lambda one: one.verdict == "MISS:OVERFLOW",
    "LIVE_CALL": lambda one: bool(one.calls),
    "STALE": lambda one: one.verdict == "HIT:STALE",
}
"""What ``--llm-vcr-fail-on`` can name."""


@dataclass(frozen=True)
class Failure:
    """A reason for which a run fails, and the tests it is about."""

    reason: str
    where: Sequence[str] = ()

    def sentence(self, most: int | None = None) -> str:
        """With the names of all tests, or the first ``most``."""
        return f"{self.reason}: {_named(self.where, most)}" if self.where else self.reason


def why_failed(settings: Settings, summary: Summary, budget: Budget) -> list[Failure]:
    """Why the run fails; nothing if it does not."""
    reasons = [*_too_many_calls(settings, summary), *_too_many_dollars(summary, budget)]
    for word in settings.fail_on:
        where = [nodeid for nodeid, one in summary.verdicts.items() if FAILS[word](one)]
        if word == "LIVE_CALL":
            where += _places(summary.outside)
        if where:
            reasons.append(Failure(f"--llm-vcr-fail-on {word}", where))
    return reasons


def _too_many_calls(settings: Settings, summary: Summary) -> Iterator[Failure]:
    limit = settings.max_live_calls
    if limit is None:
        return
    verdicts, outside = summary.verdicts, summary.outside
    paid = sum(one.paid for one in verdicts.values()) + sum(not one["refused"] for one in outside)
    stopped = sum(one.stopped for one in verdicts.values()) + sum(bool(one["refused"]) for one in outside)
    if paid > limit or stopped:
        where = [nodeid for nodeid, one in verdicts.items() if one.stopped or (paid > limit and one.paid)]
        where += _places(outside)
        made = f"{paid} made" if paid else "none made"
        yield Failure(f"--llm-vcr-max-live-calls {limit}: {made}, {stopped} refused", where)


def _too_many_dollars(summary: Summary, budget: Budget) -> Iterator[Failure]:
    """What was refused for want of dollars, and a last call that cost more than was left."""
    if budget.dollars is None:
        return
    spent, unknown = budget.spent()
    reached = round(spent, 10) >= budget.dollars
    refused = [nodeid for nodeid, one in summary.verdicts.items() if USD in one.reason or (reached and any(map(_refused, one.calls)))]
    refused += _places(one for one in summary.outside if reached and _refused(one))
    over = round(spent, 10) > budget.dollars
    where = refused or ([nodeid for nodeid, bill in summary.bills.items() if bill.spent] if over else [])
    if where:
        more = f", and {len(unknown)} {'call' if len(unknown) == 1 else 'calls'} of unknown price ({_named(unknown, 3)})" if unknown else ""
        yield Failure(f"{USD} {budget.dollars:g}: {dollars(spent)} spent{more}; {'refused calls of' if refused else 'spent by'}", where)


def warnings(budget: Budget) -> list[str]:
    """What a limit in dollars does not hold, where there is one."""
    _, unknown = budget.spent() if budget.dollars is not None else (0.0, [])
    if not unknown:
        return []
    what = _named(list(dict.fromkeys(unknown)), 3)
    return [f"{USD} cannot count {len(unknown)} {'call' if len(unknown) == 1 else 'calls'} of unknown price: {what}"]


def _refused(call: Mapping[str, Any]) -> bool:
    return bool(call["refused"])


def _places(outside: Iterable[Mapping[str, Any]]) -> list[str]:
    """Whose the live calls are that were made while none of their tests was running."""
    return list(dict.fromkeys(f"{one['started_by']} (in the background)" if one["started_by"] else "outside of tests" for one in outside))


def _named(where: Sequence[str], most: int | None) -> str:
    shown = list(where[:most])
    more = f" and {len(where) - len(shown)} more" if len(where) > len(shown) else ""
    return ", ".join(shown) + more
