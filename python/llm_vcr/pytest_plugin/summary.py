"""What the run cost, on the screen: verdicts, calls, every test that paid or leaked, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llm_vcr.pytest_plugin.verdict import Verdict

if TYPE_CHECKING:
    import pytest

_LINES = 20
"""So many lines of one kind; the report folder has them all. Tests that leak are named without a limit."""


class Summary:
    """The verdicts of a run."""

    def __init__(self, *, verbose: bool) -> None:
        """Gather them; ``verbose`` names every test."""
        self._verbose = verbose
        self.verdicts: dict[str, Verdict] = {}
        self.outside: list[Mapping[str, Any]] = []
        """Live calls of no test that was running, each with when it was seen."""
        self.exchanges: Counter[str] = Counter()
        """Exchanges of credentials by host."""

    def add(self, nodeid: str, told: object) -> None:
        """Take a test's verdict as its report told it; a later one replaces it (a rerun)."""
        if isinstance(told, str):
            self.verdicts[nodeid] = Verdict.parse(told)

    @property
    def worth_telling(self) -> bool:
        """Whether anything happened that has to do with us."""
        return bool(self.outside or self.exchanges) or any(one.verdict != "UNMARKED:NO_TRAFFIC" for one in self.verdicts.values())

    def data(self) -> dict[str, Any]:
        """The figures, as plain data."""
        verdicts = self.verdicts.values()
        return {
            "verdicts": dict(Counter(one.verdict for one in verdicts)),
            "calls": {
                "live": sum(one.paid for one in verdicts) + sum(not one["refused"] for one in self.outside),
                "replayed": sum(one.played + one.repeated for one in verdicts),
                "leaked": sum(one.leaked for one in verdicts),
                "refused": sum(one.stopped for one in verdicts),
                **{word: sum(getattr(one, word) for one in verdicts) for word in ("recorded", "repeated", "masked")},
            },
            "misses": self._causes(),
            "disabled": self._disabled(),
            "outside_of_tests": list(self.outside),
            "credential_exchanges": dict(self.exchanges),
            "warnings": dict(self._notes()),
        }

    def _causes(self) -> list[dict[str, Any]]:
        """The misses of the suite by cause and path, the most frequent first."""
        groups: dict[tuple[str, str], dict[str, Any]] = {}
        for nodeid, one in self.verdicts.items():
            for miss in one.misses:
                # What is not recorded yet is no puzzle.
                if miss["cause"] == "not recorded" and not miss["refused"]:
                    continue
                group = groups.setdefault(
                    (miss["cause"], miss["path"]),
                    {"cause": miss["cause"], "path": miss["path"], "fix": miss["fix"], "tests": [], "example": dict(miss)},
                )
                if nodeid not in group["tests"]:
                    group["tests"].append(nodeid)
        return sorted(groups.values(), key=lambda group: -len(group["tests"]))

    def _disabled(self) -> dict[str, list[str]]:
        """The tests that were left without a cassette on purpose, by reason."""
        by_reason: dict[str, list[str]] = {}
        for nodeid, one in sorted(self.verdicts.items()):
            if one.disabled:
                by_reason.setdefault(one.disabled, []).append(nodeid)
        return by_reason

    def _notes(self) -> Counter[str]:
        return Counter(note for one in self.verdicts.values() for note in one.notes)

    def show(self, terminal: pytest.TerminalReporter, failures: Sequence[str], hints: Sequence[str]) -> None:
        """Write the section; ``failures`` are why the run fails, ``hints`` what the user should know of the settings."""
        if not self.worth_telling and not failures and not hints:
            return
        data = self.data()
        terminal.write_sep("=", "llm_vcr")
        kinds = Counter(data["verdicts"])
        terminal.write_line(f"{_many(len(self.verdicts), 'test')}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
        calls = data["calls"]
        told = [f"{calls['live']} live", f"{calls['replayed']} replayed"]
        told += [f"{calls[word]} {word}" for word in ("recorded", "repeated", "masked", "leaked", "refused") if calls[word]]
        terminal.write_line("calls: " + ", ".join(told), red=bool(calls["leaked"] or calls["refused"]), green=not calls["live"])
        if shrunk := sum(one.shrunk for one in self.verdicts.values()):
            terminal.write_line(
                f"media: {_many(shrunk, 'body', 'bodies')} stored with small files in place of images, sound or video "
                "(llm_vcr_media = keep turns that off)"
            )
        if self.exchanges:
            hosts = ", ".join(sorted(self.exchanges))
            terminal.write_line(f"credentials: {_many(self.exchanges.total(), 'exchange')}, live and not recorded ({hosts})")
        self._show_tests(terminal)
        self._show_leaks(terminal)
        self._show_causes(terminal, data["misses"])
        for reason, tests in data["disabled"].items():
            terminal.write_line(f"left alone: {_many(len(tests), 'test')}: {reason} (such as {tests[0]})")
        for note, count in self._notes().most_common():
            terminal.write_line(f"warning: {note}" + (f" ({count} tests)" if count > 1 else ""), yellow=True)
        for hint in hints:
            terminal.write_line(f"warning: {hint}", yellow=True)
        for failure in failures:
            terminal.write_line(f"FAILED {failure}", red=True, bold=True)

    def _show_tests(self, terminal: pytest.TerminalReporter) -> None:
        shown = {nodeid: one for nodeid, one in sorted(self.verdicts.items()) if self._verbose or one.live or one.refused}
        for number, (nodeid, one) in enumerate(shown.items()):
            if number >= _LINES and not self._verbose:
                terminal.write_line(f"  … and {len(shown) - number} more")
                break
            red = one.verdict in ("MISS:NOT_PERSISTED", "MISS:OVERFLOW")
            terminal.write_line(_line(nodeid, one), red=red, yellow=one.verdict in ("MISS:RECORDED", "PARTIAL"))

    def _show_leaks(self, terminal: pytest.TerminalReporter) -> None:
        for nodeid, one in sorted(self.verdicts.items()):
            for told, count in Counter(_call(call) for call in one.calls).items():
                terminal.write_line(f"live call: {nodeid}: {told}" + (f" ({count} times)" if count > 1 else ""), red=True)
        for call in self.outside:
            terminal.write_line(f"live call: {call['when']}: {_call(call)}", red=True)

    def _show_causes(self, terminal: pytest.TerminalReporter, causes: Sequence[Mapping[str, Any]]) -> None:
        for group in causes[:_LINES]:
            tests = group["tests"]
            place = f" at {group['path']}" if group["path"] else ""
            verb = "misses" if len(tests) == 1 else "miss"
            terminal.write_line(
                f"{_many(len(tests), 'test')} {verb} because of {group['cause']}{place}: {group['fix']} (such as {tests[0]})"
            )
        if len(causes) > _LINES:
            terminal.write_line(f"  … and {len(causes) - _LINES} more causes")


def _line(nodeid: str, one: Verdict) -> str:
    counts = ", ".join(
        f"{number} {word}" for word in ("played", "repeated", "live", "recorded", "refused", "leaked") if (number := getattr(one, word))
    )
    return f"  {one.verdict:18} {nodeid}" + (f"  ({counts})" if counts else "") + (f"  {one.reason}" if one.reason else "")


def _call(call: Mapping[str, Any]) -> str:
    return f"{call['host']} from {call['where']}, seen at {call['via']}" + (", refused" if call["refused"] else "")


def _many(number: int, one: str, more: str | None = None) -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"
