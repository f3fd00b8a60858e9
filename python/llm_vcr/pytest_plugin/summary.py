"""What the run cost, on the screen: verdicts, calls, and every test that paid."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from llm_vcr.pytest_plugin.verdict import Verdict

if TYPE_CHECKING:
    import pytest


class Summary:
    """The verdicts of a run."""

    def __init__(self, *, verbose: bool) -> None:
        """Gather them; ``verbose`` names every test."""
        self._verbose = verbose
        self._verdicts: dict[str, Verdict] = {}

    def add(self, nodeid: str, told: object) -> None:
        """Take a test's verdict as its report told it; a later one replaces it (a rerun)."""
        if isinstance(told, str):
            self._verdicts[nodeid] = Verdict.parse(told)

    def show(self, terminal: pytest.TerminalReporter) -> None:
        """Write the section, if any test had a verdict."""
        if not self._verdicts:
            return
        verdicts = self._verdicts.values()
        terminal.write_sep("=", "llm_vcr")
        kinds = Counter(one.verdict for one in verdicts)
        terminal.write_line(f"{_many(len(verdicts), 'test')}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
        live = sum(one.live for one in verdicts)
        replayed = sum(one.played + one.repeated for one in verdicts)
        parts = [
            f"{live} live",
            f"{replayed} replayed",
            *(
                f"{number} {word}"
                for word in ("recorded", "repeated", "masked", "stale", "refused")
                if (number := sum(getattr(one, word) for one in verdicts))
            ),
        ]
        terminal.write_line("calls: " + ", ".join(parts), red=bool(live and not kinds["MISS:RECORDED"]), green=not live)
        if shrunk := sum(one.shrunk for one in verdicts):
            terminal.write_line(
                f"media: {_many(shrunk, 'body', 'bodies')} stored with small files in place of images, sound or video "
                "(llm_vcr_media = keep turns that off)"
            )
        for nodeid, one in sorted(self._verdicts.items()):
            if self._verbose or one.live or one.refused:
                terminal.write_line(
                    _line(nodeid, one), red=one.verdict == "MISS:NOT_PERSISTED", yellow=one.verdict in ("MISS:RECORDED", "PARTIAL")
                )
        for note, count in Counter(note for one in verdicts for note in one.notes).most_common():
            terminal.write_line(f"warning: {note}" + (f" ({count} tests)" if count > 1 else ""), yellow=True)


def _line(nodeid: str, one: Verdict) -> str:
    counts = ", ".join(
        f"{number} {word}" for word in ("played", "repeated", "live", "recorded", "refused") if (number := getattr(one, word))
    )
    return f"  {one.verdict:18} {nodeid}" + (f"  ({counts})" if counts else "") + (f"  {one.reason}" if one.reason else "")


def _many(number: int, one: str, more: str | None = None) -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"
