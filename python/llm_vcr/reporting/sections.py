"""The parts of the page that stand without a script: the sentence, the verdicts, what to mend, the spend, the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llm_vcr import amounts
from llm_vcr.reporting import charts
from llm_vcr.reporting.headline import below, headline
from llm_vcr.reporting.markup import Child, Html, join, tag
from llm_vcr.reporting.run import Amount, Run, dicts, mapping, number, text, texts
from llm_vcr.reporting.verdicts import LEAKED, QUIET, RECORDED, REPLAYED, gravity, kind, meaning

_BARS = 8
"""So many bars a chart has; the tests' list has them all."""

_GROUPS = 100
"""So many causes, and so many leaks, are written out."""

_EXAMPLES = 5
"""So many tests a cause names; a button shows all of them in the tests' list."""


def top(run: Run) -> Html:
    """The sentence, what it leaves open, and why the run failed."""
    parts = [tag("span", part.text, class_=part.kind) if part.kind else part.text for part in headline(run)]
    failures = texts(run.told, "failures")
    return join(
        tag("h1", parts),
        tag("p", [join(note, " ") for note in below(run)], class_="below") if below(run) else None,
        tag("ul", [tag("li", tag("strong", "The run fails: "), failure) for failure in failures], class_="failures") if failures else None,
    )


def facts(run: Run) -> Html:
    """Which run this is."""
    told: list[Child] = [run.project or "a run of llm_vcr"]
    if run.started is not None:
        told.append(tag("time", f"{run.started:%d %b %Y, %H:%M} UTC", datetime=run.started.isoformat(timespec="seconds")))
    if run.seconds is not None:
        told.append(f"took {amounts.duration(run.seconds)}")
    told.append(amounts.many(run.count, "test"))
    if run.told.get("complete") is False:
        told.append("a part of the suite")
    return tag("p", [tag("span", one) for one in told], class_="facts")


def verdicts(run: Run) -> Html:
    """How many tests came to which verdict, as one bar and in words."""
    known = sorted(run.verdicts.items(), key=lambda one: (gravity(one[0]), one[0]))
    shares = [(group, sum(count for word, count in known if kind(word) is group)) for group in (LEAKED, RECORDED, REPLAYED, QUIET)]
    label = ", ".join(f"{amounts.many(count, 'test')}: {group.word}" for group, count in shares if count)
    listed = {test.verdict for test in run.tests}
    items = [
        tag(
            "li",
            tag(
                # Tests that made no call and have no cassette are counted only.
                "button" if word in listed else "div",
                tag("span", kind(word).mark, class_="mark", aria_hidden="true"),
                tag("b", f"{count:,}"),
                tag("code", word),
                tag("small", meaning(word)),
                type="button" if word in listed else None,
                data_verdict=word if word in listed else None,
                class_=kind(word).name,
            ),
        )
        for word, count in known
    ]
    return _section("verdicts", "Verdicts", charts.stacked([(group.name, count) for group, count in shares], label), tag("ul", items))


# --- what to mend


def mend(run: Run, numbers: Mapping[str, int]) -> Html:
    """Calls that leaked, and misses by cause, each with its mend. ``numbers`` are the tests' places in the page's data."""
    leaks = _leaks(run, numbers)
    groups = dicts(run.told, "misses")
    if not leaks and not groups:
        return _section("mend", "What to mend", tag("p", "Nothing: no call leaked, and none was missed.", class_="calm"))
    return _section("mend", "What to mend", leaks, _groups(groups, numbers))


def _leaks(run: Run, numbers: Mapping[str, int]) -> Html | None:
    rows = [
        tag(
            "li",
            _test_button(test.nodeid, numbers),
            tag("span", amounts.many(test.leaked, "call"), class_="count"),
            [_seen(call) for call in dicts(test.told, "calls")[:3]],
            tag("small", text(test.told, "reason")) if text(test.told, "reason") else None,
        )
        for test in sorted(run.tests, key=lambda one: -one.leaked)
        if test.leaked
    ]
    rows += [tag("li", tag("b", text(call, "when") or "outside of tests"), _seen(call)) for call in dicts(run.told, "outside_of_tests")]
    if not rows:
        return None
    return join(
        tag("h3", "Calls that leaked"),
        tag("p", "Paid for, and paid for again by the next run.", class_="note"),
        tag("ul", rows[:_GROUPS], class_="leaks"),
        _more(len(rows) - _GROUPS, "leak"),
    )


def _seen(call: Mapping[str, Any]) -> Html:
    where, via = text(call, "where"), text(call, "via")
    refused = " (refused)" if call.get("refused") else ""
    return tag("small", f"{text(call, 'host')}{refused} from ", tag("code", where or "?"), f", seen at {via}" if via else None)


def _groups(groups: Sequence[Mapping[str, Any]], numbers: Mapping[str, int]) -> Html | None:
    if not groups:
        return None
    shown = [_group(place, group, numbers) for place, group in enumerate(groups[:_GROUPS])]
    return join(tag("h3", "Misses, by cause"), tag("div", shown, class_="misses"), _more(len(groups) - _GROUPS, "cause"))


def _group(place: int, group: Mapping[str, Any], numbers: Mapping[str, int]) -> Html:
    tests = texts(group, "tests")
    example = mapping(group, "example")
    path = text(group, "path")
    verb = "misses" if len(tests) == 1 else "miss"
    head = tag(
        "summary",
        tag("b", f"{amounts.many(len(tests), 'test')} {verb}"),
        " because of ",
        tag("b", text(group, "cause") or "an unknown cause", class_="cause"),
        [" at ", tag("code", path)] if path else None,
    )
    rest = len(tests) - _EXAMPLES
    return tag(
        "details",
        head,
        tag("p", tag("b", "Mend: "), _prose(text(group, "fix")), class_="fix") if text(group, "fix") else None,
        miss(example) if example else None,
        tag(
            "p", "Tests: ", [join(_test_button(one, numbers), " ") for one in tests[:_EXAMPLES]], f"and {rest:,} more" if rest > 0 else None
        ),
        tag("button", "Show them in the list", type="button", data_group=place, class_="plain") if len(tests) > 1 else None,
        open=place == 0,
    )


def miss(told: Mapping[str, Any]) -> Html:
    """One miss: the call, what stands there now, and what was recorded. The script shows those of a single test in the same form."""
    rows = [
        ("call", text(told, "call")),
        ("now", text(told, "here")),
        ("recorded", text(told, "recorded")),
        ("nearest", text(told, "nearest")),
        ("not made", text(told, "refused")),
    ]
    return tag("dl", [[tag("dt", name), tag("dd", value, class_=name.replace(" ", "-"))] for name, value in rows if value], class_="miss")


def _prose(value: str) -> Html:
    """A sentence with code between backticks, as mends are written."""
    return join(tag("code", one) if place % 2 else one for place, one in enumerate(value.split("`")))


def _test_button(nodeid: str, numbers: Mapping[str, int]) -> Html:
    if nodeid not in numbers:
        return tag("code", nodeid)
    return tag("button", nodeid, type="button", data_test=numbers[nodeid], class_="test")


def _test_name(nodeid: str, numbers: Mapping[str, int]) -> Html:
    """The same in two lines, the name first."""
    file, _, name = nodeid.partition("::")
    button = tag("button", name or file, type="button", data_test=numbers.get(nodeid), class_="test")
    return join(button, tag("small", file) if name else None)


# --- the spend


def spend(run: Run, numbers: Mapping[str, int]) -> Html:
    """Dollars by model and by test, spent and saved in one bar."""
    models = [(_model_name(one.name, one.provider), one.spent, one.avoided, one.live, one.replayed) for one in run.models]
    tests = [
        (_test_name(one.nodeid, numbers), one.spent, one.avoided, one.live, one.replayed) for one in run.tests if one.live or one.replayed
    ]
    return _section(
        "spend",
        "Spend",
        tag(
            "p",
            tag("span", "spent", class_="key spent"),
            tag("span", "saved by replay", class_="key saved"),
            " Dollars at list prices; what has no known price is said to be unknown.",
            class_="note",
        ),
        tag("div", _bars("By model", models, "model"), _bars("By test", tests, "test"), class_="columns"),
    )


def _model_name(name: str, provider: str) -> Html:
    return join(tag("span", name or "no model"), tag("small", provider) if provider else None)


_Row = tuple[Html, Amount, Amount, int, int]


def _bars(title: str, rows: Iterable[_Row], one: str) -> Html:
    ordered = sorted(rows, key=lambda row: (-(row[1].known or 0), -(row[2].known or 0), -row[3] - row[4]))
    longest = max(((row[1].known or 0) + (row[2].known or 0) for row in ordered), default=0) or 1
    written = [
        tag(
            "tr",
            tag("th", name, scope="row"),
            tag("td", charts.bar([("spent", spent.known or 0), ("saved", avoided.known or 0)], longest), _figures(spent, avoided)),
        )
        for name, spent, avoided, _, _ in ordered[:_BARS]
    ]
    if not written:
        return tag("div", tag("h3", title), tag("p", "No calls that could be told apart.", class_="calm"))
    table = tag("table", tag("tbody", written), class_="bars")
    return tag("div", tag("h3", title), table, _more(len(ordered) - _BARS, one))


def _figures(spent: Amount, avoided: Amount) -> Html:
    told = []
    for amount, word, way in ((spent, "spent", "live"), (avoided, "saved", "replayed")):
        if amount.calls:
            calls = amounts.many(amount.calls, "call")
            told.append(f"{calls} {way} at an unknown price" if amount.is_unknown else f"{amount} {word} in {calls}")
    return tag("small", " · ".join(told) or "no call")


# --- the trend


def trend(run: Run, earlier: Sequence[Run]) -> Html:
    """Lines over runs; without earlier ones, how to get them."""
    if not earlier:
        how = tag("code", "llm-vcr report summary.json EARLIER.json …")
        return _section("trend", "Trend", tag("p", "Only this run is known. ", how, " draws a line over runs.", class_="calm"))
    runs = [*sorted(earlier, key=lambda one: one.ended if one.started else run.ended), run]
    drawn = [
        charts.line([_dollars(one, one.spent) for one in runs], "spent", "Spent"),
        charts.line([_dollars(one, one.avoided) for one in runs], "saved", "Saved by replay"),
        charts.line([charts.Point(one.leaked, f"{one.leaked:,}", _when(one)) for one in runs], "leaked", "Calls that leaked"),
    ]
    names = ("run", "tests", "live", "replayed", "leaked", "spent", "saved")
    rows = [
        tag("tr", tag("th", _when(one), scope="row"), [tag("td", value) for value in _trend_row(one)]) for one in reversed(runs[-_GROUPS:])
    ]
    table = tag("table", tag("thead", tag("tr", [tag("th", name, scope="col") for name in names])), tag("tbody", rows), class_="figures")
    return _section(
        "trend",
        "Trend",
        tag("div", drawn, class_="lines"),
        tag("details", tag("summary", f"The figures of {len(runs)} runs"), table),
    )


def _dollars(run: Run, amount: Amount) -> charts.Point:
    return charts.Point(None if amount.is_unknown else amount.known, str(amount), _when(run), amount.is_partial)


def _when(run: Run) -> str:
    return "no date" if run.started is None else f"{run.started:%d %b %H:%M}"


def _trend_row(run: Run) -> list[str]:
    counts = [f"{count:,}" for count in (run.count, run.live, run.replayed, run.leaked)]
    return [*counts, str(run.spent), str(run.avoided)]


# --- the store, and whatever else is worth a look


def store(run: Run) -> Html:
    """Where recordings live, how full it is, and what should be looked at."""
    told = mapping(run.told, "store")
    url = text(told, "url")
    health = texts(told, "health")
    unused = mapping(run.told, "unused")
    orphans = texts(run.told, "orphans")
    health += texts(run.told, "hints")
    warnings = [(str(note), number(mapping(run.told, "warnings"), str(note))) for note in mapping(run.told, "warnings")]
    disabled = mapping(run.told, "disabled")
    masked = [
        f"{number(one, 'count'):,} × {text(one, 'what')}{_at(text(one, 'path'))}, such as in {text(one, 'example_test')}"
        for one in dicts(run.told, "masked_values")
    ]
    shrunk = number(run.told, "media_shrunk")
    return _section(
        "store",
        "Store",
        tag("p", tag("code", url)) if url else None,
        tag("ul", [tag("li", one) for one in health], class_="health")
        if health
        else tag("p", "No trouble was reported." if told else "This summary says nothing of the store.", class_="calm"),
        _capacity(mapping(told, "capacity")),
        tag("p", f"{amounts.many(shrunk, 'medium', 'media')} stored as a small file of the same type.") if shrunk else None,
        _folded("warning", [note + (f" ({count:,} tests)" if count > 1 else "") for note, count in warnings]),
        _folded("masked value", masked, "masked values"),
        _folded("recording no test used", [f"{name}: {', '.join(texts(unused, name))}" for name in unused], "recordings no test used"),
        _folded("cassette of no test", orphans, "cassettes of no test"),
        _folded(
            "reason to leave tests alone",
            [f"{reason}: {amounts.many(len(texts(disabled, reason)), 'test')}" for reason in disabled],
            "reasons to leave tests alone",
        ),
    )


def _at(path: str) -> str:
    return f" at {path}" if path else ""


def _capacity(told: Mapping[str, Any]) -> Html | None:
    used, limit = number(told, "used"), number(told, "limit")
    if not used and not limit:
        return None
    if not limit:
        return tag("p", f"{amounts.size(used)} used, no limit set.")
    words = f"{amounts.size(used)} of {amounts.size(limit)} used"
    return tag("div", tag("p", words), charts.meter(used, limit, words), class_="meter")


def _folded(one: str, items: Sequence[str], more: str | None = None) -> Html | None:
    if not items:
        return None
    shown = [tag("li", item) for item in items[:_GROUPS]]
    return tag("details", tag("summary", amounts.many(len(items), one, more)), tag("ul", shown), _more(len(items) - _GROUPS, one, more))


def _more(number_left: int, one: str, more: str | None = None) -> Html | None:
    return tag("p", f"… and {amounts.many(number_left, one, more)} more", class_="note") if number_left > 0 else None


def _section(name: str, title: str, *children: Child) -> Html:
    return tag("section", tag("h2", title, id=f"{name}-title"), children, id=name, aria_labelledby=f"{name}-title")
