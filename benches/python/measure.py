"""Two ways to do one thing, timed in turns, so that what else the machine does falls on both alike."""

import gc
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

Work = Callable[[], object]

_BATCH = 0.002
"""A single timing lasts at least so many seconds: what is shorter is repeated, as a clock costs half a microsecond."""
_ROUNDS = range(9, 101)
_BUDGET = 3.0
"""Seconds for one pair; the least number of rounds is done all the same."""


class Pair(NamedTuple):
    """CPU seconds of one call, the median of all rounds."""

    plain: float
    ours: float

    @property
    def ratio(self) -> float:
        """How many times as fast ours is."""
        return self.plain / self.ours


def pair(plain: Work, ours: Work) -> Pair:
    """Time both ways in turns, with the garbage collector off."""
    works = (plain, ours)
    counts = [_calls(work) for work in works]
    times: tuple[list[float], list[float]] = ([], [])
    gc.collect()
    gc.disable()
    try:
        started = time.perf_counter()
        for number in range(_ROUNDS.stop):
            if number >= _ROUNDS.start and time.perf_counter() - started > _BUDGET:
                break
            # Who begins alternates too: the second finds warmer caches.
            for which in (0, 1) if number % 2 else (1, 0):
                times[which].append(_batch(works[which], counts[which]))
    finally:
        gc.enable()
    return Pair(statistics.median(times[0]), statistics.median(times[1]))


def _batch(work: Work, calls: int) -> float:
    """CPU seconds of one call among ``calls``: other processes do not count, and the loop itself costs both ways the same."""
    repeat = range(calls)
    started = time.process_time()
    for _ in repeat:
        work()
    return (time.process_time() - started) / calls


def _calls(work: Work) -> int:
    calls = 1
    while (once := _batch(work, calls)) * calls < _BATCH:
        calls = max(calls * 2, min(int(_BATCH / max(once, 1e-9)) + 1, calls * 20))
    return calls
