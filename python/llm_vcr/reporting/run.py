"""What a ``summary.json`` says, read with patience: an older one lacks fields, and anybody may have edited it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from llm_vcr import amounts
from llm_vcr.errors import ReportFileError
from llm_vcr.reporting.verdicts import keeps_nothing

SUMMARY = "summary.json"


@dataclass(frozen=True)
class Amount:
    """Dollars of some calls, of which some or all may have no known price."""

    known: float | None
    """The sum of what is known; ``None`` where nobody looked for prices."""
    unpriced: bool = False
    """There are calls without a known price."""
    calls: int = 0

    @property
    def is_unknown(self) -> bool:
        """Whether nothing of it is known that is worth a word."""
        return bool(self.calls) and (self.known is None or (self.unpriced and self.known < 0.0001))

    @property
    def is_partial(self) -> bool:
        """Whether it is more than what is known."""
        return self.unpriced and not self.is_unknown

    def __str__(self) -> str:
        if not self.calls and not self.known:
            return "–" if self.known is None else "$0"
        return "unknown" if self.is_unknown else amounts.dollars(self.known, more=self.unpriced)


@dataclass(frozen=True)
class Model:
    """What one model cost."""

    name: str
    provider: str
    live: int
    replayed: int
    spent: Amount
    avoided: Amount


@dataclass(frozen=True)
class Recording:
    """A cassette that a test opened."""

    id: str
    episodes: int
    bytes: int | None
    recorded_at: datetime | None


@dataclass(frozen=True)
class Test:
    """What became of one test. ``told`` is all that the summary says of it."""

    __test__ = False  # pytest's collection takes the name for a test's

    nodeid: str
    verdict: str
    outcome: str
    live: int
    """Calls that went out and were paid, in a cassette or around it, of all attempts."""
    replayed: int
    spent: Amount
    avoided: Amount
    models: tuple[Model, ...]
    recordings: tuple[Recording, ...]
    told: Mapping[str, Any]

    @property
    def bytes(self) -> int | None:
        """Of all its cassettes, where known."""
        known = [one.bytes for one in self.recordings if one.bytes is not None]
        return sum(known) if known else None

    @property
    def recorded_at(self) -> datetime | None:
        """When the oldest of its cassettes was recorded."""
        return min((one.recorded_at for one in self.recordings if one.recorded_at is not None), default=None)

    @property
    def leaked(self) -> int:
        """Calls that went around every cassette, and calls that were paid for while nothing was kept: the next run pays for them again."""
        return number(self.told, "leaked") + (number(self.told, "live") if keeps_nothing(self.verdict) else 0)


@dataclass(frozen=True)
class Run:
    """One run. ``told`` is the whole summary."""

    started: datetime | None
    seconds: float | None
    project: str
    verdicts: Mapping[str, int]
    live: int
    replayed: int
    around: int
    """Calls that went around every cassette, in tests and outside of them: at least so many."""
    unkept: int
    """Calls of tests that were paid for, and whose answers were not kept."""
    refused: int
    spent: Amount
    avoided: Amount
    unpriced_models: tuple[str, ...]
    models: tuple[Model, ...]
    tests: tuple[Test, ...]
    told: Mapping[str, Any] = field(repr=False)

    @property
    def leaked(self) -> int:
        """Calls that were paid for, and that the next run pays for again."""
        return self.around + self.unkept

    @property
    def count(self) -> int:
        """How many tests have a verdict."""
        return sum(self.verdicts.values()) or len(self.tests)

    @property
    def ended(self) -> datetime:
        """When it was over, from which ages are counted; now, where the summary does not say."""
        if self.started is None:
            return datetime.now(UTC)
        try:
            return self.started + timedelta(seconds=self.seconds or 0)
        except OverflowError:
            return self.started


def load(path: Path) -> Run:
    """The run whose summary stands at ``path``; of a folder, the ``summary.json`` in it.

    Raises:
        ReportFileError: where it cannot be read, or is no summary.
    """
    file = path / SUMMARY if path.is_dir() else path
    try:
        told = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ReportFileError(str(file), error.strerror or str(error)) from None
    except (ValueError, RecursionError) as error:
        raise ReportFileError(str(file), f"it is not JSON ({error})") from None
    if not isinstance(told, dict) or not isinstance(told.get("verdicts"), dict):
        raise ReportFileError(str(file), 'it is JSON, but no summary of a run (it has no "verdicts")')
    return read(told)


def read(told: Mapping[str, Any]) -> Run:
    """The run that a summary tells of."""
    calls = mapping(told, "calls")
    dollars = mapping(told, "dollars")
    tests = tuple(_test(str(nodeid), one) for nodeid, one in mapping(told, "tests").items() if isinstance(one, dict))
    models = tuple(_model(one) for one in dicts(told, "models"))
    outside = sum(not one.get("refused") for one in dicts(told, "outside_of_tests"))
    live, replayed = number(calls, "live"), number(calls, "replayed")
    spent, avoided = _amounts({**dollars, "models": told.get("models")}, live, replayed, models)
    return Run(
        started=moment(told.get("started")),
        seconds=amount(told, "seconds"),
        project=text(told, "project"),
        verdicts={str(word): number(told["verdicts"], word) for word in mapping(told, "verdicts")},
        live=live,
        replayed=replayed,
        # An older summary counts those of tests only.
        around=max(number(calls, "leaked"), sum(number(one.told, "leaked") for one in tests) + outside),
        unkept=sum(number(one.told, "live") for one in tests if keeps_nothing(one.verdict)),
        refused=number(calls, "refused"),
        spent=spent,
        avoided=avoided,
        unpriced_models=tuple(texts(dollars, "unknown_models")),
        models=models,
        tests=tests,
        told=told,
    )


def _test(nodeid: str, told: Mapping[str, Any]) -> Test:
    live = sum(number(told, name) for name in ("live", "leaked", "earlier_live"))
    replayed = number(told, "played") + number(told, "repeated")
    models = tuple(_model(one) for one in dicts(told, "models"))
    spent, avoided = _amounts(told, live, replayed, models)
    cassettes = tuple(
        Recording(text(one, "id"), number(one, "episodes"), _whole(one.get("bytes")), moment(one.get("recorded_at")))
        for one in dicts(told, "cassettes")
    )
    return Test(nodeid, text(told, "verdict"), text(told, "outcome"), live, replayed, spent, avoided, models, cassettes, told)


def _model(told: Mapping[str, Any]) -> Model:
    live, replayed = number(told, "live"), number(told, "replayed")
    return Model(text(told, "model"), text(told, "provider"), live, replayed, *_amounts(told, live, replayed, ()))


def _amounts(told: Mapping[str, Any], live: int, replayed: int, models: tuple[Model, ...]) -> tuple[Amount, Amount]:
    """What was spent, and what was not. Calls without a price count on the side on which there are calls of such a model."""
    # Calls around every cassette are seen, not read: what they cost is in no model. They are live, where anything is.
    rest = number(told, "unknown_calls") > sum(number(one, "unknown_calls") for one in dicts(told, "models") if models)
    spent_unpriced = any(one.spent.unpriced for one in models) or (rest and live > 0)
    avoided_unpriced = any(one.avoided.unpriced for one in models) or (rest and replayed > 0 and (not models or not live))
    return Amount(amount(told, "spent"), spent_unpriced, live), Amount(amount(told, "avoided"), avoided_unpriced, replayed)


# --- values of a document that may hold anything


def amount(told: Mapping[str, Any], name: str) -> float | None:
    """A finite number, or ``None``."""
    value = told.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def number(told: Mapping[str, Any], name: str) -> int:
    """A count; 0 where there is none."""
    return _whole(told.get(name)) or 0


def _whole(value: object) -> int | None:
    found = amount({"": value}, "")
    return None if found is None else int(found)


def text(told: Mapping[str, Any], name: str) -> str:
    """A text; nothing where there is none."""
    value = told.get(name)
    return value if isinstance(value, str) else ""


def texts(told: Mapping[str, Any], name: str) -> list[str]:
    """The texts of a list."""
    value = told.get(name)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []


def dicts(told: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects of a list."""
    value = told.get(name)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []


def mapping(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object; an empty one where there is none."""
    value = told.get(name)
    return value if isinstance(value, Mapping) else {}


def moment(value: object) -> datetime | None:
    """An ISO-8601 time; without an offset it is taken for UTC."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
