"""`llm-vcr report`: a summary, and earlier ones, as a page."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from llm_vcr.cli import main

from tests.python.report.summaries import large, one_test, summary


def report(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "summary.json").write_text(json.dumps(summary({"t.py::test": one_test(played=2, avoided=0.5)})), "utf-8")
    return tmp_path


def test_the_page_stands_where_it_is_asked_for(folder: Path) -> None:
    done = report("summary.json")
    assert (done.exit_code, done.output) == (
        0, "This run cost nothing, replay saved $0.50 in 2 calls and nothing leaked.\nreport.html\n"
    )  # fmt: skip
    assert "t.py::test" in (folder / "report.html").read_text("utf-8")
    assert report(folder, "-o", folder / "a" / "b.html").exit_code == 0
    assert (folder / "a" / "b.html").read_text("utf-8") == (folder / "report.html").read_text("utf-8")


def test_earlier_summaries_make_a_line(folder: Path) -> None:
    for number in range(3):
        (folder / f"{number}.json").write_text(json.dumps(large(10 + number)), "utf-8")
    assert report("summary.json", "0.json", "1.json", "2.json").exit_code == 0
    text = (folder / "report.html").read_text("utf-8")
    assert "Spent over 4 runs" in text
    assert "The figures of 4 runs" in text


def test_what_is_no_summary_is_named_and_nothing_is_written(folder: Path) -> None:
    (folder / "bad.json").write_text("[]", "utf-8")
    for arguments in (("bad.json",), ("summary.json", "bad.json")):
        done = report(*arguments)
        assert done.exit_code == 2
        assert "bad.json: it is JSON, but no summary of a run" in done.output
    assert report("nothing.json").exit_code == 2
    assert not (folder / "report.html").exists()


def test_a_page_that_cannot_be_written_is_said(folder: Path) -> None:
    (folder / "file").write_text("")
    done = report("summary.json", "-o", f"file{os.sep}report.html")
    assert done.exit_code == 2
    assert "report.html" in done.output
