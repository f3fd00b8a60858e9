"""What a terminal shows: bars where it takes long, paths in one piece, columns of the width there is."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import pytest
from llm_vcr.cli.screen import Listing, Screen
from rich.console import Console

from tests.python.cli.place import HELLO, Place, episode


def drawn(listing: Listing, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, legacy_windows=False)
    console.print(listing, crop=False)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


LONG = "  test_a_very_long_name_of_a_test_that_says_all_that_it_does\\[gpt-4o-mini-2024-07-18].yaml"


@pytest.fixture
def listing() -> Listing:
    made = Listing("cassette", "episodes", "models", "again", right=("episodes", "again"))
    made.across("[bold]tests/cassettes/test_batch/[/]")
    made.row("  test_short.yaml", "1", "gpt-4o", "$0.0035")
    made.row("  test_漢字🎉.yaml", "12", "gpt-4o", "$0.0035")
    made.row(LONG, "3", "claude-sonnet-4-5-20250929, gpt-4o-mini-2024-07-18, text-embedding-3-large", "[red]≥ $0.0048[/]")
    return made


def test_where_there_is_room_a_row_is_a_line(listing: Listing) -> None:
    lines = drawn(listing, 300)
    assert len(lines) == 6
    models = ["claude-sonnet-4-5-20250929,", "gpt-4o-mini-2024-07-18,", "text-embedding-3-large"]
    assert lines[5].split() == [LONG.strip().replace("\\", ""), "3", *models, "≥", "$0.0048"]


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_narrow_screen_cuts_nothing_off(listing: Listing, width: int) -> None:
    lines = drawn(listing, width)
    path = LONG.replace("\\", "")
    assert path in lines, "in one piece, on a line of its own where there is no room beside it"
    assert all(Console(width=width).render_str(line, emoji=False, markup=False).cell_len <= width for line in lines if line != path)
    text = " ".join(" ".join(lines).split())
    for whole in ("test_short.yaml", "test_漢字🎉.yaml", "episodes", "again", "$0.0035", "≥ $0.0048", "test_batch/"):
        assert whole in text
    for model in ("claude-sonnet-4-5-20250929", "gpt-4o-mini-2024-07-18", "text-embedding-3-large"):
        assert model in "".join(lines).replace(" ", "") or width < 80


def test_columns_stand_below_each_other_however_wide_the_signs_are(listing: Listing) -> None:
    lines = drawn(listing, 300)
    ends = {Console(width=300).render_str(line[: line.index("$")], emoji=False, markup=False).cell_len for line in lines[3:5]}
    assert len(ends) == 1


@contextlib.contextmanager
def terminal() -> Iterator[Callable[[], str]]:
    """Standard error is a terminal; what is given tells what was written there. (pytest puts back what a fixture would put there.)"""
    leader, follower = os.openpty()
    seen = bytearray()

    def read() -> None:
        # A terminal holds 4 kB: who writes more waits for its reader. On Linux its end is an error.
        with contextlib.suppress(OSError):
            while chunk := os.read(leader, 65536):
                seen.extend(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(follower, "w", encoding="utf-8") as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        patch.setenv("TERM", "xterm")

        def written() -> str:
            if not stream.closed:
                stream.close()
            reader.join(60)
            return seen.decode("utf-8")

        yield written
        written()
    os.close(leader)


def worked(screen: Screen, seconds: float) -> list[int]:
    done = []
    for one in screen.progress(range(10), "scanning"):
        time.sleep(seconds / 10)
        done.append(one)
    return done


def test_long_work_has_a_bar() -> None:
    with terminal() as written:
        assert worked(Screen(as_json=False), 1.5) == list(range(10))
        text = written()
    assert "scanning" in text
    assert "/10" in text
    assert "\x1b[?25h" in text, "the cursor is back"


def test_short_work_has_none() -> None:
    with terminal() as written:
        assert worked(Screen(as_json=False), 0) == list(range(10))
        assert written() == ""


def test_json_has_none_on_a_terminal_either() -> None:
    with terminal() as written:
        assert worked(Screen(as_json=True), 0.8) == list(range(10))
        with Screen(as_json=True).busy("asking pytest"):
            pass
        assert written() == ""


@pytest.mark.parametrize("force", [{}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}], ids=["plain", "FORCE_COLOR", "TTY_COMPATIBLE"])
def test_a_pipe_has_none(monkeypatch: pytest.MonkeyPatch, force: dict[str, str]) -> None:
    stream: TextIO = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    for name, value in force.items():
        monkeypatch.setenv(name, value)
    screen = Screen(as_json=False)
    assert worked(screen, 0.8) == list(range(10))
    with screen.busy("asking pytest"):
        pass
    assert stream.getvalue() == ""  # type: ignore[attr-defined]


def test_a_bar_is_taken_away_where_the_work_ends_early() -> None:
    def work() -> None:
        for number in Screen(as_json=False).progress(range(10), "scanning"):
            time.sleep(0.2)
            if number == 5:
                raise KeyError

    with terminal() as written:
        with pytest.raises(KeyError):
            work()
        assert "\x1b[?25h" in written(), "the cursor is back"


ODD = "tests/cassettes/test_odd/test_it[bold red-[link=x]-:tada:].yaml"


def test_names_and_texts_are_no_markup(empty: Place) -> None:
    empty.put(ODD, episode("[bold]loud[/bold] [link=x] :tada: [a-b]", answer="[red]not red[/red]"), episode("x"))
    name = ODD.rpartition("/")[2]
    assert name in empty.run("list").output
    assert name in empty.run("stats").output
    assert name in empty.run("show", ODD).output
    text = empty.run("show", ODD, "1").output
    assert "[bold]loud[/bold] [link=x] :tada: [a-b]" in text
    assert "[red]not red[/red]" in text
    assert name in empty.run("flush", "--dry-run").output
    assert name in empty.run("clear", ODD, "--episode", "2").output


STEERING = "\x1b[31mred\x07 \x1b]0;a title\x07 \x9b31m \rover"


def test_what_a_model_said_does_not_steer_the_terminal(empty: Place) -> None:
    odd = f"tests/cassettes/test_odd/test_{STEERING}.yaml"
    named = {"content-type": ["text/plain"], f"x-{STEERING}": [STEERING]}
    body = json.dumps({"model": STEERING, "messages": [STEERING]}, ensure_ascii=False).encode()
    stream = f"event: {STEERING}\ndata: {STEERING}\n\n".replace("\rover", "").encode()
    empty.put(odd, episode(body=body, answer_body=STEERING.encode(), answer_type=STEERING))
    empty.put(HELLO, episode(headers=named, body=STEERING.encode(), answer_body=stream, answer_type="text/event-stream"), episode("b"))
    (empty.root / "request.json").write_text(json.dumps({"model": "x", "messages": STEERING}))
    commands = [("show", odd), ("show", HELLO, "1", "--headers", "--full"), ("show", HELLO), ("list",), ("stats",), ("diff", odd, HELLO),
                ("explain", odd, "request.json"), ("flush", "--dry-run"), ("show", f"no{STEERING}"), ("list", STEERING + "x"),
                ("dedupe",), ("normalize",), ("clear", odd)]  # fmt: skip
    for command in commands:
        # Without a terminal we write no colours of our own.
        for output in (empty.run(*command).output, *([] if command[0] == "clear" else [empty.run(*command, "--json").output])):
            assert not set(STEERING) & {"\x1b", "\x07", "\x9b", "\r"} & set(output), (command, output)
    assert "\\x1b[31mred\\x07 \\x1b]0;a title\\x07 \\x9b31m \\x0dover" in empty.run("show", HELLO, "1").output


def test_half_of_a_surrogate_pair_can_be_shown(empty: Place) -> None:
    empty.put(HELLO, episode("hi", answer_body=b'{"text": "\\ud83d and no more"}'))
    done = empty.process("show", HELLO)
    assert done.returncode == 0, done.stderr
    assert "\\ud83d and no more" in done.stdout
    assert empty.json("show", HELLO)["episodes"][0]["response"]["body"]["text"] == "\ud83d and no more"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_stream_that_lacks_our_signs_gets_their_escapes(place: Place, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    place.put("tests/cassettes/test_漢字.yaml", episode("漢字"))

    def told(*arguments: str) -> bytes:
        done = subprocess.run(
            [sys.executable, "-m", "llm_vcr.cli", *arguments], cwd=place.root, capture_output=True, check=True, timeout=120,
            env={**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding},
        )  # fmt: skip
        return done.stdout

    assert b"test_hello.yaml" in told("list")
    rows: list[dict[str, Any]] = json.loads(told("list", "--json"))["cassettes"]
    assert "tests/cassettes/test_漢字.yaml" in [row["cassette"] for row in rows]
