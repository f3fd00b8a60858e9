"""What a run shows at its end beside the screen: the page, GitHub's annotations and its step summary."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.python.plugin.conftest import Suite
from tests.python.plugin.inner import TWO


@pytest.mark.usefixtures("workers")
def test_a_name_in_html_is_a_page_and_the_folder_stays(suite: Suite) -> None:
    suite.write(source=TWO)
    run = suite.run("--llm-vcr-report=out/report.html").passed(2)
    page = suite.path / "out" / "report.html"
    assert f"report: {page}" in run.text
    text = page.read_text("utf-8")
    assert "in 2 live calls" in text
    assert all(f"test_it.py::{name}" in text for name in ("test_one", "test_two"))
    assert suite.summary()["verdicts"] == {"MISS:RECORDED": 2}


def test_the_page_is_of_this_run_also_where_nothing_happened(suite: Suite) -> None:
    suite.write(source=TWO)
    suite.run("--llm-vcr-report=report.html").passed(2)
    suite.ini(llm_vcr="marked")
    suite.write(source="def test_nothing(): pass")
    suite.run("--llm-vcr-report=report.html").passed(1)
    assert "This run cost " in (text := (suite.path / "report.html").read_text("utf-8"))
    assert "nothing leaked" in text
    assert "test_it.py::test_one" not in text


def test_no_page_unless_asked_for(suite: Suite) -> None:
    suite.write(source=TWO)
    suite.run().passed(2)
    suite.run("--llm-vcr-report=off").passed(2)
    assert not list(suite.path.rglob("*.html"))
    suite.run("--llm-vcr-report=elsewhere").passed(2)
    assert (suite.path / "elsewhere" / "summary.json").exists()


def test_a_page_that_cannot_be_written_is_said_and_fails_nothing(suite: Suite) -> None:
    suite.write(source=TWO)
    (suite.path / "taken").write_text("a file")
    run = suite.run("--llm-vcr-report=taken/report.html").passed(2)
    assert run.code == 0
    assert f"warning: {suite.path / 'taken' / 'report.html'} could not be written" in run.text


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, suite: Suite) -> Path:
    """The environment of a step; the project is a folder of the checkout."""
    step = tmp_path / "step.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(suite.path.parent))
    return step


@pytest.mark.usefixtures("workers")
def test_annotations_stand_at_the_lines_of_tests_and_of_calls(suite: Suite, github: Path) -> None:
    suite.write(
        source="""
        def test_records():
            assert ask("one")

        @pytest.mark.llm_vcr(off="on purpose")
        def test_leaks():
            assert ask("two")
        """
    )
    run = suite.run().passed(2)
    lines = (suite.path / "test_it.py").read_text("utf-8").splitlines()
    recording = 1 + next(number for number, line in enumerate(lines) if "def test_records" in line)
    calls = (suite.path / "calls.py").read_text("utf-8").splitlines()
    calling = 1 + next(number for number, line in enumerate(calls) if "httpx.post" in line)
    commands = [line for line in run.text.splitlines() if line.startswith("::")]
    folder = suite.path.name
    assert [one.partition(",title")[0] for one in commands] == [
        f"::error file={folder}/calls.py,line={calling}",
        f"::warning file={folder}/test_it.py,line={recording}",
    ]
    assert "UNMARKED%3ALIVE_CALL" in commands[0]
    assert "test_it.py::test_records" in commands[1]
    text = github.read_text("utf-8")
    assert text.startswith("## This run ")
    assert "### Calls that leaked" in text


@pytest.mark.parametrize("flag", ["-p no:terminal", "--no-summary", "-qq"])
def test_annotations_and_why_it_fails_are_told_without_a_summary(suite: Suite, github: Path, flag: str) -> None:
    suite.write(source="@pytest.mark.llm_vcr(off='on purpose')\ndef test_leaks():\n    assert ask('one')\n")
    run = suite.run(*flag.split(), "--llm-vcr-fail-on=LIVE_CALL")
    assert run.code == pytest.ExitCode.TESTS_FAILED
    [annotation] = [line for line in run.text.splitlines() if line.startswith("::")]
    assert annotation.startswith("::error file=")
    assert run.text.count("FAILED --llm-vcr-fail-on LIVE_CALL: test_it.py::test_leaks") == 1


def test_the_step_summary_is_added_to_what_is_there_and_needs_no_folder(suite: Suite, github: Path) -> None:
    github.write_text("# Before\n", "utf-8")
    suite.write(source=TWO)
    suite.run("--llm-vcr-report=off").passed(2)
    run = suite.run("--llm-vcr-report=off").passed(2)
    assert not [line for line in run.text.splitlines() if line.startswith("::")]
    text = github.read_text("utf-8")
    assert text.startswith("# Before\n## ")
    assert text.count("## This run ") == 2
    assert "2 | ✓ <code>HIT</code>" in text


def test_a_run_without_calls_tells_github_nothing(suite: Suite, github: Path) -> None:
    suite.write(source="def test_nothing(): pass")
    run = suite.run().passed(1)
    assert "::" not in run.text
    assert not github.exists()


def test_a_step_summary_that_cannot_be_written_is_said(suite: Suite, github: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(suite.path))
    suite.write(source=TWO)
    assert f"warning: {suite.path} could not be written" in suite.run().passed(2).text
