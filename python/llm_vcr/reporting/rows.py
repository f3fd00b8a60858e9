"""What the page's script is given: the tests' list as JSON, every value of it a text to show or a number to sort by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from llm_vcr import amounts
from llm_vcr.reporting.markup import visible
from llm_vcr.reporting.run import Amount, Run, Test, dicts, number, text, texts
from llm_vcr.reporting.verdicts import gravity, kind, meaning

_OF_A_TEST = 20
"""So many misses and calls of one test are shown."""

_OF_A_PAGE = 20_000
"""So many misses and calls a page holds: `summary.json` has the others, and a page must open."""

_COUNTS = (
    ("played", "replayed"),
    ("repeated", "repeated"),
    ("masked", "masked"),
    ("stale", "stale"),
    ("live", "live"),
    ("recorded", "recorded"),
    ("leaked", "around the cassette"),
    ("refused", "refused"),
    ("shrunk", "media shrunk"),
    ("earlier_live", "live in earlier attempts"),
)


def document(run: Run) -> dict[str, Any]:
    """The page's data.

    ``verdicts``: ``[word, kind, mark, meaning]``, the gravest first. ``tests``: a list for each test, in the order of the run, as the
    script unpacks it. ``groups``: of each group of misses, its name and its tests' places in ``tests``.
    """
    words = sorted({one.verdict for one in run.tests}, key=lambda word: (gravity(word), word))
    places = {test.nodeid: place for place, test in enumerate(run.tests)}
    left = _OF_A_PAGE
    tests = []
    for test in run.tests:
        detail = _detail(test, run.ended, min(left, _OF_A_TEST))
        left -= len(detail["misses"]) + len(detail["calls"])
        tests.append(_row(test, words.index(test.verdict), run.ended, detail))
    return {
        "verdicts": [[visible(word), kind(word).name, kind(word).mark, meaning(word)] for word in words],
        "tests": tests,
        "groups": [_group(one, places) for one in dicts(run.told, "misses")],
    }


def embedded(data: Mapping[str, Any]) -> str:
    """JSON that can stand in a ``script`` element: nothing in it ends the element, opens a comment, or is more than ASCII."""
    written = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _row(test: Test, verdict: int, now: datetime, detail: dict[str, Any]) -> list[Any]:
    recorded_at = test.recorded_at
    seconds = None if recorded_at is None else max(0.0, (now - recorded_at).total_seconds())
    return [
        visible(test.nodeid),
        verdict,
        test.outcome if test.outcome in ("failed", "skipped") else "",
        test.live,
        test.replayed,
        *_sortable(test.spent),
        *_sortable(test.avoided),
        test.bytes if test.bytes is not None else -1,
        amounts.size(test.bytes),
        round(seconds) if seconds is not None else -1,
        amounts.age(recorded_at, now),
        detail,
    ]


def _sortable(amount: Amount) -> tuple[float, str]:
    # What is unknown may be anything: it stands above what is known to be nothing.
    return (1e-9 if amount.is_unknown else amount.known or 0.0), str(amount)


def _detail(test: Test, now: datetime, most: int) -> dict[str, Any]:
    misses, calls = dicts(test.told, "misses"), dicts(test.told, "calls")
    kept = [[visible(text(one, name)) for name in _MISS] for one in misses[:most]]
    seen = [[visible(text(one, name)) for name in _CALL] + [bool(one.get("refused"))] for one in calls[: most - len(kept)]]
    return {
        "reason": visible(text(test.told, "reason")),
        "counts": [[label, count] for name, label in _COUNTS if (count := number(test.told, name))],
        "models": [
            [visible(one.name), visible(one.provider), one.live, one.replayed, str(one.spent), str(one.avoided)] for one in test.models
        ],
        "cassettes": [
            [visible(one.id), one.episodes, amounts.size(one.bytes), amounts.age(one.recorded_at, now)] for one in test.recordings
        ],
        "notes": [visible(note) for note in texts(test.told, "notes")[:_OF_A_TEST]],
        "misses": kept,
        "calls": seen,
        "more": len(misses) + len(calls) - len(kept) - len(seen),
    }


_MISS = ("cause", "path", "call", "here", "recorded", "nearest", "refused", "fix")
_CALL = ("host", "where", "via")


def _group(told: Mapping[str, Any], places: Mapping[str, int]) -> list[Any]:
    path = text(told, "path")
    name = text(told, "cause") + (f" at {path}" if path else "")
    tests: Sequence[str] = texts(told, "tests")
    return [visible(name), [places[one] for one in tests if one in places]]
