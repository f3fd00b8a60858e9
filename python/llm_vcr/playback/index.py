"""The episodes of a cassette by what they are matched on, so that finding one costs the same among one and among a thousand.

It answers exactly as asking every matcher of ``match_on`` about every episode would, in recorded order.
"""

from __future__ import annotations

import functools
from collections.abc import Container, Iterable
from typing import Any, NamedTuple

from vcr import matchers as vcr_matchers
from vcr.matchers import _evaluate_matcher

from llm_vcr.filters import Filters
from llm_vcr.matchers import SESSION, Matchers
from llm_vcr.playback.place import PARTS, Part
from llm_vcr.vcr_request import Request

_LONG = 2048
"""From so many bytes on, a body is looked for among the stored ones before it is hashed."""

_REMEMBERED = 256
"""So many spellings of where a request goes are remembered; then it begins anew."""

_LIKE = 8
"""So many stored bodies of the same length and end are compared."""


class Index:
    """The episodes by what they are matched on: looking one up costs the same among one and among a thousand."""

    def __init__(self, match_on: Iterable[Any], filters: Filters) -> None:
        """Index on what the matchers of ``match_on`` look at, read under ``filters``."""
        self._matchers = filters.matchers
        looks_at = _looks_at(tuple(match_on), filters.matchers)
        self.parts = looks_at.parts
        """Where a request must go to match."""
        self.compares_bodies = looks_at.bodies
        self.by_body = looks_at.body
        """Whether bodies are compared as ours does."""
        self._by_key = looks_at.key and filters.settings.credential != "ignore"
        self.others = looks_at.others
        """The matchers that look at a request by themselves, and may need all of it."""
        self._place_at = looks_at.place_at
        self.clear()

    def clear(self) -> None:
        """Forget everything; it is built again when next asked."""
        self._known = 0
        self._traits: dict[int, tuple[str, str | None]] = {}
        self._places: dict[Any, list[int]] = {}
        self._fronts: dict[Any, int] = {}
        self._long: dict[tuple[int, bytes], list[int]] = {}
        self._prints: dict[tuple[Any, bool], tuple[int, dict[str | None, list[int]]]] = {}

    def rewind(self) -> None:
        """Nothing is played any more."""
        self._fronts.clear()

    def in_turn(self, data: list[tuple[Any, Any]], request: Request, played: Container[int]) -> int | None:
        """The next episode that is not in ``played``, if its request is this one byte for byte: nothing needs to be hashed to know that.

        ``None`` says only that `find` must be asked: another episode may match, and so may this one.
        """
        if not self.by_body or self.others:
            return None
        self._extend(data)
        place = self._place(request)
        numbers = self._places.get(place, ())
        front = self._fronts.get(place, 0)
        while front < len(numbers) and numbers[front] in played:
            front += 1
        self._fronts[place] = front
        if front == len(numbers):
            return None
        stored = data[numbers[front]][0]
        # The same bytes are of the same media type.
        same = self._matchers.same_bytes(request, stored) and (not self._by_key or self._matchers.same_key(request, stored))
        return numbers[front] if same else None

    def find(self, data: list[tuple[Any, Any]], request: Request, *, masked: bool) -> list[int]:
        """The numbers of the episodes that match, in recorded order."""
        self._extend(data)
        place = self._place(request)
        if not self.by_body:
            # Without a body there is nothing to mask.
            candidates = [] if masked else self._places.get(place, [])
        else:
            prints = self._prints_at(place, data, masked=masked)
            if prints and not masked:
                self._recognise(request, data)
            candidates = prints.get(self._matchers.fingerprint(request, masked=masked), []) if prints else []
        if not candidates:
            return []
        traits = self._traits_of(request)
        return [one for one in candidates if self._agrees(traits, one, request, data)]

    def _extend(self, data: list[tuple[Any, Any]]) -> None:
        if self._known == len(data):
            return
        for number in range(self._known, len(data)):
            stored = data[number][0]
            if not getattr(stored, "unsupported", None):
                self._places.setdefault(self._place(stored), []).append(number)
        self._known = len(data)

    def _recognise(self, request: Any, data: list[tuple[Any, Any]]) -> None:
        """Mostly a long body is, byte for byte, one of the stored ones, whose fingerprints are known."""
        if (form := _form(request)) is not None:
            any(self._matchers.share(request, data[number][0]) for number in self._long.get(form, ())[:_LIKE])

    def _prints_at(self, place: Any, data: list[tuple[Any, Any]], *, masked: bool) -> dict[str | None, list[int]]:
        """The episodes of one place by fingerprint: only places where the next one in turn was not the right one pay for it."""
        numbers = self._places.get(place, [])
        known, prints = self._prints.get((place, masked), (0, {}))
        for number in numbers[known:]:
            stored = data[number][0]
            prints.setdefault(self._matchers.fingerprint(stored, masked=masked), []).append(number)
            if not masked and (form := _form(stored)) is not None:
                self._long.setdefault(form, []).append(number)
        self._prints[place, masked] = (len(numbers), prints)
        return prints

    def _place(self, request: Any) -> Any:
        spelling = (request.method, request.uri)
        place = self._place_at.get(spelling)
        if place is None:
            if len(self._place_at) >= _REMEMBERED:
                self._place_at.clear()
            place = self._place_at[spelling] = tuple(part.of(request) for part in self.parts)
        return place

    def _traits_of(self, request: Any) -> tuple[str, str | None]:
        """Media type and whose key: where one of two requests does not tell, they do not differ in it."""
        return (
            self._matchers.media_type(request) if self.by_body else "",
            self._matchers.role(request) if self._by_key else None,
        )

    def _agrees(self, mine: tuple[str, str | None], number: int, request: Request, data: list[tuple[Any, Any]]) -> bool:
        """What cannot be looked up: wildcards, and matchers of the user's."""
        stored = data[number][0]
        theirs = self._traits.get(number)
        if theirs is None:
            theirs = self._traits[number] = self._traits_of(stored)
        if mine[0] and theirs[0] and mine[0] != theirs[0]:
            return False
        if theirs[1] is not None and theirs[1] != (mine[1] or SESSION):
            return False
        return all(_evaluate_matcher(one, request, stored)[0] for one in self.others)


class _LooksAt(NamedTuple):
    """What some matchers look at."""

    parts: tuple[Part, ...]
    body: bool
    """As ours does."""
    key: bool
    others: tuple[Any, ...]
    """Those that have to be asked about each pair of requests."""
    bodies: bool
    """Whether a body may count at all."""
    place_at: dict[tuple[Any, str], Any]
    """Where requests go, by how they spell it (method and URI): a suite calls the same few places again and again."""


@functools.lru_cache(maxsize=8)
def _looks_at(match_on: tuple[Any, ...], matchers: Matchers) -> _LooksAt:
    """What these matchers look at: nearly all cassettes of a run have the same ones."""
    others = tuple(one for one in match_on if one not in PARTS and one not in (matchers.body, matchers.key))
    return _LooksAt(
        tuple(PARTS[one] for one in match_on if one in PARTS),
        body=matchers.body in match_on,
        key=matchers.key in match_on,
        others=others,
        # A matcher of the user's own may well look at the body: only this one is known not to.
        bodies=matchers.body in match_on or any(one is not vcr_matchers.headers for one in others),
        place_at={},
    )


def _form(request: Any) -> tuple[int, bytes] | None:
    """What of a long body tells it from most others at once."""
    body = getattr(request, "_body", None)
    return (len(body), body[-64:]) if type(body) is bytes and len(body) >= _LONG else None
