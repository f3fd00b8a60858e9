"""``python -m benches.python.table``: each operation of the core against the plain Python way, in one run.

The results of both are checked to be equal before anything is timed. A goal that is missed is marked; the exit status stays 0, for a
shared machine has bad moments.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from llm_vcr import _core

from benches.python.measure import Pair, pair
from benches.python.operations import OPERATIONS, Operation


class Row(NamedTuple):
    """An operation and what came out."""

    operation: Operation
    got: Pair

    @property
    def ok(self) -> bool | None:
        """Whether it got what it must; ``None`` where there is no goal."""
        return None if self.operation.must is None else self.got.ratio >= self.operation.must

    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        operation, got = self.operation, self.got
        mark = {None: "", True: "ok", False: "MISSED"}[self.ok]
        return operation.name, _time(got.plain), _time(got.ours), _ratio(got.ratio), _ratio(operation.must), _ratio(operation.aim), mark


def measured(operation: Operation) -> Row:
    """Check that both ways give the same, then time them."""
    plain, ours = operation.prepare()
    assert plain() == ours(), f"{operation.name}: the plain way and ours differ"
    return Row(operation, pair(plain, ours))


def _time(seconds: float) -> str:
    unit, factor = next(((unit, factor) for unit, factor in (("ms", 1e3), ("µs", 1e6)) if seconds * factor >= 1), ("ns", 1e9))
    value = seconds * factor
    return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f} {unit}"


def _ratio(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} x" if value >= 100 else f"{value:.3g} x"


def _print(cells: Iterable[str]) -> None:
    name, *rest = cells
    print(f"{name:<46}" + "".join(f"{cell:>12}" for cell in rest), flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benches.python.table", description=__doc__)
    parser.add_argument("--only", metavar="NAME", default="", help="operations whose name holds this text")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there too")
    options = parser.parse_args(arguments)
    if _core.DEBUG:
        parser.error("this is a debug build of the core, whose times say nothing: run `make build`")
    operations = [operation for operation in OPERATIONS if options.only in operation.name]
    if not operations:
        parser.error(f"no operation is called {options.only!r}")
    _print(("operation (CPU time, medians)", "plain", "ours", "ratio", "must", "aim", ""))
    rows = []
    for operation in operations:
        rows.append(measured(operation))
        _print(rows[-1].cells())
    missed = [row.operation.name for row in rows if row.ok is False]
    print(f"\nMISSED: {', '.join(missed)}" if missed else "\nevery goal reached")
    if options.json:
        options.json.write_text(json.dumps([_record(row) for row in rows], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def _record(row: Row) -> dict[str, object]:
    operation, got = row.operation, row.got
    goals = {"must": operation.must, "aim": operation.aim}
    return {"operation": operation.name, "plain": got.plain, "ours": got.ours, "ratio": got.ratio, **goals, "ok": row.ok}


if __name__ == "__main__":
    sys.exit(main())
