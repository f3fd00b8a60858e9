"""Runs this suite twice: once against a provider stand-in, once with the stand-in stopped and no key.

Usage: ``python examples/demo.py [--stock] [--json] [--keep DIR]`` with a Python that has llm_vcr, pytest, pytest-asyncio,
openai and anthropic. Nothing leaves 127.0.0.1 and the checkout stays as it was: the suite runs as a copy.

What is proved, or the exit status is 1 and the reason is said: the second run's tests pass, it makes no live call by
our count or by the stand-in's, it replays as many calls as the first one recorded, and every answer is the first run's
byte for byte (media may be smaller; type, width and height must be the same).

With ``--stock`` the same suite runs under stock vcrpy + pytest-recording, matching on the body, with the stand-in left
running to count the calls that go live.

With ``--json`` standard output is one JSON document, and what is told on the way goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent

STOCK_CONFTEST = """

# Added by `demo.py --stock`: what a careful user of stock vcrpy + pytest-recording writes.
@pytest.fixture(scope="session")
def vcr_config() -> dict[str, Any]:
    return {
        "match_on": ["method", "scheme", "host", "port", "path", "query", "body"],
        "filter_headers": ["authorization", "x-api-key"],
    }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.vcr)
"""


def fail(reason: str) -> NoReturn:
    """Ends the demo with a reason."""
    sys.exit(f"\ndemo failed: {reason}")


class StandIn:
    """The provider stand-in in a process of its own."""

    def __init__(self, folder: Path) -> None:
        announce = folder / "port"
        self.log = folder / "calls.jsonl"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fake_provider", "--announce", str(announce), "--log", str(self.log)],
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        )
        deadline = time.monotonic() + 30
        while not announce.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                fail("the provider stand-in did not start")
            time.sleep(0.02)
        self.port = int(announce.read_text(encoding="utf-8"))
        self.url = f"http://127.0.0.1:{self.port}"

    def calls(self) -> list[dict[str, Any]]:
        """Every call it was sent so far, by its own log."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def stop(self) -> None:
        """Ends this very process and waits for its end; twice is once."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def is_closed(self) -> bool:
        """Whether its port refuses connections."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.settimeout(2)
            return probe.connect_ex(("127.0.0.1", self.port)) != 0


@contextmanager
def stand_in(folder: Path) -> Iterator[StandIn]:
    """A stand-in that does not outlive the block."""
    provider = StandIn(folder)
    try:
        yield provider
    finally:
        provider.stop()


@dataclass
class Counts:
    """What the plugin says of one test."""

    outcome: str
    verdict: str = ""
    live: int = 0
    recorded: int = 0
    played: int = 0
    repeated: int = 0


@dataclass
class Run:
    """One run of the suite."""

    seconds: float
    output: str
    status: int
    answers: Path
    tests: dict[str, Counts] = field(default_factory=dict)

    def total(self, name: str) -> int:
        """The sum of one count over all tests."""
        return sum(int(getattr(counts, name)) for counts in self.tests.values())


def environment(url: str, answers: Path, keys: dict[str, str]) -> dict[str, str]:
    """The caller's environment without keys, proxies' detours and settings that would change the run."""
    secret = re.compile(r"API_?KEY|TOKEN|SECRET|PASSWORD|^(OPENAI|ANTHROPIC|LLM_VCR|PYTEST)_|^CI$", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if not secret.search(name)}
    return kept | {
        "LLM_VCR_DEMO_URL": url,
        "LLM_VCR_DEMO_ANSWERS": str(answers),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        **keys,
    }


def run_suite(suite: Path, name: str, url: str, keys: dict[str, str], *options: str) -> Run:
    """Runs the copied suite in a pytest process of its own."""
    answers = suite.parent / f"answers-{name}"
    answers.mkdir()
    report = suite.parent / f"junit-{name}.xml"
    begun = time.monotonic()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--quiet", "--color=no", "-p", "no:cacheprovider"),
            *(f"--junitxml={report}", "--record-mode=new_episodes", *options),
        ],
        cwd=suite,
        env=environment(url, answers, keys),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    run = Run(time.monotonic() - begun, done.stdout, done.returncode, answers)
    if report.exists():
        run.tests = dict(read_report(report))
    return run


def read_report(report: Path) -> Iterator[tuple[str, Counts]]:
    """The tests in a JUnit report, with the counts that the plugin attached to them."""
    for case in ElementTree.parse(report).iter("testcase"):
        bad = [kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None]
        counts = Counts(outcome=bad[0] if bad else "passed")
        for entry in case.iterfind("properties/property[@name='llm_vcr']"):
            known = json.loads(entry.get("value", "{}"))
            counts.verdict = str(known.get("verdict", ""))
            for name in ("live", "recorded", "played", "repeated"):
                setattr(counts, name, int(known.get(name, 0)))
        yield f"{case.get('classname')}::{case.get('name')}", counts


def copy_suite(folder: Path) -> Path:
    """A copy of the suite, without this runner and without cassettes."""
    suite = folder / "suite"
    suite.mkdir()
    for source in (*HERE.glob("*.py"), HERE / "pytest.ini"):
        if source.name != Path(__file__).name:
            shutil.copy(source, suite)
    return suite


def require_passed(run: Run, name: str) -> None:
    """Ends the demo where a run was not green, with what pytest said."""
    bad = [test for test, counts in run.tests.items() if counts.outcome != "passed"]
    if run.status or bad or not run.tests:
        print(run.output)
        fail(f"the {name} run: pytest ended with status {run.status}; not passed: {', '.join(bad) or 'see above'}")


def compare_answers(first: Run, second: Run) -> tuple[int, list[tuple[str, str, int, int]]]:
    """Compares the answers of both runs.

    Returns:
        How many answers were compared byte for byte, and the media: test, type and size, bytes first, bytes then.
    """
    names = sorted(path.name for path in first.answers.iterdir())
    if names != sorted(path.name for path in second.answers.iterdir()) or not names:
        fail("the two runs did not keep answers of the same tests")
    count, media = 0, []
    for name in names:
        node, *before = (first.answers / name).read_bytes().splitlines()
        _, *after = (second.answers / name).read_bytes().splitlines()
        test = node.decode()
        if name.endswith(".answers"):
            differing = next((n for n, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), -1)
            if before != after:
                shown = (before[differing][:300], after[differing][:300]) if differing >= 0 else (len(before), len(after))
                fail(f"{test}: the second run's answer is not the first one's: {shown[0]!r} became {shown[1]!r}")
            count += len(before)
            continue
        if len(before) != len(after):
            fail(f"{test}: {len(before)} media became {len(after)}")
        for old, new in zip(map(json.loads, before), map(json.loads, after), strict=True):
            if (old["type"], old["size"]) != (new["type"], new["size"]) or old["type"] == "unknown":
                fail(f"{test}: {old['type']} {old['size']} became {new['type']} {new['size']}")
            if old["len"] == new["len"] and old["sha256"] != new["sha256"]:
                fail(f"{test}: a {old['type']} kept its length, but not its bytes")
            media.append((test, f"{old['type']} {old['size']}".strip(), old["len"], new["len"]))
    return count, media


def table(rows: list[tuple[str, ...]]) -> None:
    """Prints rows in columns; the first column is text, the rest is aligned right up to the last, which is text."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    last = len(widths) - 1
    for row in rows:
        cells = [
            cell.ljust(width) if column in (0, last) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def cassettes(suite: Path) -> list[Path]:
    """The files under the suite's cassette folders."""
    return [path for path in suite.rglob("*") if path.is_file() and "cassettes" in path.parts]


def demo(folder: Path) -> dict[str, Any]:
    """Record, stop the provider, replay, compare; what came of it."""
    suite = copy_suite(folder)
    # Made up here, so that no scanner takes this file for a leak, and searched for in the cassettes below.
    keys = {
        "OPENAI_API_KEY": f"sk-proj-{secrets.token_urlsafe(96)}",
        "ANTHROPIC_API_KEY": f"sk-ant-api03-{secrets.token_urlsafe(72)}",
    }
    with stand_in(folder) as provider:
        print(f"first run: the provider stand-in answers on {provider.url} ...", flush=True)
        first = run_suite(suite, "first", provider.url, keys)
        calls = provider.calls()
        require_passed(first, "first")
        if not any(counts.verdict for counts in first.tests.values()):
            fail("no test of the first run carries counts: llm_vcr is not installed for this Python, or is switched off")
        provider.stop()
        if not provider.is_closed():
            fail(f"the stand-in was stopped, but port {provider.port} still takes connections")
        print("second run: the stand-in is stopped, its port is closed, no key in the environment ...", flush=True)
        second = run_suite(suite, "second", provider.url, {})
        late = len(provider.calls()) - len(calls)

    rows: list[tuple[str, ...]] = [("test", "1st live", "recorded", "2nd live", "replayed", "verdict")]
    for test, counts in first.tests.items():
        then = second.tests.get(test, Counts("missing"))
        verdict = then.verdict if then.outcome == "passed" else f"{then.verdict} ({then.outcome})"
        numbers = (counts.live, counts.recorded, then.live, then.played)
        rows.append((test, *map(str, numbers), verdict))
    sums = (first.total("live"), first.total("recorded"), second.total("live"), second.total("played"))
    rows.append(("total", *map(str, sums), ""))
    print()
    table(rows)
    print()

    require_passed(second, "second")
    if first.tests.keys() != second.tests.keys():
        fail("the two runs did not have the same tests")
    failed = sum(call["status"] >= 300 for call in calls)
    print(f"stand-in's own count: first run {len(calls)} calls ({failed} of them failures on demand, not recorded)")
    print(f"                      second run {late} calls, port closed")
    if late:
        fail(f"{late} calls reached the stand-in in the second run")
    if second.total("live"):
        fail(f"{second.total('live')} calls were made live in the second run")
    if first.total("live") != len(calls):
        fail(f"the plugin counted {first.total('live')} live calls in the first run, the stand-in {len(calls)}")
    if first.total("recorded") != len(calls) - failed:
        fail(f"{len(calls) - failed} good answers were given, but {first.total('recorded')} recorded")
    if second.total("played") != first.total("recorded"):
        fail(f"{first.total('recorded')} calls were recorded, but {second.total('played')} replayed")
    misses = [test for test, counts in second.tests.items() if not counts.verdict.startswith("HIT")]
    if misses:
        fail(f"verdict other than HIT in the second run: {', '.join(misses)}")

    count, media = compare_answers(first, second)
    print(f"answers: {count} compared, every one byte for byte what the first run got")
    print(f"media:   {len(media)} compared by type, width and height:")
    table([(f"  {test.rpartition('::')[2]}", kind, f"{old:,}", "->", f"{new:,}", "bytes") for test, kind, old, new in media])

    files = cassettes(suite)
    leaks = [path.name for path in files if any(key.encode() in path.read_bytes() for key in keys.values())]
    if leaks:
        fail(f"an API key was found in {', '.join(leaks)}")
    size = sum(path.stat().st_size for path in files)
    print(f"cassettes: {len(files)} files, {size / 1e6:.1f} MB, no API key in them")
    print(f"time: first run {first.seconds:.1f} s, second run {second.seconds:.1f} s")
    print(f"second run: 0 live calls, {second.total('played')} replayed")
    tests = {
        test: {"recorded": counts.recorded, "live_again": second.tests[test].live, "replayed": second.tests[test].played,
               "verdict": second.tests[test].verdict}
        for test, counts in first.tests.items()
    }  # fmt: skip
    return {
        "first": {"live": first.total("live"), "recorded": first.total("recorded"), "seconds": round(first.seconds, 1)},
        "second": {"live": 0, "replayed": second.total("played"), "seconds": round(second.seconds, 1)},
        "answers_compared": count,
        "media_compared": len(media),
        "cassettes": {"files": len(files), "bytes": size},
        "tests": tests,
    }


def stock(folder: Path) -> dict[str, Any]:
    """The same suite under stock vcrpy + pytest-recording: how many calls go live on its second run."""
    suite = copy_suite(folder)
    settings = suite / "pytest.ini"
    lines = settings.read_text(encoding="utf-8").splitlines(keepends=True)
    settings.write_text("".join(line for line in lines if not line.startswith("llm_vcr")), encoding="utf-8")
    with (suite / "conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write(STOCK_CONFTEST)
    keys = {"OPENAI_API_KEY": "sk-made-up", "ANTHROPIC_API_KEY": "sk-ant-made-up"}
    with stand_in(folder) as provider:
        print("first run, stock vcrpy + pytest-recording ...", flush=True)
        first = run_suite(suite, "first", provider.url, keys, "-p", "no:llm_vcr")
        made = len(provider.calls())
        require_passed(first, "first")
        print("second run, the stand-in left running ...", flush=True)
        second = run_suite(suite, "second", provider.url, keys, "-p", "no:llm_vcr")
        calls = provider.calls()
    again = calls[made:]
    bad = [test for test, counts in second.tests.items() if counts.outcome != "passed"]

    kinds = [f"{call['method']} {re.sub('file-[0-9a-f]+', '{id}', call['path'])}" for call in calls]
    rows: list[tuple[str, ...]] = [("call", "1st live", "2nd live", "")]
    rows += [(kind, str(kinds[:made].count(kind)), str(kinds[made:].count(kind)), "") for kind in sorted(set(kinds))]
    print()
    table(rows)
    print()
    size = sum(path.stat().st_size for path in cassettes(suite))
    print(f"cassettes: {size / 1e6:.1f} MB; time: first run {first.seconds:.1f} s, second run {second.seconds:.1f} s")
    if bad:
        print(f"tests that fail in the second run: {len(bad)} ({', '.join(bad)})")
    print(f"second run: {len(again)} of {made} calls go live")
    return {"first": {"live": made}, "second": {"live": len(again), "failed": bad}}


def main() -> None:
    """Reads the command line and runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stock", action="store_true", help="run under stock vcrpy + pytest-recording instead")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--keep", type=Path, help="a new folder for suite, cassettes and answers, kept afterwards")
    options = parser.parse_args()
    if not options.json:
        run(options)
        return
    try:
        with redirect_stdout(sys.stderr):
            told: dict[str, Any] = {"passed": True, **run(options)}
    except SystemExit as reason:
        print(json.dumps({"passed": False, "error": str(reason).strip()}, indent=2))
        raise
    print(json.dumps(told, indent=2))


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Runs the demo in a folder that is kept, or in one that is not."""
    job = stock if options.stock else demo
    if options.keep:
        options.keep.mkdir(parents=True)
        return job(options.keep.resolve())
    with tempfile.TemporaryDirectory(prefix="llm-vcr-demo-") as folder:
        return job(Path(folder).resolve())


if __name__ == "__main__":
    main()
