"""``python -m benches.python.replay``: cassettes recorded and replayed with llm_vcr, stock vcrpy and cassetter, in one run.

CPU time of a whole cassette (entry, requests through a real httpx client, exit), each implementation in a process of its own, in turns;
what is compared are medians. Cassetter lives in a virtual environment of its own: it cannot be installed beside pytest-recording.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from llm_vcr import _core

from benches import budgets

ROOT = Path(__file__).parents[2]
CASSETTER = "0.16.1"
CLIENTS = ("aiohttp", "httpx", "httpx2", "requests", "pytest", "pytest-xdist")
"""What stands beside cassetter: the clients that are installed beside ours too, for each is patched on entry; and what runs its suites."""


class Goal(NamedTuple):
    """What is measured of a case; how many times faster than the others it must be stands in the budgets."""

    title: str
    do: str
    case: str
    part: str
    repeats: int = 5

    @property
    def budget(self) -> dict[str, Any]:
        """The row of ``budgets.toml``."""
        return BUDGETS[self.title]


BUDGETS = budgets.section("replay")
GOALS = (
    Goal("a · 1 small JSON episode", "replay", "a", "all", 40),
    Goal("b · 50 × (20 KB + 20 KB)", "replay", "b", "all", 3),
    Goal("c · 1 × 4 MB base64 JSON, media kept", "replay", "c", "all"),
    Goal("c' · the same, media shrunk", "replay", "c'", "all"),
    Goal("c2 · 1 × 4 MB PNG", "replay", "c2", "all"),
    Goal("d · 20 SSE streams × 200 events", "replay", "d", "all"),
    Goal("200-message chat history, 25 episodes, per request", "replay", "history", "request", 1),
    Goal("recording (save) of b", "record", "b", "save", 3),
    Goal("recording (save) of c", "record", "c", "save", 3),
    Goal("recording (save) of d", "record", "d", "save", 3),
    Goal("image edit, 4 MB up and 4 MB down, load", "replay", "edit", "all", 3),
    Goal("image edit, 4 MB up and 4 MB down, save", "record", "edit", "save", 3),
)
LIMITS = budgets.section("limits")
FLAT = "1,000 episodes in one cassette: a request, of one in a cassette of its own"
ROUNDS = 7
"""Of a cassette's replay: it takes so little that a few would measure the minute."""
REDIS = 1.2
"""How much more a replay from Redis on the loopback may cost than one from files."""
PEAKS = {"c": "memory of a replay of c (4 MB), of its size", "c2": "memory of a replay of c2 (4 MB), of its size"}


class Implementation:
    """A worker process."""

    def __init__(self, python: Path, name: str, folder: Path, port: int, redis: str | None = None) -> None:
        self.folder = folder / name
        arguments = [str(python), "-m", "benches.python.replay_worker", name, str(self.folder), str(port)]
        environment = os.environ if redis is None else {**os.environ, "LLM_VCR_BENCH_REDIS": redis}
        self.process = subprocess.Popen(arguments, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, do: str, case: str, repeats: int = 1, **more: Any) -> list[dict[str, float]]:
        """What it measured, once for each repeat."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, "case": case, "repeats": repeats, **more}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(map(str, self.process.args))} ended: {do} {case}")
        answer: list[dict[str, float]] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


@contextlib.contextmanager
def recording_server() -> Iterator[int]:
    """The port of the server that everybody records from."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benches.python.replay_cases"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        yield int(server.stdout.readline())
    finally:
        server.communicate(timeout=60)


@contextlib.contextmanager
def _redis(wanted: bool) -> Iterator[str | None]:
    """The URL of a redis-server of our own on the loopback."""
    if not wanted:
        yield None
        return
    from tests.redis_server import RedisServer

    with RedisServer() as server:
        yield server.url


@contextlib.contextmanager
def implementations(names: list[str], folder: Path) -> Iterator[dict[str, Implementation]]:
    """A worker for each name, and the server they record from."""
    with recording_server() as port, _redis("redis" in names) as redis:
        pythons = {name: cassetter() if name == "cassetter" else Path(sys.executable) for name in names}
        made = {name: Implementation(pythons[name], name, folder, port, redis) for name in names}
        try:
            yield made
        finally:
            for one in made.values():
                one.close()


def cassetter() -> Path:
    """The Python of an environment that has cassetter, made when first asked for."""
    home = ROOT / ".venv-cassetter"
    python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = home / f"cassetter-{CASSETTER}-with-{len(CLIENTS)}"
    if not stamp.exists():
        venv.create(home, with_pip=True)
        beside = [f"{name}=={version(name)}" for name in CLIENTS]
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"cassetter=={CASSETTER}", *beside], check=True)
        stamp.touch()
    return python


def median(worker: Implementation, goal: Goal, rounds: int) -> Iterator[float]:
    """Medians of ``goal``, one for each round, as they are asked for."""
    for _ in range(rounds):
        yield statistics.median(one[goal.part] for one in worker.ask(goal.do, goal.case, goal.repeats))


class Row(NamedTuple):
    """A goal and the seconds of each implementation."""

    goal: Goal
    seconds: dict[str, float]

    def ratio(self, other: str) -> float | None:
        """How many times faster ours is."""
        return self.seconds[other] / self.seconds["ours"] if other in self.seconds else None

    @property
    def missed(self) -> bool:
        """Whether a goal is missed."""
        pairs = ((self.ratio(other), self.goal.budget.get(other)) for other in ("stock", "cassetter"))
        return any(got is not None and must is not None and got < must for got, must in pairs)

    def __str__(self) -> str:
        cells = [f"{self.goal.title:<52}", *(f"{1e3 * self.seconds[name]:10.2f}" for name in self.seconds)]
        for other in ("stock", "cassetter"):
            got, must = self.ratio(other), self.goal.budget.get(other)
            cells.append(" " * 16 if got is None else f"{got:7.1f} | {must or '-':>5} ")
        if "redis" in self.seconds:
            cells.append(f"from Redis {self.seconds['redis'] / self.seconds['ours']:.2f} of files | {REDIS}")
        return " ".join([*cells, "MISSED" if self.missed else ""])


def measure(workers: dict[str, Implementation], goals: list[Goal], rounds: int) -> Iterator[Row]:
    """A row for each goal: the median of ``rounds`` turns."""
    recorded = set()
    for goal in goals:
        if goal.case not in recorded:
            recorded.add(goal.case)
            for worker in workers.values():
                worker.ask("record", goal.case)
        turns = {name: median(worker, goal, rounds) for name, worker in workers.items()}
        seen: dict[str, list[float]] = {name: [] for name in workers}
        for _ in range(rounds):
            for name, turn in turns.items():
                seen[name].append(next(turn))
        yield Row(goal, {name: statistics.median(values) for name, values in seen.items()})


def limited(worker: Implementation, rounds: int) -> Iterator[tuple[str, Callable[[], float]]]:
    """The figures that have an upper limit, by their names in the budgets, and how to measure them."""
    for case in ("a", "n=1", "n=1000", *PEAKS):
        worker.ask("record", case)

    def flatness() -> float:
        one, many = [], []
        for _ in range(rounds):
            one.append(statistics.median(run["request"] for run in worker.ask("replay", "n=1", 40)))
            many.append(worker.ask("replay", "n=1000")[0]["request"])
        return statistics.median(many) / statistics.median(one)

    yield FLAT, flatness
    for case, name in PEAKS.items():
        yield name, functools.partial(_peak, worker, case)


def _peak(worker: Implementation, case: str) -> float:
    return worker.ask("peak", case)[0]["all"] / 4


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", help="titles that begin so")
    parser.add_argument("--without", nargs="*", default=[], help="implementations to leave out")
    options = parser.parse_args()
    assert not _core.DEBUG, "a debug build says nothing"
    goals = [goal for goal in GOALS if options.only is None or goal.title.startswith(options.only)]
    names = [name for name in ("ours", "stock", "cassetter", "redis") if name not in options.without]
    with tempfile.TemporaryDirectory() as folder, implementations(names, Path(folder)) as workers:
        print(f"{'CPU ms, medians':<52} {' '.join(f'{name:>10}' for name in names)}   vs stock | goal   vs cassetter | goal")
        for row in measure(workers, goals, options.rounds):
            print(row, flush=True)
        if options.only is None:
            for name, measured in limited(workers["ours"], options.rounds):
                figure, limit = measured(), LIMITS[name]["limit"]
                print(f"{name:<75} {figure:5.2f} | at most {limit} {'MISSED' if figure > limit else ''}", flush=True)


if __name__ == "__main__":
    main()
