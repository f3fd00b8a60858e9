"""The summary takes one screen, however large the suite; tests that leak are all named."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from llm_vcr.pytest_plugin import overview
from llm_vcr.pytest_plugin.summary import Summary
from llm_vcr.pytest_plugin.verdict import Verdict

TESTS = 2000
MEND = "If it is random, fix it in the test, or mask it with a pattern in `llm_vcr_mask`; if the change is meant, record the test again"


class Screen:
    """What `overview.show` needs of pytest's reporter."""

    def __init__(self, width: int) -> None:
        self._tw = SimpleNamespace(fullwidth=width)
        self.lines: list[str] = []

    def write_line(self, line: str, **look: bool) -> None:
        self.lines.append(line)

    def write_sep(self, sep: str, title: str) -> None:
        self.lines.append(f"{sep * 20} {title} {sep * 20}")

    def rows(self) -> int:
        return sum(max(1, -(-len(line) // self._tw.fullwidth)) for line in self.lines)


def nodeid(number: int) -> str:
    return f"tests/llm_translation/test_bedrock_completion.py::TestBedrockInvoke::test_streaming[anthropic.claude-{number}]"


def verdict(number: int, leaks: int) -> Verdict:
    """Something of everything that a suite can have many of."""
    call = {"host": "api.openai.com", "where": f"tests/conftest.py:{number % 3} in client", "via": "httpx.HTTPTransport", "refused": False}
    miss = {"path": f"metadata.field_{number % 40}", "fix": f"{MEND} {number % 20}", "refused": "", "cause": "text"}
    if number < leaks:
        return Verdict("LIVE_CALL", leaked=1, calls=(call,))
    if number < 300:
        return Verdict("MISS:NOT_PERSISTED", refused=1, reason=f"refused: {MEND}", misses=(miss,), notes=(f"left socket {number} patched",))
    if number < 600:
        return Verdict("PARTIAL", played=2, live=1, recorded=1, misses=(miss,))
    if number < 700:
        return Verdict("DISABLED", disabled=f"reason {number % 30}, told at length for whoever reads it in a month")
    if number < 1000:
        masked = {"what": "uuid", "path": f"messages[{number % 50}].content", "count": 3}
        return Verdict("HIT:MASKED", played=1, masked=1, masked_values=(masked,), shrunk=1)
    return Verdict(("HIT", "NOOP", "HIT:STALE", "MISS:RECORDED", "MISS:OVERFLOW", "UNMARKED:NO_TRAFFIC")[number % 6], played=1)


def shown(width: int, leaks: int, *, folder: str = "llm-vcr-report") -> Screen:
    summary = Summary()
    for number in range(TESTS):
        summary.add(nodeid(number), verdict(number, leaks))
    summary.hints = [f"llm_vcr_skip = tests/old/test_{number}.py names no test" for number in range(20)]
    summary.exchanges.update(f"login-{number}.example.com" for number in range(9))
    data: dict[str, Any] = summary.data(Path(), 1, [])
    data["unused"] = {f"tests/cassettes/{number}.yaml": ["0123456789"] for number in range(60)}
    data["orphans"] = [f"tests/cassettes/gone_{number}.yaml" for number in range(60)]
    data["store"] = {"url": "redis://cassettes.example.com:6379", "capacity": {"used": 10**9, "limit": 2 * 10**9}, "health": ["it is full"]}
    names = ", ".join(nodeid(number) for number in range(3))
    failures = [f"--llm-vcr-fail-on {word}: {names} and 700 more" for word in ("MISS", "PARTIAL", "OVERFLOW", "LIVE_CALL", "STALE")]
    screen = Screen(width)
    overview.show(screen, data, summary.verdicts, failures, verbose=False, folder=folder)  # type: ignore[arg-type]
    return screen


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_large_suite_takes_one_screen(width: int) -> None:
    screen = shown(width, 0)
    assert screen.rows() <= overview.SCREEN
    text = "\n".join(screen.lines)
    for word in ("2,000 tests", "calls:", "FAILED ", "miss because of text", "more causes in", "warning:", "masked to match"):
        assert word in text
    assert screen.lines[-1] == "all of it: llm-vcr-report/summary.json"
    assert not any("summary.json" in line for line in shown(width, 0, folder="").lines)


def test_every_test_that_leaks_is_named() -> None:
    few, many = shown(80, 5), shown(80, 250)
    for screen, leaks in ((few, 5), (many, 250)):
        told = [line for line in screen.lines if line.startswith("live call")]
        assert all(sum(nodeid(number) in line for line in told) == 1 for number in range(leaks))
        assert screen.rows() - Screen.rows(SimpleNamespace(lines=told, _tw=screen._tw)) <= overview.SCREEN  # type: ignore[arg-type]
    assert len([line for line in few.lines if line.startswith("live call: ")]) == 5
    # One line for each place they come from.
    assert len([line for line in many.lines if line.startswith("live calls: ")]) == 3
