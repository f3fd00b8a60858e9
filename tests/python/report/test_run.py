"""A summary is read whatever it lacks, and the sentence above the page says what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_vcr import ReportFileError
from llm_vcr.reporting.github import commands, step_summary
from llm_vcr.reporting.headline import below, sentence
from llm_vcr.reporting.page import page
from llm_vcr.reporting.run import load, read

from tests.python.report.summaries import hostile, large, one_test, summary, used


def said(*tests: dict[str, Any], **told: Any) -> str:
    return sentence(read(summary({f"t.py::test_{number}": one for number, one in enumerate(tests)}, **told)))


def test_nothing_happened() -> None:
    assert said() == "This run cost nothing, replay saved nothing and nothing leaked."


def test_everything_replayed() -> None:
    hit = one_test(played=3, avoided=1234.5, models=[used("m", replayed=3, avoided=1234.5)])
    assert said(hit, hit) == "This run cost nothing, replay saved $2,469.00 in 6 calls and nothing leaked."


def test_what_has_no_price_is_never_shown_as_nothing() -> None:
    unknown = one_test("MISS:RECORDED", live=2, recorded=2, unknown_calls=2, models=[used("m", live=2, unknown=2)])
    assert said(unknown) == "This run made 2 live calls at an unknown price, replay saved nothing and nothing leaked."
    priced = one_test("MISS:RECORDED", live=1, recorded=1, spent=0.25, models=[used("n", live=1, spent=0.25)])
    assert said(unknown, priced).startswith("This run cost at least $0.25 in 3 live calls")
    replayed = one_test(played=4, unknown_calls=4, models=[used("m", replayed=4, unknown=4)])
    assert said(priced, replayed) == "This run cost $0.25 in 1 live call, replay answered 4 calls of unknown price and nothing leaked."
    # A side without an unknown price stays exact, in the whole and in each test.
    run = read(summary({"a": unknown, "b": priced, "c": replayed}))
    assert [(str(one.spent), str(one.avoided)) for one in run.tests] == [("unknown", "$0"), ("$0.25", "$0"), ("$0", "unknown")]
    assert below(run)[-1] == "No price is known for some calls of m."


def test_small_sums_are_no_nothing_either() -> None:
    one = one_test("MISS:RECORDED", live=1, recorded=1, spent=2e-5, models=[used("m", live=1, spent=2e-5)])
    assert said(one).startswith("This run cost less than $0.01 in 1 live call,")
    assert str(read(summary({"a": one})).tests[0].spent) == "< $0.0001"


def test_a_call_around_every_cassette_is_in_no_model_and_has_no_price() -> None:
    one = one_test(
        "LIVE_CALL", live=1, leaked=1, recorded=1, spent=0.5, unknown_calls=1, models=[used("m", live=1, spent=0.5)],
        calls=[{"host": "h", "via": "v", "where": "w", "refused": False}],
    )  # fmt: skip
    run = read(summary({"a": one}))
    assert str(run.tests[0].spent) == "≥ $0.50"
    assert sentence(run) == "This run cost at least $0.50 in 2 live calls, replay saved nothing and 1 call leaked."


def test_what_leaked_is_what_the_next_run_pays_again() -> None:
    around = one_test("UNMARKED:LIVE_CALL", leaked=2, unknown_calls=2)
    lost = one_test("MISS:NOT_PERSISTED", live=3, spent=0.3)
    full = one_test("MISS:OVERFLOW", live=1, spent=0.1)
    retried = one_test("MISS:RECORDED", live=3, recorded=1, spent=0.1)
    refused = one_test("MISS:NOT_PERSISTED", refused=4)
    outside = [{"host": "h", "via": "v", "where": "w", "when": "late", "refused": bool(one)} for one in (0, 1)]
    run = read(summary({str(n): one for n, one in enumerate((around, lost, full, retried, refused))}, outside_of_tests=outside))
    assert (run.around, run.unkept, run.leaked, run.refused) == (3, 4, 7, 4)
    assert sentence(run).endswith("and 7 calls leaked.")
    assert [one.leaked for one in run.tests] == [2, 3, 1, 0, 0]
    assert "4 calls were paid for and not kept: the next run pays for them again." in below(run)
    assert "4 calls were refused before a byte was sent." in below(run)


def test_a_summary_of_the_first_version_lacks_dollars_models_dates_and_store() -> None:
    old = {
        "verdicts": {"HIT": 1, "MISS:RECORDED": 1},
        "calls": {"live": 1, "replayed": 2, "leaked": 0, "refused": 0},
        "misses": [],
        "tests": {"a": {"verdict": "HIT", "played": 2}, "b": {"verdict": "MISS:RECORDED", "live": 1, "recorded": 1}},
    }
    run = read(old)
    assert sentence(run) == "This run made 1 live call at an unknown price, replay answered 2 calls of unknown price and nothing leaked."
    shown = page(run, [run])
    assert "This summary says nothing of the store." in shown
    assert "no date" in shown


def _everywhere(value: Any, other: Any) -> list[Any]:
    """The document with ``other`` in one place, for each of its places."""
    if isinstance(value, dict):
        return [{**value, key: changed} for key, one in value.items() for changed in [other, *_everywhere(one, other)]]
    if isinstance(value, list):
        return [
            [*value[:place], changed, *value[place + 1 :]]
            for place, one in enumerate(value)
            for changed in [other, *_everywhere(one, other)]
        ]
    return []


@pytest.mark.parametrize("other", [None, [], {}, "text", -1, 1e308, 10**400, float("nan"), float("inf"), True, [[]], {"a": None}], ids=repr)
def test_a_value_of_another_kind_anywhere_is_no_reason_to_show_nothing(other: Any) -> None:
    whole = hostile()
    whole["tests"] = dict(list(whole["tests"].items())[:1])
    whole = {name: value[:1] if isinstance(value, list) else value for name, value in whole.items()}
    documents = _everywhere(whole, other)
    assert len(documents) > 100
    for told in documents[:: max(1, len(documents) // 150)]:
        run = read(told)
        assert page(run, [run]).endswith("</html>\n")
        assert step_summary(run)
        assert commands(run, {}) is not None


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_json_under_any_name_is_read(anything: Any) -> None:
    for name in (*summary({}), "tests"):
        read({**large(2), name: anything})


def test_a_file_that_is_no_summary_is_named(tmp_path: Path) -> None:
    file = tmp_path / "summary.json"
    for content, why in (
        ("{", "not JSON"),
        ("[]", "no summary of a run"),
        ('{"a": 1}', "no summary of a run"),
        ("[" * 100_000, "not JSON"),
    ):
        file.write_text(content, "utf-8")
        with pytest.raises(ReportFileError, match=why) as caught:
            load(file)
        assert str(file) in str(caught.value)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ReportFileError, match="not JSON"):
        load(file)
    with pytest.raises(ReportFileError, match="No such file"):
        load(tmp_path / "nothing.json")
    file.write_text(json.dumps(large(3)), "utf-8")
    assert load(tmp_path).count == load(file).count == 3
