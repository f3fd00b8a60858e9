"""A verdict on its way: as text, into the report folder, and back."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_vcr.pytest_plugin import leftovers
from llm_vcr.pytest_plugin.report import SUMMARY, Report
from llm_vcr.pytest_plugin.summary import Summary
from llm_vcr.pytest_plugin.verdict import Verdict

_TEXT = st.text(max_size=8)
_PLAIN = st.lists(st.dictionaries(_TEXT, st.one_of(_TEXT, st.integers(), st.booleans(), st.none()), max_size=3), max_size=3).map(tuple)
_VERDICTS = st.builds(
    Verdict,
    verdict=st.sampled_from(["HIT", "PARTIAL", "UNMARKED:NO_TRAFFIC"]),
    **dict.fromkeys(("played", "live", "refused", "earlier_live"), st.integers(0, 9)),
    **dict.fromkeys(("reason", "disabled", "scope"), _TEXT),
    notes=st.lists(_TEXT, max_size=2).map(tuple),
    **dict.fromkeys(("misses", "calls", "used", "cassettes"), _PLAIN),
)


@given(verdict=_VERDICTS)
def test_what_is_left_out_of_the_text_is_what_a_verdict_has_anyway(verdict: Verdict) -> None:
    assert Verdict.parse(verdict.dump()) == verdict
    summary = Summary()
    text = summary.told(verdict)
    assert summary.read(text) == summary.read("".join(text)) == Verdict.parse(text)


def miss(number: int) -> dict[str, Any]:
    return {"cause": "not recorded", "path": f"$.{number}"}


def merged(folder: Path, *told: tuple[str, Verdict]) -> dict[str, Any]:
    """The tests in the summary of a run that was told these verdicts, and in whose folder a worker wrote whatever it knew."""
    known = {nodeid: {"outcome": "passed"} for nodeid, _ in told}
    report = Report(folder, "main")
    whole = report.merge({"format": 1}, {nodeid: verdict.bounded() for nodeid, verdict in told}, known)
    written: dict[str, Any] = json.loads((folder / SUMMARY).read_text("utf-8"))
    assert written == json.loads(json.dumps(whole))
    tests: dict[str, Any] = written["tests"]
    return tests


NAMES = ["test_a.py::test_it", 'test_a.py::test_it[", "verdict": "]', "test_ä.py::test_it[\\]"]


@pytest.mark.parametrize("nodeid", NAMES)
@pytest.mark.parametrize("misses", [0, 4, 5, 6, 30])
def test_the_report_has_all_of_a_verdict(tmp_path: Path, nodeid: str, misses: int) -> None:
    verdict = Verdict("MISS:NOT_PERSISTED", refused=misses, misses=tuple(map(miss, range(misses))), used=({"model": "m"},))
    Report(tmp_path / "report", "gw0").add(nodeid, verdict)
    row = merged(tmp_path / "report", (nodeid, verdict))[nodeid]
    assert row["misses"] == list(verdict.misses)
    assert row["outcome"] == "passed"
    assert row.keys() == vars(verdict).keys() - {"used"} | {"outcome"}


def test_the_report_has_what_nobody_heard_and_not_what_is_no_news(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    worker = Report(folder, "gw1")
    worker.add("test_unheard", Verdict("HIT", played=2))
    worker.add("test_again", Verdict("MISS:NOT_PERSISTED", misses=tuple(map(miss, range(9)))))
    worker.add("test_again", Verdict("MISS:NOT_PERSISTED", misses=tuple(map(miss, range(7)))))
    with open(folder / "process-gw1.jsonl", "a", encoding="utf-8") as file:
        file.write('{"test": "test_killed", "verd')
    again = Verdict("MISS:NOT_PERSISTED", misses=tuple(map(miss, range(7))))
    tests = merged(folder, ("test_again", again), ("test_plain", Verdict("UNMARKED:NO_TRAFFIC")), ("test_lost", Verdict("HIT")))
    assert tests.keys() == {"test_unheard", "test_again", "test_lost"}
    assert tests["test_unheard"]["played"] == 2
    assert len(tests["test_again"]["misses"]) == 7


def test_a_place_that_is_gone_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    library = types.ModuleType("library")
    exec("class Client:\n    def send(self): ...\ndef get(): ...\ndef __getattr__(name): raise SystemExit(name)", vars(library))
    monkeypatch.setitem(leftovers.sys.modules, "library", library)
    monkeypatch.setattr(leftovers, "PLACES", {"library": ("Client", "Client.send", "get", "Client.never", "neither")})
    looks = leftovers.Leftovers()
    looks.begin()
    assert looks.end("test_a") == []
    looks.begin()
    kept = library.get
    del library.get
    library.Client.send = None
    assert looks.end("test_a") == [
        "test_a left library.Client.send patched: it is a builtins.NoneType",
        "test_a left library.get patched: it is gone",
    ]
    looks.begin()
    library.get = kept
    assert looks.end("test_b") == []
