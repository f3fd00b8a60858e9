"""``python -m benches.python.document [SECTION …]`` (`make bench-table`): measures, and writes the tables of README.md and RESULTS.md.

What was measured stays in ``benches/data/figures.json``, section by section: some take minutes, and a quiet machine is rare.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benches import budgets
from benches.python import replay, suites, yaml_files
from benches.python.replay import CASSETTER, ROOT

FIGURES = budgets.DATA / "figures.json"
PLACES = ("README.md", "benches/RESULTS.md")
_BEGIN, _END = "<!-- replay: written by make bench-table -->", "<!-- /replay -->"

Figure = dict[str, Any]
"""A row: ``name``, ``ms`` by implementation where it is a time, and of what was set a goal ``got`` and ``goal`` by what it is against."""


def replayed(rounds: int) -> Iterator[Figure]:
    """Cassettes by themselves, from files and from Redis."""
    names = ["ours", "stock", "cassetter", "redis"]
    with tempfile.TemporaryDirectory() as folder, replay.implementations(names, Path(folder)) as workers:
        for row in replay.measure(workers, list(replay.GOALS), rounds):
            yield _told(row.goal.title, {name: 1e3 * value for name, value in row.seconds.items()}, row.ratio, row.goal.budget)


def limited(rounds: int) -> Iterator[Figure]:
    """What has an upper limit."""
    with tempfile.TemporaryDirectory() as folder, replay.implementations(["ours"], Path(folder)) as workers:
        for name, measure in replay.limited(workers["ours"], rounds):
            yield {"name": name, "got": {"limit": measure()}, "goal": {"limit": replay.LIMITS[name]["limit"]}}


def whole(rounds: int) -> Iterator[Figure]:
    """Whole pytest runs."""
    for suite in suites.SUITES:
        row = suites.measure(suite, suites.NAMES, rounds)
        ms = {name: 1e3 * value for name, value in row.seconds.items()}
        figure = _told(suite.title, ms, row.ratio, suites.BUDGETS[suite.title])
        if "ms" in suites.BUDGETS[suite.title]:
            figure["got"]["ms"] = row.ms_a_test
        yield figure


def loaded(rounds: int) -> Iterator[Figure]:
    """Real files, where ``LLM_VCR_BENCH_FILES`` says where they are."""
    if place := os.environ.get("LLM_VCR_BENCH_FILES"):
        row = yaml_files.measure(Path(place), rounds)
        ms = {"ours": 1e3 * row.ours, "PyYAML": 1e3 * row.pyyaml, "cassetter": 1e3 * row.cassetter}
        got = {"pyyaml": row.pyyaml / row.ours, "cassetter": row.cassetter / row.ours}
        yield {"name": yaml_files.TITLE, "ms": ms, "got": got, "goal": dict(yaml_files.BUDGET)}


SECTIONS: dict[str, tuple[Callable[[int], Iterator[Figure]], int]] = {
    "replay": (replayed, replay.ROUNDS),
    "limits": (limited, replay.ROUNDS),
    "yaml": (loaded, yaml_files.ROUNDS),
    "suites": (whole, suites.ROUNDS),
}
"""What measures each section, and in how many rounds."""


ORDER = [*replay.BUDGETS, *replay.LIMITS, *suites.BUDGETS, yaml_files.TITLE]


def _told(name: str, ms: Mapping[str, float], ratio: Callable[[str], float | None], goals: Mapping[str, Any]) -> Figure:
    got = {other: value for other in ("stock", "cassetter") if (value := ratio(other)) is not None}
    if "redis" in ms:
        got["redis"] = ms["redis"] / ms["ours"]
    return {"name": name, "ms": dict(ms), "got": got, "goal": {name: goal for name, goal in goals.items() if name != "gate"}}


def table(figures: Mapping[str, Any]) -> str:
    """The tables as Markdown."""
    lines = [
        f"| CPU time of a replay | vs stock vcrpy {figures['vcrpy']} | goal | vs cassetter {CASSETTER} | goal | from Redis, of files |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    rows = [one for name in ("replay", "yaml", "suites") for one in figures.get(name, ())]
    for one in rows:
        got, goal = one["got"], one["goal"]
        first = "pyyaml" if "pyyaml" in got else "stock"
        said = " PyYAML's C loader" if first == "pyyaml" else ""
        cells = [one["name"], _ratio(got.get(first), goal.get(first)), _goal(goal.get(first), said)]
        cells += [_ratio(got.get("cassetter"), goal.get("cassetter")), _goal(goal.get("cassetter"))]
        lines.append(f"| {' | '.join([*cells, _share(got.get('redis'))])} |")
    lines += ["", "| | got | at most |", "|---|---:|---:|"]
    for one in figures.get("limits", ()):
        lines.append(f"| {one['name']} | {_most(one['got']['limit'], one['goal']['limit'])} | {one['goal']['limit']:g} × |")
    for one in figures.get("suites", ()):
        if "ms" in one["goal"]:
            lines.append(f"| {one['name']}, a test | {_most(one['got']['ms'], one['goal']['ms'], ' ms')} | {one['goal']['ms']:g} ms |")
    return "\n".join([*lines, "", f"Medians of CPU time, measured in turns in one run on {figures['machine']}. Bold: the goal is missed."])


def _ratio(got: float | None, goal: float | None) -> str:
    if got is None:
        return "–"
    text = f"{got:,.0f} ×" if got >= 100 else f"{got:.1f} ×"
    return f"**{text}**" if goal is not None and got < goal else text


def _goal(goal: float | None, said: str = "") -> str:
    return "–" if goal is None else f"≥ {goal:g} ×{said}"


def _share(got: float | None) -> str:
    if got is None:
        return ""
    return f"**{got:.2f} ×**" if got > replay.REDIS else f"{got:.2f} ×"


def _most(got: float, most: float, unit: str = " ×") -> str:
    text = f"{got:.2f}{unit}"
    return f"**{text}**" if got > most else text


def write(figures: Mapping[str, Any]) -> None:
    """Put the tables between the comments that mark their place.

    Raises:
        ValueError: where a document does not have that place once.
    """
    for name in PLACES:
        path = ROOT / name
        text, places = re.subn(
            f"{_BEGIN}.*?{_END}", lambda _: f"{_BEGIN}\n{table(figures)}\n{_END}", path.read_text("utf-8"), flags=re.DOTALL
        )
        if places != 1:
            raise ValueError(f"{name} has {places} places for the table of replays, not 1")
        path.write_text(text, "utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Measure the sections that are named, or all of them, and write the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benches.python.document", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; none: all")
    parser.add_argument("--rounds", type=int, help="in the place of each section's own number")
    parser.add_argument("--write", action="store_true", help="measure nothing, write the tables from the figures there are")
    options = parser.parse_args(arguments)
    if unknown := [one for one in options.sections if one not in SECTIONS]:
        parser.error(f"no section is called {unknown[0]!r}: there are {', '.join(SECTIONS)}")
    figures: dict[str, Any] = json.loads(FIGURES.read_text("utf-8")) if FIGURES.exists() else {}
    for name in [] if options.write else options.sections or SECTIONS:
        measured, rounds = SECTIONS[name]
        for one in measured(options.rounds or rounds):
            print(one["name"], {against: round(value, 2) for against, value in one["got"].items()}, flush=True)
            # One by one: whoever ends a run early keeps what it has measured.
            others = [old for old in figures.get(name, ()) if old["name"] != one["name"]]
            figures[name] = sorted([*others, one], key=lambda row: ORDER.index(row["name"]))
            figures["vcrpy"] = version("vcrpy")
            figures["machine"] = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, CPython {platform.python_version()}"
            FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    write(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
