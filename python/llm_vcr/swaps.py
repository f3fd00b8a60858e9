"""Attributes put in the place of others for a while: what `unittest.mock.patch.object` does, for many at once and again and again."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, NamedTuple


class _Swap(NamedTuple):
    owner: Any
    name: str
    original: Any
    own: bool
    """The owner itself has it; otherwise one of its bases does."""
    replacement: Any


class Swaps:
    """What is put in place of what: one replacement for each attribute, the last of those that are named."""

    def __init__(self, triples: Iterable[tuple[Any, str, Any]]) -> None:
        """Note what each ``(owner, name, replacement)`` would replace."""
        swaps: dict[tuple[int, str], _Swap] = {}
        for owner, name, replacement in triples:
            original, own = _found(owner, name)
            swaps[id(owner), name] = _Swap(owner, name, original, own, replacement)
        self._swaps = tuple(swaps.values())
        # What is looked at before each cassette, in lists that are gone through without a line of Python for each.
        direct = [one for one in self._swaps if one.own]
        self._places = [(one.owner.__dict__, one.name) for one in direct]
        self._originals = [one.original for one in direct]
        self._inherited = [one for one in self._swaps if not one.own]

    @property
    def replacements(self) -> list[Any]:
        """What is put in place."""
        return [one.replacement for one in self._swaps]

    def fits(self) -> bool:
        """Whether everything that would be replaced is still what it was."""
        if not all(map(operator.is_, [place.get(name) for place, name in self._places], self._originals)):
            return False
        return all(_found(one.owner, one.name) == (one.original, False) for one in self._inherited)

    def put(self) -> None:
        """Put all in place, or none."""
        done = 0
        try:
            for owner, name, _, _, replacement in self._swaps:
                setattr(owner, name, replacement)
                done += 1
        except BaseException:
            _put_back(self._swaps[:done])
            raise

    def put_back(self, *, theirs_stays: bool = False) -> None:
        """Put all back as it was, whatever stands there now; or except where somebody else has put something of theirs meanwhile."""
        if not theirs_stays:
            _put_back(self._swaps)
            return
        for one in reversed(self._swaps):
            now, _ = _found(one.owner, one.name)
            if now is one.replacement:
                _put_back((one,))
            elif (lent := _lent.get(id(now))) is not None:
                # They have put back what they had found, and that was ours.
                _put_back((lent,))
            else:
                _lent[id(one.replacement)] = one


_lent: dict[int, _Swap] = {}
"""What somebody has taken for the original, and may put back one day, by the identity of the replacement."""


def _found(owner: Any, name: str) -> tuple[Any, bool]:
    """What an attribute is, and whether the owner itself has it. A class is asked for the thing it holds, not for what it makes of it."""
    own = getattr(owner, "__dict__", {})
    return (own[name], True) if name in own else (getattr(owner, name), False)


def _put_back(swaps: tuple[_Swap, ...]) -> None:
    for owner, name, original, own, _ in reversed(swaps):
        if own:
            setattr(owner, name, original)
        else:
            delattr(owner, name)
