"""Why a cassette has no answer to a call: the nearest episode, where it differs, and what mends it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vcr import matchers as vcr_matchers
from vcr.matchers import _evaluate_matcher

from llm_vcr.matchers import SESSION, Matchers
from llm_vcr.vcr_request import Request

if TYPE_CHECKING:
    from llm_vcr.playback.index import Index

_CANDIDATES = 25
"""So many episodes are looked at: more would cost the test time, and say no more."""

_LOOKED_AT = 64 * 1024
"""So many bytes of a body decide which episode is nearest."""

_WINDOW = 200
"""So many characters of a value are shown."""


@dataclass(frozen=True)
class Miss:
    """A call that no episode answered."""

    call: str
    """Method and URI, without secrets."""
    cause: str
    """A word of the core's vocabulary, such as ``uuid``, ``text`` or ``url``; or ``not recorded``, ``played before``, ``match_on``."""
    path: str = ""
    """The JSON path, the part of a multipart body or of the URL (``host``, ``path``, ``query``), where there is one."""
    here: str = ""
    """What stands there in this call."""
    recorded: str = ""
    """What stands there in the nearest episode."""
    nearest: str = ""
    """Which episode is nearest, by its number from 1."""
    fix: str = ""
    """The setting or the code change that mends it."""
    refused: str = ""
    """Why the call was not made, or nothing if it was."""

    def lines(self) -> list[str]:
        """For people, one thing a line."""
        place = f" at {self.path}" if self.path else ""
        lines = [f"{self.call}: {'not made, ' + self.refused if self.refused else 'not in the cassette'}"]
        lines.append(f"  cause: {self.cause}{place}" + (f" (nearest: {self.nearest})" if self.nearest else ""))
        if self.here or self.recorded:
            lines += [f"  now:      {self.here}", f"  recorded: {self.recorded}"]
        if self.fix:
            lines.append(f"  mend: {self.fix}")
        return lines


def explain_miss(
    request: Request,
    episodes: Sequence[tuple[Any, Any]],
    played: Collection[int],
    index: Index,
    matchers: Matchers,
    refused: str = "",
) -> Miss:
    """Explain why none of the loaded ``episodes`` answers a prepared request.

    ``played`` are those that have been given away; ``index`` knows what an answer must agree in.
    """
    call = f"{request.method} {request.uri}"
    if request.unsupported:
        return Miss(call, "unsupported-body", here=request.unsupported[:_WINDOW], fix="send bytes, text, JSON or a form", refused=refused)
    if request.consumed:
        return Miss(
            call, "empty-body", here="a file that was read to its end before", fix="open or rewind the file for each call", refused=refused
        )
    if not episodes:
        return Miss(call, "not recorded", fix="record this test: --record-mode=new_episodes, with a key", refused=refused)
    there = list(range(len(episodes)))
    for part in index.parts:
        alike = [number for number in there if part.of(episodes[number][0]) == part.of(request)]
        if not alike:
            return Miss(
                call,
                part.cause,
                part.name,
                here=part.shown(request)[:_WINDOW],
                recorded=", ".join(sorted({part.shown(episodes[number][0]) for number in there})[:3])[:_WINDOW],
                fix=f"nothing is recorded for this {part.name or part.cause}: record the test again if the change is meant",
                refused=refused,
            )
        there = alike
    near = nearest(request, there, episodes, played)[0]
    stored = episodes[near][0]
    name = f"episode {near + 1} of {len(episodes)}"
    if not matchers.same_key(request, stored):
        return Miss(
            call,
            "credential",
            here=matchers.role(request) or SESSION,
            recorded=matchers.role(stored) or SESSION,
            nearest=name,
            fix="use the key it was recorded with, list this one in llm_vcr_placeholder_keys, or set llm_vcr_credential = ignore",
            refused=refused,
        )
    if (other := _other_than_body(request, stored, index, matchers)) is not None:
        matcher, said = other
        fix = "this matcher of match_on says no, whatever the body is: change it, or record the test again"
        return Miss(call, "match_on", matcher, here=said[:_WINDOW], nearest=name, fix=fix, refused=refused)
    why = matchers.why(request, stored)
    if why.cause == "same":
        if near in played:
            fix = "the test makes this call more often than it was recorded, and allow_playback_repeats is off: record it again"
            return Miss(call, "played before", nearest=name, fix=fix, refused=refused)
        return Miss(call, "match_on", nearest=name, fix="the body is the same: another matcher of match_on says no", refused=refused)
    return Miss(call, why.cause, why.path or "", why.left[:_WINDOW], why.right[:_WINDOW], name, why.fix, refused)


def _other_than_body(request: Request, stored: Any, index: Index, matchers: Matchers) -> tuple[str, str] | None:
    """The matcher of ``match_on`` that keeps two requests apart, and its words, where that is not what their bodies differ in."""
    apart = [(one, said) for one in index.others for agrees, said in [_evaluate_matcher(one, request, stored)] if not agrees]
    # What vcrpy's own ones take for another body, though it says the same, the core knows.
    if not apart or any(one in (vcr_matchers.body, vcr_matchers.raw_body) for one, _ in apart):
        return None
    if index.by_body and not _evaluate_matcher(matchers.body, request, stored)[0]:
        return None
    matcher, said = apart[0]
    return matcher.__name__, said or ""


def nearest(request: Request, numbers: Sequence[int], episodes: Sequence[tuple[Any, Any]], played: Collection[int]) -> list[int]:
    """The episodes that share most with the request first, of equals one that was not played yet; `_CANDIDATES` of ``numbers`` at most."""
    pieces = _pieces(request)
    unplayed_first = sorted(numbers, key=lambda number: number in played)[:_CANDIDATES]
    return sorted(unplayed_first, key=lambda number: _likeness(pieces, _pieces(episodes[number][0])), reverse=True)


def _pieces(request: Any) -> frozenset[bytes]:
    """What stands between quotes: names and values of JSON, and good enough for any other text."""
    body = getattr(request, "_body", None)
    return frozenset(body[:_LOOKED_AT].split(b'"')) if isinstance(body, bytes) else frozenset()


def _likeness(mine: frozenset[bytes], theirs: frozenset[bytes]) -> float:
    return len(mine & theirs) / (len(mine | theirs) or 1)
