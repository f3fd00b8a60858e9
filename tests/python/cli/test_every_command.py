"""Every command over files and a real Redis, with --json and on a terminal: it does what it is there for, and says so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
from click.testing import Result
from llm_vcr.cli import main

from tests.fake_provider import FakeProvider
from tests.python.cli.place import SSE, Place, episode
from tests.python.report.summaries import one_test, summary

KEY = "sk-proj-" + "aB3dE5gH7jK9" * 8
MOVED = ("cassetter.yaml", "llm-mock-2-openai.json", "pytest-llm-vcr.yaml")
THEIRS = Path(__file__).parent / "written_by_others"

BATCH, CHAT = "tests/cassettes/test_batch/", "tests/cassettes/test_chat/"
KEYS, POLL = BATCH + "test_keys", BATCH + "test_poll"
STREAM, WEATHER, NEW = CHAT + "test_stream", CHAT + "test_weather[a-b]", CHAT + "test_weather_new"
LIVE = "tests/cassettes/test_live/test_live"
ALL = {KEYS: 1, POLL: 4, STREAM: 1, WEATHER: 2, NEW: 2, LIVE: 1}

TESTS = """
import httpx
def test_live():
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "live"}]}
    httpx.post("URL/v1/chat/completions", json=body, headers={"authorization": "Bearer sk-made-up"}).raise_for_status()
"""


@pytest.fixture
def shop(empty: Place, provider: FakeProvider) -> Place:
    """A project with something in it for every command."""
    with (empty.root / "pyproject.toml").open("a") as file:
        file.write('llm_vcr_provider_hosts = ["127.0.0.1"]\n')
    now = datetime.now(UTC)
    suffix = suffix_of(empty)

    def put(name: str, *episodes: Any, ago: timedelta = timedelta(days=12, hours=1), ttl: float = 1e12) -> None:
        empty.put(name + suffix, *episodes, recorded_at=now - ago, ttl=ttl)

    bern = episode("What is the weather in Bern?", answer="Sunny, 21 °C.")
    put(WEATHER, bern, episode("And tomorrow?", answer="Rain."))
    put(NEW, episode("What is the weather in Bern?", answer="Cloudy, 17 °C."), episode("And tomorrow?", answer="Rain."))
    put(STREAM, episode("count", answer_body=SSE, answer_type="text/event-stream"))
    put(POLL, *[episode("poll", answer=answer, model="gpt-4o-mini") for answer in ("queued", "done", "done", "done")])
    put(KEYS, episode(f"my key is {KEY}", headers={"authorization": [f"Bearer {KEY}"]}, model="claude-sonnet-4-5"))
    put(LIVE, episode("an older question", answer="an older answer", uri=f"{provider.url}/v1/chat/completions"))
    tests = empty.root / "tests"
    tests.mkdir(exist_ok=True)
    (tests / "test_chat.py").write_text(
        "import pytest\ndef test_stream(): pass\ndef test_weather_new(): pass\n"
        "@pytest.mark.parametrize('one', ['a-b'])\ndef test_weather(one): pass\n"
    )
    (tests / "test_batch.py").write_text("def test_keys(): pass\n")
    (tests / "test_live.py").write_text(TESTS.replace("URL", provider.url))
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "What is the weather in Basel?"}]}
    (empty.root / "request.json").write_text(json.dumps(asked))
    second = list(empty.load(WEATHER + suffix).keyed())[1][:10]
    report = {"started": datetime.now(UTC).isoformat(timespec="seconds"), "seconds": 1.0, "complete": True, "store": {"url": empty.url}}
    (empty.root / "llm-vcr-report").mkdir()
    (empty.root / "llm-vcr-report" / "summary.json").write_text(json.dumps({**report, "unused": {WEATHER + suffix: [second]}}))
    (empty.root / "run.json").write_text(json.dumps(summary({"t.py::test": one_test(played=2, avoided=0.5)})), "utf-8")
    theirs = empty.root / "theirs"
    theirs.mkdir()
    for file in THEIRS.iterdir():
        if file.suffix in (".yaml", ".json"):
            # Not beside the cassettes of the project, where they would be taken for some.
            (theirs / f"{file.name}.txt").write_bytes(file.read_bytes())
    return empty


def suffix_of(place: Place) -> str:
    return ".json" if "llm_vcr_format" in (place.root / "pyproject.toml").read_text() else ".yaml"


GUIDE = (Path(__file__).parents[3] / "docs" / "guide" / "cli.md").read_text("utf-8")
AS_THE_GUIDE_SAYS = next(line for line in GUIDE.splitlines() if line.startswith("second run: 0 live calls"))


class Case(NamedTuple):
    """A command, what it is asked, and what has to come of it."""

    arguments: list[str]
    status: int
    document: Callable[[dict[str, Any]], bool]
    """Whether the JSON is right; its cassettes are told without their suffix."""
    screen: list[str]
    """What stands on the terminal."""
    done: Callable[[Place, Callable[[str], int]], bool] = lambda place, left: all(left(name) == count for name, count in ALL.items())
    """Whether the store is right afterwards, by the number of episodes of each cassette."""
    store: bool = True


def texts(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False)


CASES = {
    "list": Case(
        ["list"], 0,
        lambda told: {row["cassette"]: row["episodes"] for row in told["cassettes"]} == ALL
        and all(row["recorded_at"] and row["fresh"] and row["bytes"] > 100 for row in told["cassettes"])
        and told["cassettes"][0]["models"] == ["claude-sonnet-4-5"],
        [CHAT, "test_weather[a-b]", "gpt-4o-mini", "6 cassettes, 11 episodes"],
    ),
    "show": Case(
        ["show", "test_weather[a-b]"], 0,
        lambda told: told["cassette"] == WEATHER and [one["number"] for one in told["episodes"]] == [1, 2],
        [WEATHER, "POST /v1/chat/completions", "200 json"],
    ),
    "stats": Case(
        ["stats"], 0,
        lambda told: (told["cassettes"], told["episodes"], told["stale"]) == (6, 11, 0) and told["oldest"] and told["cost_usd"] > 0.02,
        ["6 cassettes, 11 episodes", "to record all of it again", "claude-sonnet-4-5"],
    ),
    "report": Case(
        ["report", "run.json", "-o", "page.html"], 0,
        lambda told: told["headline"] == "This run cost nothing, replay saved $0.50 in 2 calls and nothing leaked."
        and (told["page"], told["runs"]) == ("page.html", 1),
        ["This run cost nothing", "page.html"],
        lambda place, left: "t.py::test" in (place.root / "page.html").read_text("utf-8"),
        store=False,
    ),
    "diff": Case(
        ["diff", "test_weather[a-b]", "test_weather_new"], 1,
        lambda told: [one["path"] for one in told["pairs"][0]["differences"]] == ["choices[0].message.content"],
        ["answer choices[0].message.content", '- "Sunny, 21 °C."', '+ "Cloudy, 17 °C."'],
    ),
    "explain": Case(
        ["explain", "test_weather[a-b]", "request.json"], 1,
        lambda told: not told["hit"] and told["path"] == "messages[0].content" and "Basel" in told["request"],
        ["MISS", "messages[0].content", "What is the weather in Bern?", "fix"],
    ),
    "scan": Case(
        ["scan"], 1,
        lambda told: {one["place"] for one in told["secrets"]}
        == {f"episode 1, request {place}" for place in ("header authorization", "body messages[0].content")},
        [KEYS, "openai", "request header authorization", "2 secrets in 1 cassette: 2 openai"],
    ),
    "doctor": Case(
        ["doctor"], 0,
        lambda told: "6 cassettes" in told["store"][0]["text"] and all(one["state"] == "ok" for one in told["HTTP clients"])
        and {one["name"]: one["value"] for one in told["settings"]}["llm_vcr_ttl"] is None,
        ["httpx2", "intercepted", "reachable, 6 cassettes", "llm_vcr_ttl ", "llm_vcr in pyproject.toml"],
    ),
    "clear": Case(
        ["clear", "test_weather[a-b]", "--episode", "2"], 0,
        lambda told: told["left"] == 1 and len(told["cleared"]) == 1 and told["backup"].startswith(".llm-vcr/backup/"),
        ["forgot 1 episode of", "test_weather[a-b]", "1 episode left", "a copy lies in .llm-vcr/backup/"],
        lambda place, left: (left(WEATHER), left(NEW)) == (1, 2) and copied(place) == {WEATHER},
    ),
    "flush": Case(
        ["flush", "--match", "*[a-b]*"], 0,
        lambda told: told["flushed"] == [{"cassette": WEATHER, "episodes": 2}] and told["written"],
        ["forgot 1 cassette with 2 episodes"],
        lambda place, left: (left(WEATHER), left(NEW), left(POLL)) == (0, 2, 4),
    ),
    "normalize": Case(
        ["normalize", "--write"], 0,
        lambda told: [(row["cassette"], row["repairs"]) for row in told["cassettes"]] == [(KEYS, {"secret": 1})] and told["written"],
        ["test_keys", "1 secret", "repaired 1 cassette; copies lie in"],
        lambda place, left: place.json("scan")["secrets"] == [] and copied(place) == {KEYS},
    ),
    "prune": Case(
        ["prune", "--write"], 0,
        lambda told: told["orphans"] == [POLL] and [(row["cassette"], row["left"]) for row in told["unplayed"]] == [(WEATHER, 1)],
        ["all of it: no test has it", "not played: ", "1 cassette without a test (of 5 tests), 1 unplayed episode. dropped"],
        lambda place, left: (left(POLL), left(WEATHER), left(LIVE)) == (0, 1, 1) and copied(place) == {POLL, WEATHER},
    ),
    "dedupe": Case(
        ["dedupe", "--write"], 0,
        lambda told: told["cassettes"] == [{"cassette": POLL, "dropped": [3, 4], "left": 2}],
        ["test_poll", "episodes 3, 4", "copies lie in"],
        lambda place, left: left(POLL) == 2 and left(WEATHER) == 2 and copied(place) == {POLL},
    ),
    "export": Case(
        ["export", "out"], 0,
        lambda told: {row["cassette"]: row["episodes"] for row in told["exported"]} == ALL,
        ["exported 6 cassettes to out"],
        lambda place, left: (place.root / "out" / f"{WEATHER}.yaml").read_text("utf-8").startswith("interactions:"),
    ),
    "import": Case(
        ["import", *(f"theirs/{name}.txt" for name in MOVED), "--into", "new"], 1,
        lambda told: [(row["format"], row["episodes"], len(row["unusable"])) for row in told["imported"]]
        == [("cassetter", 4, 0), ("llm-mock", 2, 0), ("pytest-llm-vcr", 1, 4)],
        ["theirs/cassetter.yaml.txt", "→ new/cassetter.yaml", "[REDACTED] stands in the request", "imported 7 episodes into 3 cassettes"],
        lambda place, left: [left(f"new/{name}") for name in MOVED] == [4, 2, 1],
    ),
    "record": Case(
        ["record", "test_live", "--", "-q"], 0,
        lambda told: told["passed"] and told["tests"] == ["tests/test_live.py::test_live"] and "1 passed" in told["output"],
        ["running 1 test with --record-mode=new_episodes", "1 passed", "1 MISS:RECORDED"],
        lambda place, left: left(LIVE) == 2 and left(WEATHER) == 2,
    ),
    "refresh": Case(
        ["refresh", "test_live", "--", "-q"], 0,
        lambda told: told["passed"] and told["tests"] == ["tests/test_live.py::test_live"] and "1 passed" in told["output"],
        ["copies of 1 cassette lie in .llm-vcr/backup/", "running 1 test with --record-mode=rewrite", "1 MISS:RECORDED"],
        lambda place, left: left(LIVE) == 1 and b"an older answer" not in answer(place, LIVE) and copied(place) == {LIVE},
    ),
    "demo": Case(
        ["demo"], 0,
        lambda told: told["passed"] and told["second"]["live"] == 0 and told["second"]["replayed"] == told["first"]["recorded"] > 50,
        ["first run: the provider stand-in answers on", "no API key in them", AS_THE_GUIDE_SAYS],
        store=False,
    ),
}  # fmt: skip


def copied(place: Place) -> set[str]:
    """The cassettes of which a copy was put aside."""
    found = [path for path in (place.root / ".llm-vcr" / "backup").rglob("*") if path.suffix in (".yaml", ".json")]
    return {path.relative_to(place.root / ".llm-vcr" / "backup").as_posix().partition("/")[2].rpartition(".")[0] for path in found}


def answer(place: Place, name: str) -> bytes:
    body: bytes = place.load(name + suffix_of(place)).episodes[0].response["body"]["string"]
    return body


def left(place: Place) -> Callable[[str], int]:
    def count(name: str) -> int:
        record = place.store.load(name + suffix_of(place))
        return 0 if record is None else len(record.episodes)

    return count


def test_no_command_is_without_a_case() -> None:
    assert list(CASES) == main.list_commands(click.Context(main))


STORED = [name for name, case in CASES.items() if case.store]
OTHERS = [name for name, case in CASES.items() if not case.store]


def told_in_json(place: Place, case: Case) -> None:
    with_json = [*case.arguments]
    with_json.insert(with_json.index("--") if "--" in with_json else len(with_json), "--json")
    # The demo hands its standard output on to a process.
    done = place.run(*with_json) if case.store else place.process(*with_json)
    status = done.exit_code if isinstance(done, Result) else done.returncode
    assert status == case.status, done.stdout + done.stderr
    document = json.loads(done.stdout)
    # Over each store the same, but for the suffix of a cassette.
    without = json.loads(re.sub(rf"(test_\w+(?:\[a-b\])?){re.escape(suffix_of(place))}(?=\")", r"\1", texts(document)))
    assert case.document(without), document
    assert not {"Traceback", "\x1b"} & set(re.findall("Traceback|\x1b", done.stdout + done.stderr))
    assert KEY not in done.stdout + done.stderr
    if case.store:
        assert case.done(place, left(place))


def told_on_a_terminal(place: Place, case: Case) -> None:
    status, text = place.terminal(*case.arguments, store=case.store)
    assert status == case.status, text
    flowing = " ".join(text.split())
    for one in case.screen:
        assert " ".join(one.split()) in flowing, text
    assert "Traceback" not in text
    assert KEY not in text
    if case.store:
        assert case.done(place, left(place))


@pytest.mark.parametrize("empty", ["file", "json", "redis"], indirect=True)
@pytest.mark.parametrize("name", STORED)
def test_with_json(shop: Place, name: str) -> None:
    told_in_json(shop, CASES[name])


@pytest.mark.parametrize("empty", ["file", "redis"], indirect=True)
@pytest.mark.parametrize("name", STORED)
def test_on_a_terminal(shop: Place, name: str) -> None:
    told_on_a_terminal(shop, CASES[name])


@pytest.mark.parametrize("name", OTHERS)
def test_what_needs_no_store_with_json(shop: Place, name: str) -> None:
    told_in_json(shop, CASES[name])


@pytest.mark.parametrize("name", OTHERS)
def test_what_needs_no_store_on_a_terminal(shop: Place, name: str) -> None:
    told_on_a_terminal(shop, CASES[name])
