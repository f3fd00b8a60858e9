"""``python -m benches.gate``: fails where something became slower than its budget (`make bench-gate`).

Instructions of the core may be 2 % off their counts, either way; everything that crosses Python is held to a ratio of CPU times, measured
in turns in one run. A ratio below its gate is measured twice more before it counts: a shared machine has bad moments, and a slower program
has only those.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benches import budgets, counts

_TRIES = 3


class Row(NamedTuple):
    """What was measured, and what it may be."""

    name: str
    figure: str
    budget: str
    verdict: str
    """Empty where it is as it should be."""
    red: bool = False

    def __str__(self) -> str:
        return f"{self.name:<76} {self.figure:>16} {self.budget:>16}  {self.verdict or 'ok'}"


def at_least(name: str, measure: Callable[[], float], least: float) -> Row:
    """A ratio that must not fall below ``least``: the best of up to three."""
    best = measure()
    for _ in range(_TRIES - 1):
        if best >= least:
            break
        best = max(best, measure())
    red = best < least
    return Row(name, f"{best:.3g} x", f"{least:g} x", f"RED: {1 - best / least:.0%} below" if red else "", red)


def at_most(name: str, measure: Callable[[], float], most: float) -> Row:
    """A figure that must not rise above ``most``: the best of up to three."""
    best = measure()
    for _ in range(_TRIES - 1):
        if best <= most:
            break
        best = min(best, measure())
    red = best > most
    return Row(name, f"{best:.3g}", f"at most {most:g}", f"RED: {best / most - 1:.0%} above" if red else "", red)


def compared(now: Mapping[str, int], before: Mapping[str, int]) -> Iterator[Row]:
    """A row for each count."""
    for name in sorted({*now, *before}):
        title = f"instructions of {name}"
        if name not in before:
            yield Row(title, f"{now[name]:,}", "none", "RED: no count to compare with: make bench-counts", red=True)
        elif name not in now:
            yield Row(title, "gone", f"{before[name]:,}", "RED: no longer measured: make bench-counts", red=True)
        else:
            more = now[name] - before[name]
            verdict = ""
            if abs(more) > counts.TOLERANCE * before[name]:
                off = f"{abs(more) / before[name]:.1%}"
                verdict = f"RED: {off} more" if more > 0 else f"RED: {off} fewer: tighten the budget (make bench-counts)"
            yield Row(title, f"{now[name]:,}", f"{before[name]:,} ± {counts.TOLERANCE:.0%}", verdict, bool(verdict))


def core(tree: Path = counts.ROOT, base: tuple[str, Mapping[str, int]] | None = None) -> Iterator[Row]:
    """The instructions of the core in a source tree."""
    what, before = base or counts.base()
    print(f"instructions against {what}", flush=True)
    yield from compared(counts.count(tree), before)


def operations() -> Iterator[Row]:
    """Each operation against the plain Python way."""
    from benches.python.operations import GOALS, OPERATIONS
    from benches.python.table import measured

    for operation in OPERATIONS:
        least = budgets.gate(GOALS[operation.name])
        if least is not None:
            yield at_least(operation.name, lambda operation=operation: measured(operation).got.ratio, least)


def replay() -> Iterator[Row]:
    """Cassettes against stock vcrpy, and what has an upper limit."""
    from benches.python import replay as cassettes

    with tempfile.TemporaryDirectory() as folder, cassettes.implementations(["ours", "stock"], Path(folder)) as workers:
        for goal in cassettes.GOALS:
            least = budgets.gate(goal.budget)
            assert least is not None, goal.title

            def ratio(goal: cassettes.Goal = goal) -> float:
                (row,) = cassettes.measure(workers, [goal], rounds=3)
                found = row.ratio("stock")
                assert found is not None
                return found

            yield at_least(goal.title, ratio, least)
        for name, measure in cassettes.limited(workers["ours"], rounds=3):
            most = budgets.gate(cassettes.LIMITS[name])
            assert most is not None, name
            yield at_most(name, measure, most)


def whole() -> Iterator[Row]:
    """Whole pytest runs against stock pytest-recording, where they do not take minutes."""
    from benches.python import suites

    for suite in suites.SUITES:
        if (least := suites.BUDGETS[suite.title].get("gate")) is not None:
            yield at_least(suite.title, lambda suite=suite: suites.measure(suite, ["ours", "stock", "bare"], 3).ratio("stock"), least)


SECTIONS: dict[str, Callable[[], Iterator[Row]]] = {"counts": core, "operations": operations, "replay": replay, "suites": whole}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row for each budget; 1 where one is exceeded."""
    parser = argparse.ArgumentParser(
        prog="python -m benches.gate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; all of them if none is named")
    options = parser.parse_args(arguments)
    if unknown := [one for one in options.sections if one not in SECTIONS]:
        parser.error(f"no section is called {unknown[0]!r}: there are {', '.join(SECTIONS)}")
    refuse_debug_build(parser)
    try:
        return judge({name: SECTIONS[name] for name in options.sections or SECTIONS})
    except counts.CannotCountError as error:
        parser.exit(2, f"{error}\n")


def judge(sections: Mapping[str, Callable[[], Iterable[Row]]]) -> int:
    """Print each row as it comes, and the red ones again; 1 where there is one."""
    red = []
    for rows in sections.values():
        for row in rows():
            print(row, flush=True)
            red += [row] if row.red else []
    if red:
        print(f"\nRED: {len(red)} beyond budget (benches/data)", *red, sep="\n")
        return 1
    print("\ngreen: everything is within its budget")
    return 0


def refuse_debug_build(parser: argparse.ArgumentParser) -> None:
    """End where the core was built to be debugged."""
    from llm_vcr import _core

    if _core.DEBUG:
        parser.error("this is a debug build of the core, whose times say nothing: run `make build`")


if __name__ == "__main__":
    sys.exit(main())
