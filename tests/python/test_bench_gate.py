"""The gate over the benches: what is red, what is measured again, and what the counts are compared with."""

import json
import shutil
import subprocess

import pytest

from benches import budgets, counts, gate, slow_core
from benches.python import operations, replay, suites


@pytest.mark.parametrize(
    ("now", "red", "says"),
    [
        (1000, False, ""),
        (1020, False, ""),
        (1021, True, "2.1% more"),
        (980, False, ""),
        (979, True, "tighten the budget"),
    ],
)
def test_a_count_may_be_two_percent_off(now, red, says):
    (row,) = gate.compared({"a": now}, {"a": 1000})
    assert row.red is red
    assert says in row.verdict
    assert bool(row.verdict) is red


def test_a_count_without_its_like_is_red():
    rows = list(gate.compared({"new": 1}, {"old": 1}))
    assert [row.red for row in rows] == [True, True]
    assert all("make bench-counts" in row.verdict for row in rows)


def test_a_low_ratio_is_measured_again_and_the_best_counts():
    figures = [1.0, 3.0, 9.0]
    row = gate.at_least("a", lambda: figures.pop(0), 2.0)
    assert not row.red
    assert figures == [9.0]


def test_a_ratio_that_stays_low_is_red():
    figures = [1.0, 1.5, 1.2, 9.0]
    row = gate.at_least("a", lambda: figures.pop(0), 2.0)
    assert row.red
    assert "25% below" in row.verdict
    assert figures == [9.0]


def test_a_figure_that_stays_high_is_red():
    assert gate.at_most("a", [3.0, 2.5, 4.0].pop, 2.0).red
    assert not gate.at_most("a", [1.0, 2.5, 4.0].pop, 2.0).red


def test_the_exit_status_and_the_red_rows(capsys):
    rows = [gate.Row("slow one", "1 x", "2 x", "RED: 50% below", red=True), gate.Row("quick one", "3 x", "2 x", "")]
    assert gate.judge({"some": lambda: rows}) == 1
    last = capsys.readouterr().out.partition("beyond budget")[2]
    assert "slow one" in last
    assert "quick one" not in last
    assert gate.judge({"some": lambda: rows[1:]}) == 0


def test_an_unknown_section(capsys):
    with pytest.raises(SystemExit):
        gate.main(["nothing"])
    assert "no section is called 'nothing'" in capsys.readouterr().err


def test_every_measurement_has_a_budget_and_every_budget_a_measurement():
    assert list(operations.GOALS) == [one.name for one in operations.OPERATIONS]
    assert list(replay.BUDGETS) == [one.title for one in replay.GOALS]
    assert list(replay.LIMITS) == [replay.FLAT, *replay.PEAKS.values()]
    assert list(suites.BUDGETS) == [one.title for one in suites.SUITES]
    for rows in (operations.GOALS, replay.BUDGETS, replay.LIMITS):
        assert all(budgets.gate(row) is not None for row in rows.values())


def test_a_rows_gate_is_its_own_or_its_first_goal():
    assert budgets.gate({"must": 4, "aim": 6}) == 4
    assert budgets.gate({"must": 4, "gate": 3}) == 3
    assert budgets.gate({}) is None


@pytest.fixture
def other_toolchain(monkeypatch, tmp_path):
    file = tmp_path / "counts.json"
    here = {"rustc": "rustc 2", "valgrind": "valgrind-4"}
    file.write_text(json.dumps({"toolchain": {**here, "rustc": "rustc 1"}, "instructions": {"a": 1}}))
    monkeypatch.setattr(counts, "toolchain", lambda: here)
    monkeypatch.setattr(counts, "FILE", file)
    monkeypatch.setattr(counts, "ROOT", tmp_path)
    return file


def test_counts_of_another_toolchain_need_the_tree_they_were_made_from(other_toolchain):
    with pytest.raises(counts.CannotCountError, match=r"rustc 1 \(here rustc 2\).*git history"):
        counts.base()


def test_counts_of_the_same_toolchain_are_compared_with(other_toolchain, monkeypatch):
    monkeypatch.setattr(counts, "toolchain", lambda: {"rustc": "rustc 1", "valgrind": "valgrind-4"})
    assert counts.base() == ("the committed counts", {"a": 1})


def test_counts_of_another_toolchain_are_made_anew_from_the_commit_that_wrote_them(other_toolchain, monkeypatch, git):
    git("add", "counts.json")
    (other_toolchain.parent / "core.rs").write_text("as it was")
    git("add", "core.rs")
    git("commit", "-m", "counts")
    (other_toolchain.parent / "core.rs").write_text("as it is")
    git("commit", "-am", "slower")
    monkeypatch.setattr(counts, "count", lambda tree: {(tree / "core.rs").read_text(): 7})
    what, before = counts.base()
    assert before == {"as it was": 7}
    assert "rustc 1 (here rustc 2)" in what


@pytest.fixture
def git(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def run(*arguments):
        own = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *own, *arguments], cwd=tmp_path, check=True, capture_output=True, timeout=60)

    run("init")
    return run


def test_without_valgrind_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(counts.CannotCountError, match="apt-get install valgrind"):
        counts.toolchain()


def test_the_core_is_slowed_where_its_source_says_and_nowhere_else():
    source = (counts.ROOT / slow_core.SOURCE).read_text("utf-8")
    slower = slow_core.slowed(source, 1_650_000)
    assert slower.count("black_box") == source.count("black_box") + 1
    assert "step_by(6)" in slower
    with pytest.raises(SystemExit, match="no longer knows"):
        slow_core.slowed("fn other() {}\n", 1_650_000)
