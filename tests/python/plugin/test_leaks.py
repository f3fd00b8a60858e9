"""Every way in which a suite pays without anybody noticing (`examples/leaks`): each alone is caught, explained and fails the run.

Beside each stands its clean twin, which replays whole and exits 0.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import openai  # noqa: F401 - loaded once here, and not again in each inner run
import pytest
import requests  # noqa: F401 - the same

from tests.python.plugin.conftest import Suite, Workers

LEAKS = Path(__file__).parents[3] / "examples/leaks"

CAUSES = {
    "random_token": ["1 test misses because of text", "messages[0].content", "Summarise ticket"],
    "random_float": ["1 test misses because of number", "metadata.score", "llm_vcr_ignore"],
    "module_client": ["live call: while tests were collected: 127.0.0.1 from conftest.py:", "seen at httpx.HTTPTransport, refused"],
    "consumed_file": ["1 test misses because of empty-body", "open or rewind the file for each call"],
    "unpatched_transport": [
        "live call: test_unpatched_transport.py::test_leak: 127.0.0.1 from test_unpatched_transport.py:14 in test_leak"
    ],
    "opted_out": ["live call: test_opted_out.py::test_leak: 127.0.0.1 from conftest.py:", "observes prompt-cache warm-up"],
    "background_thread": ["live call: after test_background_thread.py::test_leak was over: 127.0.0.1 from conftest.py:"],
    "kept_alive": ["live call: test_kept_alive.py::test_leak: 127.0.0.1 from conftest.py:", "seen at httpx.HTTPTransport, refused"],
    "session_fixture": ["misses because of text", "messages[0].content", "A glossary for"],
    "swallowed": ["1 test misses because of text", "messages[0].content"],
}
"""What the user is told of each kind."""

NAMED = {
    "module_client": "outside of tests",
    "background_thread": "test_background_thread.py::test_leak (in the background)",
    "session_fixture": "test_session_fixture.py::glossary (session fixture)",
}
RECORDED = {"consumed_file": "::test_leak"}
"""What is run the first time, where it is not the whole file."""
CALLS_OF_TWINS = {"background_thread": 2, "kept_alive": 2, "opted_out": 0}


@pytest.fixture
def leaks(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Suite:
    monkeypatch.setenv("LLM_VCR_DEMO_URL", suite.provider.url)
    for name in ("pytest.ini", "conftest.py"):
        shutil.copy(LEAKS / name, suite.path)
    return suite


def test_every_file_is_run_here() -> None:
    found = {one.stem.removeprefix("test_") for one in LEAKS.glob("test_*.py")}
    assert found == {*CAUSES, *(f"{kind}_clean" for kind in CAUSES)}
    told = (LEAKS / "README.md").read_text("utf-8")
    assert [kind for kind in CAUSES if f"| `test_{kind}` |" not in told] == []


@pytest.mark.parametrize("kind", CAUSES)
def test_a_leak_is_caught_explained_and_fails_the_run(leaks: Suite, kind: str) -> None:
    name = f"test_{kind}.py"
    shutil.copy(LEAKS / name, leaks.path)
    first = leaks.run(name + RECORDED.get(kind, ""))
    assert first.live >= 1
    run = leaks.run("--llm-vcr-max-live-calls=0", name)
    assert run.live == 0
    assert run.code == pytest.ExitCode.TESTS_FAILED
    for cause in CAUSES[kind]:
        assert cause in run.text
    named = NAMED.get(kind, f"{name}::test_leak")
    [failure] = [line for line in run.text.splitlines() if line.startswith("FAILED --llm-vcr")]
    assert failure.startswith("FAILED --llm-vcr-max-live-calls 0: none made, ")
    assert failure.endswith(f" refused: {named}")


def test_all_of_them_in_one_run_are_told_apart(leaks: Suite, by_file: Workers) -> None:
    for kind in CAUSES:
        shutil.copy(LEAKS / f"test_{kind}.py", leaks.path)
    leaks.run("--deselect=test_consumed_file.py::test_first")
    run = leaks.run("--llm-vcr-max-live-calls=0")
    assert (run.live, run.code) == (0, pytest.ExitCode.TESTS_FAILED)
    told = leaks.summary()
    [failure] = told["failures"]
    named = failure.partition(" refused: ")[2].split(", ")
    assert set(named) == {NAMED.get(kind, f"test_{kind}.py::test_leak") for kind in CAUSES}


@pytest.mark.parametrize("kind", CAUSES)
def test_its_clean_twin_replays_and_exits_0(leaks: Suite, kind: str) -> None:
    name = f"test_{kind}_clean.py"
    shutil.copy(LEAKS / name, leaks.path)
    calls = CALLS_OF_TWINS.get(kind, 1)
    first = leaks.run(name + RECORDED.get(kind, "").replace("test_leak", "test_clean"))
    assert (first.live, first.code) == (calls, 0)
    run = leaks.run("--llm-vcr-max-live-calls=0", name)
    assert (run.live, run.code) == (0, 0)
    assert {one["verdict"] for one in run.verdicts.values()} <= {"HIT", "NOOP", "DISABLED"}
    assert f"calls: 0 live, {calls} replayed" in run.text


def test_a_connection_that_is_used_again_is_seen_where_it_is_used(leaks: Suite) -> None:
    shutil.copy(LEAKS / "test_kept_alive.py", leaks.path)
    run = leaks.run("test_kept_alive.py").passed(2)
    assert run.live == 2
    assert (run.verdicts["test_first"]["live"], run.verdicts["test_leak"]["leaked"]) == (1, 1)
