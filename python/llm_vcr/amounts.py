"""Sizes, ages, dollars and counts as people read them, on the screen and in the report alike."""

from __future__ import annotations

import math
from datetime import UTC, datetime


def size(number: int | None) -> str:
    """Bytes for people."""
    if number is None:
        return "–"
    if number < 1000:
        return f"{number} B"
    amount, unit = number / 1000, "kB"
    for larger in ("MB", "GB"):
        if amount >= 999.5:
            amount, unit = amount / 1000, larger
    return f"{amount:.1f} {unit}" if amount < 9.95 else f"{amount:.0f} {unit}"


def age(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago, in one unit."""
    return "–" if moment is None else duration(max(0.0, ((now or datetime.now(UTC)) - moment).total_seconds()))


def duration(seconds: float) -> str:
    """Seconds in the largest unit that gives at least two of it."""
    if seconds == math.inf:
        return "never"
    for unit, length in (("y", 365 * 86400), ("w", 7 * 86400), ("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def dollars(amount: float | None, *, more: bool = False) -> str:
    """Dollars; with ``more``, at least so many."""
    if amount is None:
        return "?"
    if 0 < amount < 0.0001:
        return "< $0.0001" if not more else "≥ $0"
    text = "$0" if amount == 0 else f"${amount:.4f}" if amount < 0.1 else f"${amount:,.2f}"
    return f"≥ {text}" if more else text


def many(number: int, one: str, more: str | None = None) -> str:
    """``3 cassettes``."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"
