"""What the calls of a test used, and what that costs: noted cheaply where the test runs, priced where the run ends.

Under xdist the notes travel to the controller, which alone loads the table of prices.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_vcr.exchange.content import Used
    from llm_vcr.exchange.prices import Price
    from llm_vcr.playback.cassette import Cassette

Note = Mapping[str, Any]
"""Equal calls of a test: ``address``, ``model`` and ``usage`` (`exchange.content.Used`), and how many were ``live`` and ``replayed``."""


def notes(cassettes: Iterable[Cassette]) -> tuple[Note, ...]:
    """What was used by the calls to providers that these cassettes saw."""
    counts: dict[Used, list[int]] = {}
    for one in cassettes:
        for call, live, replayed in one.used():
            count = counts.setdefault(call, [0, 0])
            count[0] += live
            count[1] += replayed
    return tuple([note(call, live=live, replayed=replayed) for call, (live, replayed) in counts.items()])


def note(call: Used, *, live: int, replayed: int) -> Note:
    """What equal calls used."""
    return {"address": call.address, "model": call.model, "usage": call.usage, "live": live, "replayed": replayed}


def live_part(of: Iterable[Note]) -> list[Note]:
    """The same without what was replayed: an earlier attempt's calls cost what they cost, and its replays saved nothing."""
    return [{**note, "replayed": 0} for note in of if note["live"]]


@dataclass(slots=True)
class Bill:
    """Dollars spent on live calls and avoided by replays, of a model, of a test or of a run. Calls of unknown price are in neither."""

    live: int = 0
    replayed: int = 0
    spent: float = 0.0
    avoided: float = 0.0
    unknown_calls: int = 0
    models: dict[tuple[str, str], Bill] = field(default_factory=dict)
    """By model and provider."""

    def add(self, of: Sequence[Note]) -> Bill:
        """Price what was used, at today's prices."""
        price, kind = _pricing()
        for note in of:
            call = kind(note["address"], note["model"], note["usage"])
            cost = price(call)
            own = self.models.setdefault((call.name, cost.provider), Bill())
            for bill in (self, own):
                bill._count(note["live"], note["replayed"], cost.dollars)
        return self

    def _count(self, live: int, replayed: int, dollars: float | None) -> None:
        self.live += live
        self.replayed += replayed
        if dollars is None:
            self.unknown_calls += live + replayed
        else:
            self.spent += live * dollars
            self.avoided += replayed * dollars

    def join(self, other: Bill) -> None:
        """Add another bill."""
        for mine, theirs in [(self, other), *((self.models.setdefault(key, Bill()), one) for key, one in other.models.items())]:
            mine.live += theirs.live
            mine.replayed += theirs.replayed
            mine.spent += theirs.spent
            mine.avoided += theirs.avoided
            mine.unknown_calls += theirs.unknown_calls

    def totals(self) -> dict[str, Any]:
        """The sums, as plain data; of dollars, what floating point makes of a tenth is rounded away."""
        return {"spent": _exact(self.spent), "avoided": _exact(self.avoided), "unknown_calls": self.unknown_calls}

    def by_model(self) -> list[dict[str, Any]]:
        """The models as plain data, the dearest first."""
        rows = [
            {"model": model, "provider": provider, "live": one.live, "replayed": one.replayed, **one.totals()}
            for (model, provider), one in self.models.items()
        ]
        return sorted(rows, key=lambda row: (-row["spent"], -row["avoided"], row["model"]))


@functools.cache
def _pricing() -> tuple[Callable[[Used], Price], type[Used]]:
    """Imported where a run ends; the statement alone, once more for each test, takes as long as fifty calls."""
    from llm_vcr.exchange.content import Used
    from llm_vcr.exchange.prices import price

    return price, Used


def _exact(dollars: float) -> float:
    return round(dollars, 10)
