"""The summary of a run on one screen: what it cost, every test that leaked, and what to do about it.

Each section has a number of rows, and what one does not need is the next one's; ``summary.json`` has all that there is no room for. Only
tests that leak are all named, however many they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llm_vcr.amounts import dollars, many, size
from llm_vcr.pytest_plugin.verdict import Verdict

if TYPE_CHECKING:
    import pytest

SCREEN = 40
"""So many rows it takes, without those of leaks."""

_LINES = 5
"""So many lines of one kind."""

_TESTS = 5
"""So many tests with live or refused calls."""

_NOTES = 2
"""So many of the tests' own notes stand before what is wrong with the store and the settings."""

_LEAKS = 8
"""From so many leaks on, those from the same place share a line."""

_LOST = ("MISS:NOT_PERSISTED", "MISS:OVERFLOW")
"""Verdicts of tests that will pay again, or fail again: they come first."""

_REASONS = 3
"""So many reasons to leave tests alone, each with an example."""

_STATES = ("not recorded", "played before")
"""Causes that say how a call is, rather than in what it differs."""

_REASON = 200
"""So many characters of why a test's calls were not answered."""


@dataclass
class _Section:
    """Lines that belong together."""

    lines: Sequence[tuple[str, Mapping[str, bool]]]
    """Texts, and how they look."""
    rows: int
    """So many it has for certain."""
    left: Callable[[int], str] = lambda number: f"… and {number} more"
    """What is said of those there is no room for, by their number."""
    whole: int = 0
    """So many there are, where ``lines`` are not all of them."""
    shown: list[tuple[str, Mapping[str, bool]]] = field(default_factory=list)

    def fit(self, rows: int, width: int) -> int:
        """Choose what is shown on so many rows, and tell how many of them are free."""
        needed = [_rows(text, width) for text, _ in self.lines]
        missing = max(self.whole - len(needed), 0)
        count = len(needed)
        while count and sum(needed[:count]) + bool(missing) > rows:
            count -= 1
            missing += 1
        # One line is shown, however long it is.
        if not count and needed:
            count, missing = 1, missing - 1
        self.shown = list(self.lines[:count])
        if missing:
            self.shown.append((self.left(missing), {}))
        return rows - sum(needed[:count]) - bool(missing)


def _rows(text: str, width: int) -> int:
    return max(1, -(-len(text) // width))


def show(
    terminal: pytest.TerminalReporter,
    data: Mapping[str, Any],
    verdicts: Mapping[str, Verdict],
    failures: Sequence[str],
    *,
    verbose: bool,
    folder: str,
) -> None:
    """Write the section, from `Summary.data`, the verdicts, and why the run fails; with ``verbose`` every test is named.

    ``folder`` is that of the report, or nothing.
    """
    width = terminal._tw.fullwidth
    fixtures = sum(bool(one.scope) for one in verdicts.values())
    counts = _Section([*_counts(data, len(verdicts) - fixtures, fixtures), *_money(data)], 5)
    tests = _tests(verdicts, verbose=verbose)
    leaks = _leaks(verdicts, data["outside_of_tests"])
    causes = _causes(data["misses"])
    asides = _Section([(text, {}) for text in _asides(data)], 6, lambda number: f"… and {many(number, 'more line')}")
    warnings = _warnings(data)
    failed = _Section(
        [(f"FAILED {one}", {"red": True, "bold": True}) for one in failures],
        6,
        lambda number: f"… and {many(number, 'more reason')} to fail",
    )
    terminal.write_sep("=", "llm_vcr")
    sections = (counts, failed, tests, causes, warnings, asides)  # what matters most has first what others leave
    free = SCREEN - 2 - sum(one.rows for one in sections)
    for one in sections:
        one.fit(one.rows, width)
        free += one.rows - sum(_rows(text, width) for text, _ in one.shown)
    free = max(free, 0)
    for one in sections:
        used = sum(_rows(text, width) for text, _ in one.shown)
        free = max(one.fit(used + free, width), 0)
    for text, look in [line for one in (counts, tests) for line in one.shown]:
        terminal.write_line(text, **look)
    for text in leaks:
        terminal.write_line(text, red=True)
    for text, look in [line for one in (causes, asides, warnings, failed) for line in one.shown]:
        terminal.write_line(text, **look)
    if folder and any(one.shown != list(one.lines) for one in sections):
        terminal.write_line(f"all of it: {folder}/summary.json")


def _counts(data: Mapping[str, Any], tests: int, fixtures: int) -> Iterator[tuple[str, Mapping[str, bool]]]:
    kinds = Counter(data["verdicts"])
    shared = f" and {many(fixtures, 'fixture')}" if fixtures else ""
    yield f"{many(tests, 'test')}{shared}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()), {}
    calls = data["calls"]
    told = [f"{calls['live']} live", f"{calls['replayed']} replayed"]
    told += [f"{calls[word]} {word}" for word in ("recorded", "repeated", "masked", "leaked", "refused") if calls[word]]
    yield "calls: " + ", ".join(told), {"red": bool(calls["leaked"] or calls["refused"]), "green": not calls["live"]}


def _money(data: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, bool]]]:
    money = data["dollars"]
    if not (money["spent"] or money["avoided"] or money["unknown_calls"]):
        return
    text = f"dollars: {dollars(money['spent'])} spent, {dollars(money['avoided'])} avoided"
    if money["unknown_calls"]:
        models = _some([repr(one) for one in money["unknown_models"]], 3)
        text += f", {many(money['unknown_calls'], 'call')} of unknown price" + (f" ({models})" if models else "")
    yield text, {}


def _tests(verdicts: Mapping[str, Verdict], *, verbose: bool) -> _Section:
    # What was refused around a cassette has a line of its own, below.
    shown = [(nodeid, one) for nodeid, one in verdicts.items() if verbose or one.live or one.refused > len(one.calls)]
    shown.sort(key=lambda pair: (not verbose and pair[1].verdict not in _LOST, pair[0]))
    lines = [
        (_line(nodeid, one), {"red": one.verdict in _LOST, "yellow": one.verdict in ("MISS:RECORDED", "PARTIAL")})
        for nodeid, one in (shown if verbose else shown[:_TESTS])
    ]
    rows = 10**6 if verbose else 5
    return _Section(lines, rows, lambda number: f"  … and {number} more with live or refused calls", len(shown))


def _leaks(verdicts: Mapping[str, Verdict], outside: Sequence[Mapping[str, Any]]) -> list[str]:
    """All of them: a line each, or a line for each place they come from."""
    found = [(nodeid, _call(call)) for nodeid, one in sorted(verdicts.items()) for call in one.calls]
    found += [(call["when"], _call(call)) for call in outside]
    counted = Counter(found)
    if len(counted) <= _LEAKS:
        return [f"live call: {name}: {told}{_times(count)}" for (name, told), count in counted.items()]
    places: dict[str, list[str]] = {}
    for (name, told), count in counted.items():
        places.setdefault(told, []).append(name + _times(count))
    return [f"live calls: {told}: {', '.join(names)}" for told, names in places.items()]


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""


def _causes(causes: Sequence[Mapping[str, Any]]) -> _Section:
    lines: list[tuple[str, Mapping[str, bool]]] = []
    fixes: set[str] = set()
    for group in causes[:_LINES]:
        tests = group["tests"]
        verb = "misses" if len(tests) == 1 else "miss"
        place = f" at `{group['path']}`" if group["path"] else ""
        because = f"a call is {group['cause']}" if group["cause"] in _STATES else f"of {group['cause']}"
        fix = "as above" if group["fix"] in fixes else group["fix"]
        fixes.add(group["fix"])
        lines.append((f"{many(len(tests), 'test')} {verb} because {because}{place}: {fix} (such as {tests[0]})", {}))
    return _Section(lines, 10, lambda number: f"  … {_others(causes, number)}", len(causes))


def _others(causes: Sequence[Mapping[str, Any]], number: int) -> str:
    tests = len({test for group in causes[-number:] for test in group["tests"]})
    return f"and {many(number, 'more cause', 'more causes')} in {many(tests, 'test')}"


def _asides(data: Mapping[str, Any]) -> Iterator[str]:
    """What is worth a line, and no warning."""
    if masked := data["masked_values"]:
        told = [one["what"] + (f" at `{one['path']}`" if one["path"] else "") + f" ({one['count']})" for one in masked]
        yield f"masked to match: {_some(told, 4)}, such as in {masked[0]['example_test']}"
    if exchanges := data["credential_exchanges"]:
        yield f"credentials: {many(sum(exchanges.values()), 'exchange')}, live and not recorded ({_some(sorted(exchanges), 4)})"
    if data["media_shrunk"]:
        yield (
            f"media: {many(data['media_shrunk'], 'body', 'bodies')} stored with small files in place of images, sound or video "
            "(llm_vcr_media = keep turns that off)"
        )
    reasons = sorted(data["disabled"].items(), key=lambda one: -len(one[1]))
    for reason, tests in reasons[:_REASONS]:
        yield f"left alone: {many(len(tests), 'test')}: {reason} (such as {tests[0]})"
    if len(reasons) > _REASONS:
        more = sum(len(tests) for _, tests in reasons[_REASONS:])
        yield f"  … and {many(more, 'test')} for {many(len(reasons) - _REASONS, 'other reason')}"
    if unused := data["unused"]:
        episodes = sum(map(len, unused.values()))
        yield f"not played any more: {many(episodes, 'episode')} in {many(len(unused), 'cassette')} ({_some(list(unused), 2)})"
    if orphans := data["orphans"]:
        yield f"without a test: {many(len(orphans), 'cassette')} ({_some(orphans, 2)}); `llm-vcr prune` drops them"
    capacity = (data["store"] or {}).get("capacity")
    if capacity:
        used, limit = capacity["used"], capacity["limit"]
        yield f"store: {data['store']['url']}, {size(used)} used" + (f" of {size(limit)} ({used / limit:.0%})" if limit else "")


def _warnings(data: Mapping[str, Any]) -> _Section:
    notes = [note + (f" ({count} tests)" if count > 1 else "") for note, count in sorted(data["warnings"].items(), key=lambda one: -one[1])]
    # Of notes there may be as many as tests: the others must not go under.
    texts = [*notes[:_NOTES], *(data["store"] or {}).get("health", ()), *data["hints"], *notes[_NOTES:]]
    return _Section([(f"warning: {text}", {"yellow": True}) for text in texts], 6, lambda number: f"… and {many(number, 'more warning')}")


def _line(nodeid: str, one: Verdict) -> str:
    counts = ", ".join(
        f"{number} {word}" for word in ("played", "repeated", "live", "recorded", "refused", "leaked") if (number := getattr(one, word))
    )
    # What is wrong with a store stands behind its address, at the end.
    reason = one.reason if one.verdict in _LOST or len(one.reason) <= _REASON else f"{one.reason[:_REASON]}…"
    return f"  {one.verdict:18} {nodeid}" + (f"  ({counts})" if counts else "") + (f"  {reason}" if reason else "")


def _call(call: Mapping[str, Any]) -> str:
    return f"{call['host']} from {call['where']}, seen at {call['via']}" + (", refused" if call["refused"] else "")


def _some(words: Sequence[str], most: int) -> str:
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
