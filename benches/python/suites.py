"""``python -m benches.python.suites``: whole pytest runs that replay, with llm_vcr, stock pytest-recording and cassetter.

CPU time of a run and of its workers, from the first import to the last line of the summary. What a run needs without any cassettes (its
calls are answered from memory) is measured beside it, in each environment: the *overhead* is what lies above that.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from benches import budgets
from benches.python.replay import ROOT, cassetter, recording_server

BUDGETS = budgets.section("suites")


class Suite(NamedTuple):
    """So many tests with so many calls each."""

    title: str
    tests: int
    calls: int
    case: str
    workers: int
    overhead: bool
    """Overheads are compared, and not whole runs."""


SUITES = (
    Suite("200 tests × 3 × 20 KB, whole pytest run, overhead above the bare suite", 200, 3, "suite 20 KB", 0, overhead=True),
    Suite("200 tests × 20 × 20 KB, whole pytest run", 200, 20, "suite 20 KB", 0, overhead=False),
    Suite("2,000 small tests under -n 2, overhead above the bare suite", 2000, 1, "suite small", 2, overhead=True),
)
_MODULES = 20
ROUNDS = 3
"""Of a whole run, which takes up to a minute."""

_TESTS = """\
import pytest

from benches.python.replay_cases import exchange

{mark}

def talk(client, case, first, calls):
    for number in range(first, first + calls):
        found = exchange(case, number)
        headers = {{"content-type": found.request_type, "x-episode": f"{{case}}/{{number}}"}}
        answer = client.post("http://127.0.0.1:{port}/v1/chat/completions", content=found.body, headers=headers)
        assert answer.json()["id"] == f"chatcmpl-{{number}}"
"""
_TEST = """

def test_{number}(client):
    talk(client, {case!r}, {first}, {calls})
"""
_CONFTEST = """\
import httpx
import pytest


@pytest.fixture(scope="session")
def client():
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield client
"""
_ON_CASSETTES = {
    "ours": "",
    "redis": "",
    # While it records, stock compares nothing: with bodies it would take ten minutes to look through what it has just recorded.
    "stock": """

@pytest.fixture
def vcr_config(record_mode):
    return {"match_on": ["method", "scheme", "host", "port", "path", "query"] + (["body"] if record_mode == "none" else [])}
""",
    "cassetter": """

@pytest.fixture(scope="module")
def vcr_config():
    return {"match_on": ["method", "uri", "body"]}
""",
    # Answered as early as a cassette could.
    "bare": """

def answered(transport, request):
    from benches.python.replay_cases import exchange

    case, _, number = request.headers["x-episode"].partition("/")
    found = exchange(case, int(number))
    return httpx.Response(200, headers={"content-type": found.answer_type}, content=found.answer)


httpx.HTTPTransport.handle_request = answered
""",
}
_OTHERS = ("anyio", "asyncio", "hypothesispytest", "rerunfailures", "cacheprovider", "benchmark")
_WITHOUT = {
    "ours": _OTHERS,
    "redis": _OTHERS,
    "stock": (*_OTHERS, "llm_vcr"),
    "bare": (*_OTHERS, "llm_vcr", "recording"),
    "cassetter": _OTHERS,
    "bare beside cassetter": (*_OTHERS, "cassetter"),
}


NAMES = [name for name in _WITHOUT if name != "redis"]


def write(folder: Path, suite: Suite, implementation: str, port: int) -> None:
    """Write the suite."""
    folder.mkdir(parents=True)
    ours = implementation in ("ours", "redis")
    settings = "llm_vcr = auto\nllm_vcr_provider_hosts = 127.0.0.1\nllm_vcr_media = keep\n" if ours else ""
    (folder / "pytest.ini").write_text("[pytest]\n" + settings, "utf-8")
    (folder / "conftest.py").write_text(_CONFTEST + _ON_CASSETTES[implementation.partition(" ")[0]], "utf-8")
    mark = "" if ours or implementation.startswith("bare") else "pytestmark = pytest.mark.vcr"
    numbers = iter(range(suite.tests))
    for module in range(_MODULES):
        text = _TESTS.format(mark=mark, port=port)
        for number in (next(numbers) for _ in range(suite.tests // _MODULES)):
            text += _TEST.format(number=number, case=suite.case, first=number * suite.calls, calls=suite.calls)
        (folder / f"test_{module}.py").write_text(text, "utf-8")


class Runner:
    """One implementation's copy of a suite."""

    def __init__(self, folder: Path, suite: Suite, implementation: str, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._suite = suite
        self._name = implementation
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", **environment}
        # As on anybody's machine: modules are compiled once.
        for name in ("CI", "PYTHONDONTWRITEBYTECODE"):
            self._environment.pop(name, None)

    def record(self) -> None:
        """Record every cassette; a first run for those that record nothing, as the first one compiles the tests."""
        self._run(*([] if self._name.startswith("bare") else ["--record-mode=all"]), workers=0)

    def replay(self) -> float:
        """CPU seconds of a replay."""
        return self._run(*([] if self._name.startswith("bare") else ["--record-mode=none"]), workers=self._suite.workers)

    def _run(self, *options: str, workers: int) -> float:
        python = cassetter() if "cassetter" in self._name else Path(sys.executable)
        without = [word for name in _WITHOUT[self._name] for word in ("-p", f"no:{name}")]
        parallel = ["-n", str(workers)] if workers else ["-p", "no:xdist"]
        command = [str(python), "-m", "pytest", "-q", *without, *parallel, *options]
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(command, cwd=self._folder, env=self._environment, stdout=output, stderr=output)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            said = output.read().decode("utf-8", "replace")
        if process.returncode or f"{self._suite.tests} passed" not in said:
            raise SystemExit(f"{self._name}: {' '.join(command)} ended with {process.returncode}:\n{said[-4000:]}")
        return usage.ru_utime + usage.ru_stime


class Row(NamedTuple):
    """A suite, and the CPU seconds of each implementation's run."""

    suite: Suite
    seconds: dict[str, float]

    def overhead(self, name: str) -> float:
        """Seconds above the bare suite."""
        return self.seconds[name] - self.seconds["bare beside cassetter" if name == "cassetter" else "bare"]

    def ratio(self, other: str) -> float | None:
        """How many times as much the other one needs."""
        if other not in self.seconds:
            return None
        if self.suite.overhead:
            # Noise may leave nothing above the bare suite; that is no ratio.
            if self.overhead("ours") <= 0:
                return float("inf")
            return self.overhead(other) / self.overhead("ours")
        return self.seconds[other] / self.seconds["ours"]

    @property
    def ms_a_test(self) -> float:
        """Milliseconds of overhead for each test."""
        return 1e3 * self.overhead("ours") / self.suite.tests

    @property
    def missed(self) -> bool:
        """Whether a goal is missed."""
        goals = BUDGETS[self.suite.title]
        ratios = ((self.ratio(other), goals.get(other)) for other in ("stock", "cassetter"))
        return any(got is not None and must is not None and got < must for got, must in ratios) or self.ms_a_test > goals.get("ms", 1e9)

    def lines(self) -> Iterator[str]:
        """The row as text."""
        yield self.suite.title + ("   MISSED" if self.missed else "")
        goals = BUDGETS[self.suite.title]
        for name, seconds in self.seconds.items():
            ratio = self.ratio(name) if name in ("stock", "cassetter") else None
            told = f"  {name:<24} {seconds:8.2f} s"
            if not name.startswith("bare"):
                told += f"   overhead {1e3 * self.overhead(name) / self.suite.tests:6.2f} ms a test"
            if ratio is not None:
                told += f"   {ratio:6.1f} x of ours | {goals.get(name, '-')}"
            yield told + (f"   | at most {goals['ms']} ms" if name == "ours" and "ms" in goals else "")


def measure(suite: Suite, names: list[str], rounds: int, redis_url: str | None = None) -> Row:
    """Record with each implementation and replay in turns; medians. What takes minutes is run once."""
    with tempfile.TemporaryDirectory() as place, recording_server() as port:
        runners = {}
        for name in names:
            folder = Path(place) / name.replace(" ", "-")
            write(folder, suite, name, port)
            runners[name] = Runner(folder, suite, name, {"LLM_VCR_STORE": redis_url} if name == "redis" and redis_url else {})
            runners[name].record()
        seen: dict[str, list[float]] = {name: [] for name in names}
        for number in range(rounds):
            for name, runner in runners.items():
                if name != "stock" or number == 0 or suite.calls < 20:
                    seen[name].append(runner.replay())
    return Row(suite, {name: statistics.median(values) for name, values in seen.items()})


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benches.python.suites", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="suites whose title begins so")
    parser.add_argument("--without", nargs="*", default=[], help="implementations to leave out")
    options = parser.parse_args()
    names = [name for name in NAMES if name not in options.without]
    for suite in SUITES:
        if suite.title.startswith(options.only):
            print(*measure(suite, names, options.rounds).lines(), sep="\n", flush=True)


if __name__ == "__main__":
    main()
