"""What became of a test's calls, in one word and exact counts. The truth table stands in the guide (docs/guide/plugin.md).

============================  ===========================================================================
HIT                           every call was answered from the cassette
HIT:MASKED                    the same, at least one of them only with uuids, times or epochs masked
HIT:STALE                     the same, at least one of them by an answer that is older than its ttl
PARTIAL                       some calls were answered, others went live and were stored
MISS:RECORDED                 calls went live and were stored
MISS:OVERFLOW                 calls went live, and the store has no room for the answers
MISS:NOT_PERSISTED            calls went live, or were refused, and nothing was stored; the reason says why
LIVE_CALL                     the test has a cassette, and calls went around it
NOOP                          the test has a cassette, and made no call
UNMARKED:LIVE_CALL            the test has no cassette, and called a provider
UNMARKED:NO_TRAFFIC           the test has no cassette, and called no provider
DISABLED                      recording is turned off for this run or test, and no provider was called
============================  ===========================================================================
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from llm_vcr.pytest_plugin.spending import live_part

if TYPE_CHECKING:
    from llm_vcr.playback.cassette import Cassette
    from llm_vcr.pytest_plugin.livecalls import LiveCall

PROPERTY = "llm_vcr"
"""The name under which a verdict travels in ``report.user_properties``: to the controller under xdist, and into JUnit XML."""

_TRAVELLING = 5
"""So many misses and live calls travel with a verdict; the report folder has them all."""


# Not frozen: each of its many fields would be set through `object.__setattr__`, which takes four times as long, for every test.
@dataclass
class Verdict:
    """The verdict of one test; nobody changes it."""

    verdict: str
    played: int = 0
    repeated: int = 0
    masked: int = 0
    stale: int = 0
    live: int = 0
    recorded: int = 0
    refused: int = 0
    leaked: int = 0
    """Calls around every cassette, or connections for at least one; those that were refused count there."""
    shrunk: int = 0
    earlier_live: int = 0
    """Calls that earlier attempts at the test made (reruns), in a cassette or around it."""
    earlier_refused: int = 0
    reason: str = ""
    disabled: str = ""
    """Why the test was left without a cassette on purpose."""
    notes: tuple[str, ...] = ()
    misses: tuple[Mapping[str, Any], ...] = ()
    calls: tuple[Mapping[str, Any], ...] = ()
    """The calls around every cassette."""
    masked_values: tuple[Mapping[str, Any], ...] = ()
    """What the masked replays differed in: ``what``, ``path`` and ``count``."""
    used: tuple[Mapping[str, Any], ...] = ()
    """What the calls used, to be priced (`spending.notes`)."""
    cassettes: tuple[Mapping[str, Any], ...] = ()
    """The test's cassettes (`kept.facts`)."""
    scope: str = ""
    """Of the fixture that this is the verdict of, if it is not a test's."""
    spent: float = 0.0
    """Dollars for its live calls, and what its replays would have cost, as far as known; in the controller only."""
    avoided: float = 0.0
    unknown_calls: int = 0
    """Calls of which nobody knows the price."""

    def dump(self) -> str:
        """As text, to travel: what is empty is left out."""
        # What is in the tuples is plain already: `asdict` would copy all of it for nothing.
        return json.dumps({name: value for name, value in vars(self).items() if value})

    @classmethod
    def parse(cls, text: str) -> Verdict:
        """Read what `dump` wrote."""
        return cls.of(json.loads(text))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Verdict:
        """The verdict of these plain values."""
        frozen: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        return cls(**frozen)

    def after(self, earlier: Verdict) -> Verdict:
        """This verdict, of a test to which an earlier attempt came to another one."""
        return replace(
            self,
            earlier_live=self.earlier_live + earlier.earlier_live + earlier.live + earlier.leaked,
            earlier_refused=self.earlier_refused + earlier.earlier_refused + earlier.refused,
            used=(*self.used, *live_part(earlier.used)),
        )

    def joined(self, other: Verdict) -> Verdict:
        """The verdict of a fixture that has run more than once: in other processes, for other modules, and in the end."""
        words = {self.verdict, other.verdict}
        if "MISS:RECORDED" in words and any(one.startswith("HIT") for one in words):
            words = {"PARTIAL"}
        lists = ("notes", "misses", "calls", "masked_values", "used", "cassettes")
        put_together: dict[str, Any] = {name: getattr(self, name) + getattr(other, name) for name in (*_COUNTED_BY_CASSETTES, *lists)}
        return replace(
            self,
            verdict=min(words, key=_WORST_FIRST.index),
            reason="; ".join(dict.fromkeys(filter(None, (self.reason, other.reason)))),
            **put_together,
        )

    def bounded(self) -> Verdict:
        """What of it travels: of the misses, those first that are not alike."""
        if len(self.misses) <= _TRAVELLING and len(self.calls) <= _TRAVELLING:
            return self
        alike = Counter[tuple[str, str]]()
        ranks = []
        for miss in self.misses:
            alike[miss["cause"], miss["path"]] += 1
            ranks.append(alike[miss["cause"], miss["path"]])
        different = sorted(range(len(ranks)), key=ranks.__getitem__)[:_TRAVELLING]
        return replace(self, misses=tuple(self.misses[one] for one in different), calls=self.calls[:_TRAVELLING])

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out to travel, for certain."""
        return len(self.misses) < _TRAVELLING and len(self.calls) < _TRAVELLING

    @property
    def paid(self) -> int:
        """Calls that went live, of all attempts."""
        return self.live + self.leaked + self.earlier_live

    @property
    def stopped(self) -> int:
        """Calls that were refused, of all attempts."""
        return self.refused + self.earlier_refused


_WORST_FIRST = ("MISS:NOT_PERSISTED", "MISS:OVERFLOW", "PARTIAL", "MISS:RECORDED", "HIT:STALE", "HIT:MASKED", "HIT", "NOOP")
"""What a fixture can come to."""

_COUNTED_BY_CASSETTES = ("played", "repeated", "masked", "stale", "live", "recorded", "refused", "shrunk")


def judge(
    cassettes: Iterable[Cassette],
    around: Sequence[LiveCall],
    *,
    disabled: str | None,
    stored: bool | None = None,
    more_notes: Sequence[str] = (),
    used: tuple[Mapping[str, Any], ...] = (),
    kept: Iterable[Mapping[str, Any]] = (),
    scope: str = "",
) -> Verdict:
    """The verdict over all cassettes that a test opened, and the calls that went ``around`` them.

    ``disabled`` says why the test has no cassette. ``stored`` tells whether recordings will be kept, as long as nothing has been saved.
    ``more_notes`` stand behind those of the cassettes. What they ``used``, the facts of what is ``kept`` and the ``scope`` are taken over.
    """
    opened = list(cassettes)
    counts = dict.fromkeys(_COUNTED_BY_CASSETTES, 0)
    reasons = [disabled] if disabled else []
    found: dict[str, Any] = {"used": used, "cassettes": tuple(kept), "scope": scope}
    for cassette in opened:
        for name, number in vars(cassette.counts).items():
            if number:
                counts[name] += number
        if not disabled:
            reasons += cassette.why_not_kept()
    if around:
        refused = [one for one in around if one.refused]
        counts["refused"] += len(refused)
        reasons += [f"a call to {one.host} around every cassette was refused" for one in refused]
        found |= {"leaked": len(around) - len(refused), "calls": tuple([one.dump() for one in around])}
    if counts["masked"]:
        found["masked_values"] = _listed(value for one in opened for value in one.masked_values)
    found["notes"] = (*chain.from_iterable([one.notes for one in opened]), *more_notes)
    found["misses"] = tuple(map(asdict, chain.from_iterable([one.misses for one in opened])))
    word = _around(opened, disabled) if around else _word(counts, opened, stored) if opened else _without(disabled)
    reason = "; ".join(dict.fromkeys(reasons)) if reasons else ""
    found |= counts
    return Verdict(word, reason=reason, disabled=disabled or "", **found)


def _listed(masked: Iterable[tuple[str, str]]) -> tuple[Mapping[str, Any], ...]:
    return tuple({"what": what, "path": path, "count": count} for (what, path), count in Counter(masked).items())


def _around(opened: Sequence[Cassette], disabled: str | None) -> str:
    return "LIVE_CALL" if opened and disabled is None else "UNMARKED:LIVE_CALL"


def _without(disabled: str | None) -> str:
    return "UNMARKED:NO_TRAFFIC" if disabled is None else "DISABLED"


def _word(counts: Mapping[str, int], opened: Sequence[Cassette], stored: bool | None) -> str:
    answered = counts["played"] + counts["repeated"]
    if counts["live"] or counts["refused"]:
        if counts["recorded"] and (any(one.saved for one in opened) if stored is None else stored):
            return "PARTIAL" if answered else "MISS:RECORDED"
        return "MISS:OVERFLOW" if any(one.overflow for one in opened) else "MISS:NOT_PERSISTED"
    if not answered:
        return "NOOP"
    if counts["stale"]:
        return "HIT:STALE"
    return "HIT:MASKED" if counts["masked"] else "HIT"
