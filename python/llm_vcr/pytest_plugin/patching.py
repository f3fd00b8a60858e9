"""What the plugin puts in the place of something, for as long as the run lasts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


class Patches:
    """Patches that are undone in reverse order, whoever made them. What somebody else has put over one stays: it is theirs to undo."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, str, Any, Any]] = []

    def put(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Put what ``make`` makes of ``owner.name`` in its place."""
        original = getattr(owner, name)
        ours = functools.wraps(original)(make(original))
        setattr(owner, name, ours)
        self._made.append((owner, name, original, ours))

    def renew(self) -> None:
        """Put back in place what somebody has taken away who kept the original from before us (a mock that was undone, say)."""
        for owner, name, original, ours in self._made:
            if getattr(owner, name, None) is original:
                setattr(owner, name, ours)

    def undo(self) -> None:
        """Take all of them away, the latest first."""
        while self._made:
            owner, name, original, ours = self._made.pop()
            if getattr(owner, name, None) is ours:
                setattr(owner, name, original)
