"""What cannot be done: the reason in a sentence, with --json as JSON, exit status 2, and no traceback."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from llm_vcr.cli import main
from llm_vcr.stores.file import FileStore
from llm_vcr.stores.redis import RedisStore

from tests.python.cli.place import HELLO, IMAGE, STREAM, Place, episode, everywhere
from tests.python.cli.test_changing import OLD_FORM
from tests.redis_server import RedisServer

OTHERS = Path(__file__).parent / "written_by_others"

CANNOT = {
    "show": (["show", "test_helo"], f"there is no cassette 'test_helo'. The nearest: {HELLO}"),
    "clear": (["clear", "test_helo"], f"The nearest: {HELLO}"),
    "diff": (["diff", "test_hello", "test_strem"], f"there is no cassette 'test_strem'. The nearest: {STREAM}"),
    "explain": (["explain", "test_edti", "request.json"], f"The nearest: {IMAGE}"),
    "explain a request": (["explain", HELLO, "nowhere.json"], "nowhere.json: No such file or directory"),
    "list": (["list", "nothing*"], "no cassette matches 'nothing*'"),
    "stats": (["stats", "test_helo"], f"no cassette matches 'test_helo'. The nearest: {HELLO}"),
    "scan": (["scan", "test_helo"], "no cassette matches 'test_helo'"),
    "normalize": (["normalize", "test_helo"], "no cassette matches 'test_helo'"),
    "dedupe": (["dedupe", "test_helo"], "no cassette matches 'test_helo'"),
    "export": (["export", "out", "test_helo"], "no cassette matches 'test_helo'"),
    "an episode's number": (["show", HELLO, "4"], "there is no episode 4: the cassette has 3 episodes"),
    "an episode's fingerprint": (["clear", HELLO, "--episode", "zz"], "no episode has a fingerprint that begins with 'zz': there are "),
    "no fingerprint at all": (["clear", HELLO, "--episode", ""], "'' is the beginning of several fingerprints: "),
    "an episode of a diff": (["diff", f"{HELLO}#", HELLO], "'' is the beginning of several fingerprints: "),
    "flush": (["flush", "--older-than", "soon"], "--older-than = 'soon': expected a positive duration"),
    "refresh": (["refresh"], "name a PATTERN, or say --stale or --older-than"),
    "refresh a pattern": (["refresh", "test_helo"], "no cassette matches 'test_helo'"),
    "prune": (["prune"], "there is no report of a run (llm-vcr-report/summary.json)"),
    "import": (["import", "nowhere"], "nowhere: there is no such file or folder"),
    "import an empty folder": (["import", "empty"], "empty: there are no .yaml, .yml, .json files in it"),
    "import from a redis": (["import", "redis://:secretpw1234@127.0.0.1:1/0"], "Connection refused"),
    "doctor": (["doctor", "--stor"], "No such option"),
    "record": (["record"], "Missing argument 'PATTERN'"),
}


@everywhere
@pytest.mark.parametrize("name", CANNOT)
def test_it_says_why(place: Place, name: str) -> None:
    arguments, sentence = CANNOT[name]
    (place.root / "empty").mkdir()
    (place.root / "request.json").write_text("{}")
    before = {one: place.load(one) for one in place.store.scan()}
    plain, in_json = place.run(*arguments), place.run(*arguments, "--json")
    for result in (plain, in_json):
        assert result.exit_code == 2, result.output
        assert sentence in " ".join(result.stderr.split())
        assert "secretpw1234" not in result.output
    assert plain.stdout == ""
    told = json.loads(in_json.stdout)
    assert list(told) == ["error"]
    assert sentence in told["error"]
    assert {one: place.load(one) for one in place.store.scan()} == before


def test_a_command_that_is_none(place: Place) -> None:
    result = place.run("lsit", "--json")
    assert result.exit_code == 2
    assert "did you mean 'list'?" in json.loads(result.stdout)["error"]


def test_what_stands_behind_two_dashes_is_pytests(place: Place) -> None:
    result = place.run("refresh", "test_helo", "--", "--json")
    assert result.exit_code == 2
    assert result.stdout == ""


@everywhere
def test_a_fingerprint_that_several_begin_with(empty: Place) -> None:
    several = [episode(f"question {number}") for number in range(40)]
    empty.put(HELLO, *several)
    prints = [key[:10] for key in empty.load(HELLO).keyed()]
    begin = next(one[:1] for one in prints if sum(other[:1] == one[:1] for other in prints) > 1 and not one[0].isdigit())
    result = empty.run("clear", HELLO, "--episode", begin)
    assert result.exit_code == 2
    assert f"'{begin}' is the beginning of several fingerprints" in result.output
    assert len(empty.load(HELLO).episodes) == 40
    assert empty.json("clear", HELLO, "--episode", prints[0])["left"] == 39


def commands_with_a_store() -> list[str]:
    found = [(name, main.get_command(click.Context(main), name)) for name in main.list_commands(click.Context(main))]
    return [name for name, one in found if one is not None and any(option.name == "store" for option in one.params)]


MINIMAL = {"show": ["x"], "diff": ["x", "y"], "explain": ["x", "request.json"], "clear": ["x"], "export": ["out"], "refresh": ["x"]}

NO_STORE = {
    "valkey://:secretpw1234@127.0.0.1/0": "expected a store: file, file:DIR, or a URL with the scheme redis",
    "rediss//:secretpw1234@127.0.0.1/0": "did you mean 'rediss'?",
    "redis+cluster://:secretpw1234@127.0.0.1/0": "a Redis Cluster is not supported yet",
    "redis://:secretpw1234@127.0.0.1:port/0": "a URL that redis-py can read",
    "": "expected a store",
}


FOUND = ("redis+cluster://:secretpw1234@127.0.0.1/0", "redis://:secretpw1234@127.0.0.1:port/0")
"""What can be a setting, and no store comes of it: that is what the doctor is asked for."""


@pytest.mark.parametrize("url", NO_STORE)
@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["plain", "json"])
def test_a_url_that_is_no_stores(place: Place, url: str, as_json: list[str]) -> None:
    for name in commands_with_a_store():
        arguments = [name, *MINIMAL.get(name, ["x"] if name in ("import", "record") else []), "--store", url, *as_json]
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert result.exit_code == (1 if name == "doctor" and url in FOUND else 2), name
        assert NO_STORE[url] in " ".join(result.output.split())
        assert "secretpw1234" not in result.output
        if as_json:
            json.loads(result.stdout)


READING = ["list", "show", "stats", "diff", "explain", "scan", "clear", "flush", "normalize", "dedupe", "export", "refresh"]


def test_a_store_that_cannot_be_reached(place: Place) -> None:
    url = "redis://:secretpw1234@127.0.0.1:1/0"
    for name in READING:
        result = CliRunner().invoke(main, [name, *MINIMAL.get(name, []), "--store", url, "--json"], catch_exceptions=False)
        assert result.exit_code == 2, name
        assert "the store redis://REDACTED@127.0.0.1:1/0 cannot be used: " in json.loads(result.stdout)["error"]
        assert "secretpw1234" not in result.output
    told = json.loads(CliRunner().invoke(main, ["doctor", "--store", url, "--json"], catch_exceptions=False).stdout)
    assert told["store"][0]["state"] == "wrong"
    assert "secretpw1234" not in json.dumps(told)


def test_a_folder_that_is_not_there_holds_no_secret_either(place: Place) -> None:
    for name in READING:
        result = CliRunner().invoke(main, [name, *MINIMAL.get(name, []), "--store", "file:cassetes"], catch_exceptions=False)
        assert result.exit_code == 2, name
        assert "there is no folder" in result.output


# --- what cannot be read, among others


GOING_ON: dict[str, tuple[list[str], Callable[[dict[str, object]], int]]] = {
    "list": (["list"], lambda told: len(told["cassettes"])),  # type: ignore[arg-type]
    "stats": (["stats"], lambda told: told["cassettes"]),  # type: ignore[return-value]
    "scan": (["scan"], lambda told: 2 + len(told["secrets"])),  # type: ignore[arg-type]
    "normalize": (["normalize", "--write"], lambda told: 2 + len(told["cassettes"])),  # type: ignore[arg-type]
    "dedupe": (["dedupe", "--write"], lambda told: 2 + len(told["cassettes"])),  # type: ignore[arg-type]
    "export": (["export", "out"], lambda told: len(told["exported"])),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("empty", ["file", "json"], indirect=True)
@pytest.mark.parametrize("name", GOING_ON)
def test_a_file_that_cannot_be_read_is_named_and_the_others_are_done(place: Place, name: str) -> None:
    text = (place.root / HELLO).read_text("utf-8")
    cut = "\n".join(text.splitlines()[: text.count("\n") // 2])
    (place.root / HELLO).write_text(cut, "utf-8")
    arguments, count = GOING_ON[name]
    told = place.json(*arguments, status=2)
    (problem,) = told["unreadable"]
    assert problem["path"] == HELLO
    assert problem["line"] is not None
    assert count(told) == 2
    result = place.run(*arguments, *(["--force"] if name == "export" else []))
    assert result.exit_code == 2
    assert f"{HELLO}, line {problem['line']}: " in result.stderr
    assert (place.root / HELLO).read_text("utf-8") == cut, "it stays as it is"


@pytest.mark.parametrize("empty", ["redis"], indirect=True)
@pytest.mark.parametrize("name", GOING_ON)
@pytest.mark.parametrize("broken", ["one episode", "its key"])
def test_what_a_shared_store_cannot_read_is_named_and_the_others_are_done(
    place: Place, server: RedisServer, name: str, broken: str
) -> None:
    assert isinstance(place.store, RedisStore)
    key, client = place.store.key(HELLO), server.client()
    if broken == "its key":
        client.delete(key)
        client.set(key, "something else")
    else:
        client.hset(key, f"{'0' * 32}:0", b"\x09of a later version")
    arguments, count = GOING_ON[name]
    told = place.json(*arguments, status=2)
    assert [(one["path"], one["line"]) for one in told["unreadable"]] == [(HELLO, None)]
    assert count(told) == (2 if broken == "its key" or name in ("scan", "normalize", "dedupe") else 3)
    result = place.run(*arguments, *(["--force"] if name == "export" else []))
    assert result.exit_code == 2
    assert ("is no cassette" if broken == "its key" else "1 episode cannot be read: written by a later llm_vcr") in result.stderr
    assert client.type(key) == (b"string" if broken == "its key" else b"hash"), "it stays as it is"
    shown = place.run("show", HELLO)
    assert shown.exit_code == 2
    if broken == "one episode":
        assert shown.stdout.count("/v1/chat/completions") == 3
        assert place.run("clear", HELLO, "--episode", "2").exit_code == 2
        assert len(place.load(HELLO).unreadable) == 1


def test_a_file_that_another_command_can_read_says_so(place: Place) -> None:
    folder = place.root / "cassettes"
    folder.mkdir()
    (folder / "theirs.json").write_bytes((OTHERS / "llm-mock-2-openai.json").read_bytes())
    (folder / "old.yaml").write_text(OLD_FORM)
    told = {one["path"]: one["problem"] for one in place.json("list", status=2)["unreadable"]}
    assert told["cassettes/theirs.json"] == "llm-mock wrote this: `llm-vcr import cassettes/theirs.json` makes a cassette of it"
    assert told["cassettes/old.yaml"].endswith("; `llm-vcr normalize` can read it, and repairs it")
    assert place.run("import", "cassettes/theirs.json").exit_code == 0
    assert place.run("normalize", "cassettes/old", "--write").exit_code == 0
    assert {row["cassette"] for row in place.json("list", status=2)["cassettes"]} >= {"cassettes/theirs.yaml", "cassettes/old.yaml"}


# --- rights


@contextmanager
def nobody() -> Iterator[None]:
    """Somebody who may not do everything: for root every file can be read and written."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A project that somebody else may look into, and that belongs to them."""
    root = Path(tempfile.mkdtemp(prefix="llm-vcr-rights-"))
    try:
        (root / "pyproject.toml").write_text('[project]\nname = "shop"\n')
        monkeypatch.chdir(root)
        place = Place(root, "file", FileStore(root))
        place.put(HELLO, episode("hi"), episode("hi"))
        place.put(STREAM, episode("hi"), episode("hi"))
        for command in (
            ["list"],
            ["dedupe"],
            ["scan"],
            ["export", "first"],
            ["import", "first", "--into", "x", "--dry-run"],
            ["flush", "--dry-run"],
        ):
            place.run(*command)  # what a command imports is imported from now on
        shutil.rmtree(root / "first")
        for path in (root, *root.rglob("*")):
            if os.geteuid() == 0:
                os.chown(path, 65534, 65534)
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield place
    finally:
        for path in (root, *root.rglob("*")):
            path.chmod(0o755)
        shutil.rmtree(root)


def test_a_file_without_rights(theirs: Place) -> None:
    (theirs.root / HELLO).chmod(0)
    with nobody():
        for arguments in (["list"], ["scan"], ["dedupe"], ["export", "out"], ["import", "tests", "--into", "new"]):
            told = theirs.json(*arguments, status=2)
            (problem,) = told["unreadable"]
            assert problem["path"] == HELLO
            assert "Permission denied" in problem["problem"]
    assert theirs.store.load("new/cassettes/test_chat/test_stream.yaml") is not None


def test_a_folder_without_rights(theirs: Place) -> None:
    closed = (theirs.root / HELLO).parent
    theirs.put("tests/cassettes/other.yaml", episode("hi"))
    if os.geteuid() == 0:
        os.chown(theirs.root / "tests/cassettes/other.yaml", 65534, 65534)
    closed.chmod(0)
    with nobody():
        for arguments in (["list"], ["scan"], ["export", "out"], ["import", "tests", "--into", "new"]):
            told = theirs.json(*arguments, status=2)
            (problem,) = told["unreadable"]
            assert Path(problem["path"]) == closed.relative_to(theirs.root)
            assert problem["problem"] == "the folder cannot be read: Permission denied"
        # Nothing in it can be read, and that is the reason, not that there is nothing.
        told = theirs.json("import", str(closed.relative_to(theirs.root)), "--into", "more", status=2)
        assert "cannot be read" in told["unreadable"][0]["problem"]
    closed.chmod(0o755)


@pytest.mark.parametrize(
    "arguments", [["dedupe", "--write"], ["clear", HELLO], ["flush"], ["export", "out"], ["import", "tests", "--into", "new"]]
)
@pytest.mark.parametrize("closed", [".", "tests/cassettes/test_chat"])
def test_a_folder_that_cannot_be_written_to(theirs: Place, arguments: list[str], closed: str) -> None:
    before = {name: theirs.load(name) for name in (HELLO, STREAM)}
    (theirs.root / closed).chmod(0o555)
    with nobody():
        result = theirs.run(*arguments, "--json")
    (theirs.root / closed).chmod(0o755)
    if closed != "." and arguments[0] in ("export", "import"):
        assert result.exit_code == 0, "they write elsewhere"
    else:
        assert result.exit_code == 2
        assert "Permission denied" in json.loads(result.stdout)["error"]
    assert {name: theirs.load(name) for name in (HELLO, STREAM)} == before
