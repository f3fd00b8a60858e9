"""GitHub's annotations and step summary: at the right line, bounded, and with nothing in them but text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from llm_vcr.reporting.github import Place, commands, step_summary
from llm_vcr.reporting.run import read

from tests.python.report.summaries import HOSTILE, hostile, large, miss, one_test, summary, used

CALL = {"host": "api.openai.com", "via": "httpx", "where": "tests/conftest.py:12 in client", "refused": False}


def told(*tests: dict[str, Any], **more: Any) -> dict[str, Any]:
    return summary({f"tests/test_a.py::test_{number}": one for number, one in enumerate(tests)}, **more)


def test_a_test_that_leaks_is_an_error_and_one_that_records_a_warning() -> None:
    leaks = one_test("LIVE_CALL", leaked=1, unknown_calls=1, calls=[CALL])
    records = one_test("PARTIAL", played=1, live=1, recorded=1, spent=0.25, misses=[miss(path="messages[0]")])
    refused = one_test("MISS:NOT_PERSISTED", refused=1, misses=[miss(refused="the limit")])
    places = {f"tests/test_a.py::test_{number}": Place("tests/test_a.py", 10 + number) for number in range(4)}
    found = commands(read(told(leaks, records, refused, one_test(played=1))), places, "backend")
    assert [one.partition("::test")[0].partition("title")[0] for one in found] == [
        "::error file=backend/tests/conftest.py,line=12,",
        "::error file=backend/tests/test_a.py,line=12,",
        "::warning file=backend/tests/test_a.py,line=11,",
    ]
    assert found[0].endswith("api.openai.com was called from tests/conftest.py:12 in client. 1 live call, price unknown")
    assert "text at messages[0]: set llm_vcr_ignore = messages[0], or record the test again. 1 live call, $0.25" in found[2]
    assert commands(read(told(one_test(played=1))), places) == []


def test_a_call_of_no_test_is_an_error_too() -> None:
    found = commands(read(told(outside_of_tests=[{**CALL, "when": "while tests were collected"}])), {})
    assert found == [
        "::error file=tests/conftest.py,line=12,title=llm_vcr%3A a call of no test::api.openai.com, while tests were collected"
    ]


def test_annotations_are_ten_of_a_kind_and_say_what_is_left() -> None:
    leaks, records = one_test("LIVE_CALL", leaked=1), one_test("MISS:RECORDED", live=1, recorded=1)
    assert len(commands(read(told(*[leaks] * 10, *[records] * 10)), {})) == 20
    found = commands(read(told(*[leaks] * 11, *[records] * 500)), {})
    assert [sum(one.startswith(f"::{kind} ") for one in found) for kind in ("error", "warning")] == [10, 10]
    assert "and 2 more tests" in found[9]
    assert "and 491 more tests" in found[19]


@pytest.mark.parametrize("text", [*HOSTILE, "a\n::error::forged", "a\r\n::set-output name=x::y", "%0A::stop-commands::x", "a,line=1::b:c"])
def test_no_text_ends_a_command_or_begins_another(text: str) -> None:
    call = {**CALL, "host": text, "where": f"{text}:3 in {text}"}
    one = one_test("LIVE_CALL", leaked=1, calls=[call], misses=[miss(text, text, fix=text)])
    (command,) = commands(read(summary({text: one})), {text: Place(text, 1)})
    assert len(command.splitlines()) == 1
    properties, _, message = command.removeprefix("::error ").partition("::")
    assert re.fullmatch(r"(file=[^,:]*,line=\d+,)?title=[^,:]*", properties)
    assert not re.search(r"%(?!25|0A|0D)", message)


def test_the_step_summary_has_the_sentence_the_verdicts_and_what_to_mend() -> None:
    leaks = one_test("LIVE_CALL", leaked=1, unknown_calls=1, calls=[CALL])
    misses = one_test("MISS:RECORDED", live=1, recorded=1, misses=[miss(here="<b>", recorded="|", fix="set `llm_vcr_mask`.")],
                      models=[used("gpt-5", live=1, spent=0.5)], spent=0.5)  # fmt: skip
    text = step_summary(read(told(leaks, misses, failures=["too dear"])))
    assert text.startswith("## This run cost at least &#36;0&#46;50 in 2 live calls")
    assert "**The run fails:** <code>too dear</code>" in text
    assert "| 1 | ▲ <code>LIVE&#95;CALL</code> | calls went around the test's cassette |" in text
    assert "now <code>&#60;b&#62;</code><br>recorded <code>&#124;</code>" in text
    assert "set <code>llm&#95;vcr&#95;mask</code>&#46;" in text
    assert "| <code>gpt&#45;5</code> | 1 | $0.50 | 0 | $0 |" in text


def test_the_step_summary_is_bounded_and_nothing_in_it_is_markdown() -> None:
    assert len(step_summary(read(large(10_000)))) < 20_000
    text = step_summary(read(hostile()))
    assert len(text) < 300_000
    assert set(re.findall(r"<[^>]*>", text)) == {"<code>", "</code>", "<br>"}
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.count("|") in (4, 5, 6)
        else:
            assert not re.search(r"[`*_\[\]@]", line.replace("**The run fails:**", ""))
