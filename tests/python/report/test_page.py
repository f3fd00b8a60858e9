"""The page as a text: one file that holds everything, escapes everything, and stays bounded."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from llm_vcr.reporting import charts, rows
from llm_vcr.reporting.markup import Html, join, tag, visible
from llm_vcr.reporting.page import page
from llm_vcr.reporting.run import read
from llm_vcr.reporting.verdicts import ORDER

from tests.python.report.summaries import HOSTILE, hostile, large, miss, one_test, summary, used

VOID = ("meta", "link", "input", "br")


class Elements(HTMLParser):
    """What a parser makes of a page: its elements, their attributes, and whether they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data


def embedded(shown: str) -> dict[str, Any]:
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', shown, re.DOTALL)
    assert data is not None
    found: dict[str, Any] = json.loads(data[1])
    return found


def test_elements_are_closed_and_only_the_ones_of_the_template_are_there() -> None:
    plain, bad = Elements(page(read(large(50)), [read(large(3))])), Elements(page(read(hostile()), [read(hostile())]))
    for one in (plain, bad):
        assert one.open == []
        names = [name for name, _ in one.found]
        assert (names.count("script"), names.count("style"), names.count("meta")) == (2, 1, 5)
        assert not {"img", "iframe", "object", "embed", "form", "base", "a:href"} & set(names)
        for name, attributes in one.found:
            assert not [key for key in attributes if key.startswith("on") or key == "style"], (name, attributes)
            assert all(value.startswith(("#", "data:,")) for key, value in attributes.items() if key in ("href", "src") and value)
    # What was hostile is there, as text.
    assert "</script><script>window.pwned=1</script>" in "".join(bad.texts.values())


def test_the_policy_names_exactly_our_script_and_style() -> None:
    shown = page(read(large(3)))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', shown)
    assert policy is not None
    assert policy[1].startswith("default-src &#x27;none&#x27;; script-src &#x27;sha256-")
    assert "unsafe" not in policy[1]
    assert "http" not in policy[1]
    assert "://" not in shown.replace("https://api.openai.com", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_data_survives_and_ends_no_script(text: str) -> None:
    run = read(summary({"t.py::test": one_test("MISS:RECORDED", live=1, misses=[miss(here=text, recorded=text)])}))
    written = rows.embedded(rows.document(run))
    assert written.isascii()
    assert not set("<>&") & set(written)
    assert json.loads(written)["tests"][0][-1]["misses"][0][3] == visible(text)


def test_what_hides_in_a_text_is_spelt_out() -> None:
    assert visible("a\u202eb\u200bc\x00d\re\ud800") == "a\\u202eb\\u200bc\\u0000d\\u000de\\ud800"
    assert visible("line\nline\tGrüezi 👩‍🔬 日本語 עברית") == "line\nline\tGrüezi 👩‍🔬 日本語 עברית"
    assert visible("x" * 5000) == "x" * 2000 + " … and 3,000 more characters"


def test_markup_escapes_whatever_was_not_made_by_it() -> None:
    assert tag("p", '<b a="1">', Html("<i>"), None, ["&", [tag("b", "'")]], title='"<>&', hidden=True, id=None) == (
        '<p title="&quot;&lt;&gt;&amp;" hidden>&lt;b a=&quot;1&quot;&gt;<i>&amp;<b>&#x27;</b></p>'
    )
    assert join("a", "<") == "a&lt;"


def test_a_page_of_ten_thousand_tests_is_bounded_but_has_them_all() -> None:
    shown = page(read(large(10_000)))
    assert len(shown) < 5_000_000
    assert len(embedded(shown)["tests"]) == 10_000
    assert len(Elements(shown).found) < 600


def test_very_many_misses_are_bounded_and_counted() -> None:
    tests = {f"t.py::test_{n}": one_test("MISS:RECORDED", live=1, misses=[miss(path=f"a[{m}]") for m in range(300)]) for n in range(1500)}
    shown = page(read(summary(tests)))
    kept = embedded(shown)["tests"]
    assert sum(len(one[-1]["misses"]) for one in kept) == 20_000
    assert [len(kept[0][-1]["misses"]), kept[0][-1]["more"]] == [20, 280]
    assert kept[-1][-1]["more"] == 300
    assert "… and 200 causes more" in shown


def test_unknown_prices_are_words_in_every_part() -> None:
    lost = one_test("MISS:NOT_PERSISTED", live=2, unknown_calls=2, models=[used("m", live=2, unknown=2)])
    shown = page(read(summary({"t.py::test": lost})))
    assert "2 calls live at an unknown price" in shown
    assert embedded(shown)["tests"][0][6] == "unknown"
    assert "$0 spent" not in shown


def test_each_verdict_of_the_plugin_has_a_meaning_here() -> None:
    from llm_vcr.pytest_plugin import verdict

    table = re.findall(r"^([A-Z][A-Z:_]+) {2,}\S", verdict.__doc__ or "", re.MULTILINE)
    assert len(table) == 12
    assert set(table) == set(ORDER)


def test_a_line_has_a_gap_where_nothing_is_known_and_a_hollow_point_where_it_is_more() -> None:
    points = [
        charts.Point(value, str(value), "then", partial)
        for value, partial in ((1.0, False), (2.0, False), (None, False), (4.0, True), (3.0, False))
    ]
    drawn = charts.line(points, "spent", "Spent")
    assert drawn.count("<polyline") == 2
    assert drawn.count("<circle") == 4
    assert drawn.count("partial") == 1
    assert 'aria-label="Spent over 5 runs: 1.0, 2.0, None, 4.0, 3.0"' in drawn
    assert charts.line(points[:1], "spent", "Spent").count("<circle") == 1
    many = charts.line([charts.Point(n, str(n), "then") for n in range(200)], "spent", "Spent")
    assert many.count("<circle") == 1


def test_the_trend_is_in_the_order_of_the_runs_with_this_one_last() -> None:
    runs = [read(summary({}, started=f"2026-01-0{day}T00:00:00Z", dollars={"spent": day, "avoided": 0})) for day in (3, 1, 2)]
    shown = page(read(summary({}, started="2026-01-09T00:00:00Z", dollars={"spent": 9.0})), runs)
    days = re.findall(r'<th scope="row">(\d\d Jan)', shown)
    assert days == ["09 Jan", "03 Jan", "02 Jan", "01 Jan"]


def test_bars_show_shares_and_the_smallest_can_be_seen() -> None:
    widths = [
        float(one)
        for one in re.findall(r'<rect [^>]*width="([\d.]+)%" height="18"', charts.stacked([("a", 1), ("b", 0), ("c", 99_999)], ""))
    ]
    assert sum(widths) == pytest.approx(100, abs=0.01)
    assert widths[0] > 0.4
    assert widths[1] == 0
    assert charts.bar([("spent", 0.0), ("saved", 5.0)], 10).count("<rect") == 1
    assert 'width="50.000%"' in charts.bar([("saved", 5.0)], 10)
