"""Attributes put in the place of others for a while: what `unittest.mock.patch.object` does, for many at once and again and again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from llm_vcr import _core


class _Swap(NamedTuple):
    owner: Any
    name: str
    original: Any
    own: bool
    """The owner itself has it; otherwise one of its bases does."""
    replacement: Any

    def here(self) -> Any:
        """What stands there now."""
        return _found(self.owner, self.name)[0]

    def lent_as(self, value: Any) -> _Swap | None:
        """What had put ``value`` there when somebody took that for the original."""
        return _lent.get((id(self.owner), self.name, id(value)))


class _Columns:
    """Swaps of what their owners have themselves: nearly all. Gone through with each cassette, and with no line of Python for each."""

    def __init__(self, swaps: Sequence[_Swap]) -> None:
        self._places = tuple([one.owner.__dict__ for one in swaps])
        self._owners = [one.owner for one in swaps]
        self._names = tuple([one.name for one in swaps])
        self._originals = tuple([one.original for one in swaps])
        self._replacements = [one.replacement for one in swaps]

    def stand(self) -> bool:
        """Whether everything is what it was."""
        return _core.stand(self._places, self._names, self._originals)

    def put(self) -> None:
        deque(map(setattr, self._owners, self._names, self._replacements), 0)

    def put_back(self) -> None:
        deque(map(setattr, self._owners, self._names, self._originals), 0)


class Swaps:
    """What is put in place of what: one replacement for each attribute, the last of those that are named."""

    def __init__(self, triples: Iterable[tuple[Any, str, Any]]) -> None:
        """Note what each ``(owner, name, replacement)`` would replace."""
        swaps: dict[tuple[int, str], _Swap] = {}
        for owner, name, replacement in triples:
            original, own = _found(owner, name)
            swaps[id(owner), name] = _Swap(owner, name, original, own, replacement)
        self._swaps = tuple(swaps.values())
        direct = [one for one in self._swaps if one.own]
        self._changed = _Columns([one for one in direct if one.replacement is not one.original])
        # A class forgets all it knows of its attributes when one is set: what is replaced by itself is left alone.
        self._unchanged = _Columns([one for one in direct if one.replacement is one.original])
        self._inherited = [one for one in self._swaps if not one.own]

    @property
    def replacements(self) -> list[Any]:
        """What is put in place."""
        return [one.replacement for one in self._swaps]

    def fits(self) -> bool:
        """Whether everything that would be replaced is still what it was."""
        if not (self._changed.stand() and self._unchanged.stand()):
            return False
        return all(_found(one.owner, one.name) == (one.original, False) for one in self._inherited)

    def put(self) -> None:
        """Put all in place, or none. What is replaced must be what it was (`fits`)."""
        try:
            self._changed.put()
            for owner, name, _, _, replacement in self._inherited:
                setattr(owner, name, replacement)
        except BaseException:
            _put_back([one for one in self._swaps if _stands(one, one.replacement)])
            raise

    def put_back(self, *, theirs_stays: bool = False) -> None:
        """Put all back as it was, whatever stands there now; or except where somebody else has put something of theirs meanwhile."""
        if not theirs_stays:
            _put_back(self._inherited)
            self._changed.put_back()
            if not self._unchanged.stand():
                self._unchanged.put_back()
            return
        found = [(one, one.here()) for one in reversed(self._swaps)]
        # Of what is replaced by itself it cannot be seen who has put it there: elsewhere it can.
        they_left = any(now is not one.replacement and one.lent_as(now) is not None for one, now in found)
        for one, now in found:
            lent = one.lent_as(now)
            if now is one.replacement and not (they_left and lent is not None):
                _put_back((one,))
            elif lent is not None:
                # They have put back what they had found, and that was ours.
                _put_back((lent,))
            else:
                _lent[id(one.owner), one.name, id(one.replacement)] = one


_lent: dict[tuple[int, str, int], _Swap] = {}
"""What somebody has taken for the original, and may put back one day, by the place and the identity of the replacement."""


def _found(owner: Any, name: str) -> tuple[Any, bool]:
    """What an attribute is, and whether the owner itself has it. A class is asked for the thing it holds, not for what it makes of it."""
    own = getattr(owner, "__dict__", {})
    return (own[name], True) if name in own else (getattr(owner, name), False)


def _stands(swap: _Swap, value: Any) -> bool:
    """Whether the owner itself has that there."""
    now, own = _found(swap.owner, swap.name)
    return own and now is value


def _put_back(swaps: Sequence[_Swap]) -> None:
    for owner, name, original, own, _ in reversed(swaps):
        if own:
            setattr(owner, name, original)
        else:
            delattr(owner, name)
