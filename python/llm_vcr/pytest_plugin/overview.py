"""The summary of a run on one screen: what it cost, every test that leaked, and what to do about it.

Whatever a suite of thousands can have many of is bounded, with the number of the others; ``summary.json`` has them all. Only tests that
leak are all named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llm_vcr.amounts import dollars, many, size
from llm_vcr.pytest_plugin.verdict import Verdict

if TYPE_CHECKING:
    import pytest

_LINES = 5
"""So many lines of one kind."""

_TESTS = 5
"""So many tests with live or refused calls."""

_LOST = ("MISS:NOT_PERSISTED", "MISS:OVERFLOW")
"""Verdicts of tests that will pay again, or fail again: they come first."""

_REASONS = 3
"""So many reasons to leave tests alone, each with an example."""

_STATES = ("not recorded", "played before")
"""Causes that say how a call is, rather than in what it differs."""

_REASON = 200
"""So many characters of why a test's calls were not answered."""


def show(
    terminal: pytest.TerminalReporter, data: Mapping[str, Any], verdicts: Mapping[str, Verdict], failures: Sequence[str], *, verbose: bool
) -> None:
    """Write the section, from `Summary.data`, the verdicts, and why the run fails; with ``verbose`` every test is named."""
    terminal.write_sep("=", "llm_vcr")
    fixtures = sum(bool(one.scope) for one in verdicts.values())
    _counts(terminal, data, len(verdicts) - fixtures, fixtures)
    _money(terminal, data)
    _tests(terminal, verdicts, verbose=verbose)
    _leaks(terminal, verdicts, data["outside_of_tests"])
    _causes(terminal, data["misses"])
    for text in _asides(data):
        terminal.write_line(text)
    for text in _warnings(data):
        terminal.write_line(f"warning: {text}", yellow=True)
    for failure in failures:
        terminal.write_line(f"FAILED {failure}", red=True, bold=True)


def _counts(terminal: pytest.TerminalReporter, data: Mapping[str, Any], tests: int, fixtures: int) -> None:
    kinds = Counter(data["verdicts"])
    shared = f" and {many(fixtures, 'fixture')}" if fixtures else ""
    terminal.write_line(f"{many(tests, 'test')}{shared}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    calls = data["calls"]
    told = [f"{calls['live']} live", f"{calls['replayed']} replayed"]
    told += [f"{calls[word]} {word}" for word in ("recorded", "repeated", "masked", "leaked", "refused") if calls[word]]
    terminal.write_line("calls: " + ", ".join(told), red=bool(calls["leaked"] or calls["refused"]), green=not calls["live"])


def _money(terminal: pytest.TerminalReporter, data: Mapping[str, Any]) -> None:
    money = data["dollars"]
    if not (money["spent"] or money["avoided"] or money["unknown_calls"]):
        return
    text = f"dollars: {dollars(money['spent'])} spent, {dollars(money['avoided'])} avoided"
    if money["unknown_calls"]:
        models = _some([repr(one) for one in money["unknown_models"]], 3)
        text += f", {many(money['unknown_calls'], 'call')} of unknown price" + (f" ({models})" if models else "")
    terminal.write_line(text)


def _tests(terminal: pytest.TerminalReporter, verdicts: Mapping[str, Verdict], *, verbose: bool) -> None:
    # What was refused around a cassette has a line of its own, below.
    shown = [(nodeid, one) for nodeid, one in verdicts.items() if verbose or one.live or one.refused > len(one.calls)]
    shown.sort(key=lambda pair: (not verbose and pair[1].verdict not in _LOST, pair[0]))
    for number, (nodeid, one) in enumerate(shown):
        if number >= _TESTS and not verbose:
            terminal.write_line(f"  … and {len(shown) - number} more with live or refused calls")
            break
        terminal.write_line(_line(nodeid, one), red=one.verdict in _LOST, yellow=one.verdict in ("MISS:RECORDED", "PARTIAL"))


def _leaks(terminal: pytest.TerminalReporter, verdicts: Mapping[str, Verdict], outside: Sequence[Mapping[str, Any]]) -> None:
    for nodeid, one in sorted(verdicts.items()):
        for told, count in Counter(_call(call) for call in one.calls).items():
            terminal.write_line(f"live call: {nodeid}: {told}" + (f" ({count} times)" if count > 1 else ""), red=True)
    for call in outside:
        terminal.write_line(f"live call: {call['when']}: {_call(call)}", red=True)


def _causes(terminal: pytest.TerminalReporter, causes: Sequence[Mapping[str, Any]]) -> None:
    for group in causes[:_LINES]:
        tests = group["tests"]
        verb = "misses" if len(tests) == 1 else "miss"
        place = f" at `{group['path']}`" if group["path"] else ""
        because = f"a call is {group['cause']}" if group["cause"] in _STATES else f"of {group['cause']}"
        terminal.write_line(f"{many(len(tests), 'test')} {verb} because {because}{place}: {group['fix']} (such as {tests[0]})")
    if len(causes) > _LINES:
        others = len({test for group in causes[_LINES:] for test in group["tests"]})
        terminal.write_line(f"  … and {many(len(causes) - _LINES, 'more cause', 'more causes')} in {many(others, 'test')}")


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


def _warnings(data: Mapping[str, Any]) -> Iterator[str]:
    notes = sorted(data["warnings"].items(), key=lambda one: -one[1])
    for note, count in notes[:_LINES]:
        yield note + (f" ({count} tests)" if count > 1 else "")
    if len(notes) > _LINES:
        yield f"… and {len(notes) - _LINES} more"
    yield from data["hints"]
    yield from (data["store"] or {}).get("health", ())


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
