"""The verdicts as a reader meets them: what each means in a sentence, and which of them belong together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """Verdicts that mean the same for money. Told apart by word and mark, so that nobody needs the colour."""

    name: str
    word: str
    mark: str


LEAKED = Kind("leaked", "leaked or refused", "▲")
RECORDED = Kind("recorded", "recorded now", "●")
REPLAYED = Kind("replayed", "replayed", "✓")
QUIET = Kind("quiet", "without a call", "–")

_VERDICTS: dict[str, tuple[Kind, str]] = {
    "MISS:NOT_PERSISTED": (LEAKED, "calls went live or were refused, and nothing was kept"),
    "MISS:OVERFLOW": (LEAKED, "calls went live, and the store had no room for the answers"),
    "LIVE_CALL": (LEAKED, "calls went around the test's cassette"),
    "UNMARKED:LIVE_CALL": (LEAKED, "a test without a cassette called a provider"),
    "PARTIAL": (RECORDED, "some calls were replayed, others went live and were kept"),
    "MISS:RECORDED": (RECORDED, "calls went live and were kept"),
    "HIT:STALE": (REPLAYED, "replayed from a recording older than its ttl"),
    "HIT:MASKED": (REPLAYED, "replayed; uuids, times or epochs differ"),
    "HIT": (REPLAYED, "every call was replayed"),
    "NOOP": (QUIET, "the test has a cassette, and made no call"),
    "DISABLED": (QUIET, "recording is off for this test"),
    "UNMARKED:NO_TRAFFIC": (QUIET, "no cassette, no call"),
}
"""The gravest first: that is how tests are sorted by verdict."""

ORDER = tuple(_VERDICTS)


def kind(verdict: str) -> Kind:
    """What a verdict belongs to. One that a later version knows and we do not is quiet."""
    return _VERDICTS[verdict][0] if verdict in _VERDICTS else QUIET


def meaning(verdict: str) -> str:
    """A verdict in a sentence."""
    return _VERDICTS[verdict][1] if verdict in _VERDICTS else "a verdict this version does not know"


def gravity(verdict: str) -> int:
    """The place in `ORDER`; behind all of them for an unknown one."""
    return ORDER.index(verdict) if verdict in _VERDICTS else len(ORDER)


def keeps_nothing(verdict: str) -> bool:
    """Whether what such a test paid for is lost."""
    return verdict in ("MISS:NOT_PERSISTED", "MISS:OVERFLOW")
