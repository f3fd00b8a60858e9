"""What a client is told of a call that may not be made: an answer of ours, or vcrpy's error with the nearest episodes in it."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from vcr.matchers import _evaluate_matcher

from llm_vcr.playback.miss import nearest
from llm_vcr.playback.place import PARTS
from llm_vcr.vcr_request import Request

_EXPLAINED = 3
"""How many of the nearest episodes vcrpy's error shows."""


@dataclass(frozen=True)
class Refusal:
    """An answer of ours, in place of a provider's that must not be asked."""

    answer: dict[str, Any]


def refusal_answer(message: str) -> dict[str, Any]:
    """An answer that every SDK turns into one readable error, at once: a status none of them tries again, and a header that says so."""
    body = {"type": "error", "error": {"type": "llm_vcr_refused", "code": "llm_vcr_refused", "message": f"llm_vcr: {message}"}}
    text = json.dumps(body).encode()
    headers = {"content-type": ["application/json"], "content-length": [str(len(text))], "x-should-retry": ["false"]}
    return {"status": {"code": 422, "message": "Refused by llm_vcr"}, "headers": headers, "body": {"string": text}}


def most_alike(
    request: Request, episodes: Sequence[tuple[Any, Any]], played: Collection[int], match_on: Sequence[Any]
) -> list[tuple[Any, list[str], list[tuple[str, str]]]]:
    """The stored requests for which fewest matchers say no, the nearest first: with those that agree, and those that do not and why.

    A reason begins with its cause. Only the few requests that vcrpy's error shows have reasons: those are dear for long bodies.
    """
    by_failures: dict[int, dict[int, list[Any]]] = {}
    for number, (stored, _) in enumerate(episodes):
        failed = [one for one in match_on if not _agree(one, request, stored)]
        by_failures.setdefault(len(failed), {})[number] = failed
    if not by_failures or (fewest := min(by_failures)) == len(match_on):
        return []
    alike = by_failures[fewest]
    first = nearest(request, [*alike], episodes, played)
    order = [*first, *(number for number in alike if number not in set(first))]
    return [
        (
            episodes[number][0],
            [one.__name__ for one in match_on if one not in alike[number]],
            [(one.__name__, _cause(one, request, episodes[number][0]) if rank < _EXPLAINED else "") for one in alike[number]],
        )
        for rank, number in enumerate(order)
    ]


def _agree(matcher: Any, request: Request, stored: Any) -> bool:
    if matcher in PARTS:
        return bool(PARTS[matcher].of(request) == PARTS[matcher].of(stored))
    return bool(_evaluate_matcher(matcher, request, stored)[0])


def _cause(matcher: Any, request: Request, stored: Any) -> str:
    """Why a matcher does not agree, the cause as its first word."""
    if matcher in PARTS:
        part = PARTS[matcher]
        return f"{part.cause}: {part.shown(request)} != {part.shown(stored)} (recorded)"
    return str(_evaluate_matcher(matcher, request, stored)[1] or "")
