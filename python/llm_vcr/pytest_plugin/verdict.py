"""What became of a test's calls, in one word and exact counts.

============================  ===========================================================================
HIT                           every call was answered from the cassette
HIT:MASKED                    the same, at least one of them only with uuids, times or epochs masked
HIT:STALE                     the same, at least one of them by an answer that is older than its ttl
PARTIAL                       some calls were answered, others went live and were stored
MISS:RECORDED                 calls went live and were stored
MISS:NOT_PERSISTED            calls went live, or were refused, and nothing was stored; the reason says why
NOOP                          no call at all
DISABLED                      recording is turned off for this run or test
============================  ===========================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_vcr.cassette import Cassette

PROPERTY = "llm_vcr"
"""The name under which a verdict travels in ``report.user_properties``: to the controller under xdist, and into JUnit XML."""


@dataclass(frozen=True)
class Verdict:
    """The verdict of one test."""

    verdict: str
    played: int = 0
    repeated: int = 0
    masked: int = 0
    stale: int = 0
    live: int = 0
    recorded: int = 0
    refused: int = 0
    shrunk: int = 0
    reason: str = ""
    notes: tuple[str, ...] = ()

    def dump(self) -> str:
        """As text: JUnit XML would write a dict as Python's ``repr``."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> Verdict:
        """Read what `dump` wrote."""
        values: dict[str, Any] = json.loads(text)
        return cls(**{**values, "notes": tuple(values["notes"])})


def judge(cassettes: Iterable[Cassette], disabled: str | None) -> Verdict:
    """The verdict over all cassettes that a test opened; ``disabled`` says why it has none."""
    if disabled is not None:
        return Verdict("DISABLED", reason=disabled)
    opened = list(cassettes)
    counts = {one.name: sum(getattr(cassette.counts, one.name) for cassette in opened) for one in fields(Verdict) if one.type == "int"}
    reasons = [reason for cassette in opened for reason in cassette.why_not_kept()]
    verdict = Verdict("", **counts, reason="; ".join(dict.fromkeys(reasons)), notes=tuple(note for one in opened for note in one.notes))
    return Verdict(**{**asdict(verdict), "verdict": _word(verdict, stored=any(one.saved for one in opened)), "notes": verdict.notes})


def _word(of: Verdict, *, stored: bool) -> str:
    answered = of.played + of.repeated
    if of.live or of.refused:
        if not (stored and of.recorded):
            return "MISS:NOT_PERSISTED"
        return "PARTIAL" if answered else "MISS:RECORDED"
    if not answered:
        return "NOOP"
    if of.stale:
        return "HIT:STALE"
    return "HIT:MASKED" if of.masked else "HIT"
