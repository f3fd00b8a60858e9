"""record, refresh, demo: what runs tests."""

from __future__ import annotations

import math
import os
import signal
from dataclasses import replace
from typing import Any

import pytest

from tests.fake_provider import FakeProvider
from tests.python.cli.place import Place, episode, everywhere, wait
from tests.redis_server import RedisServer

SUITE = """
import httpx

def ask(text):
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
    answer = httpx.post("URL/v1/chat/completions", json=body, headers={"authorization": "Bearer sk-made-up"})
    assert answer.status_code == 200

def test_one(): ask("one")
def test_two(): ask("two")
"""

ONE = "tests/cassettes/test_chat/test_one.yaml"
TWO = "tests/cassettes/test_chat/test_two.yaml"


@pytest.fixture
def suite(empty: Place, provider: FakeProvider) -> Place:
    with (empty.root / "pyproject.toml").open("a") as file:
        file.write('llm_vcr_provider_hosts = ["127.0.0.1"]\n')
    (empty.root / "tests").mkdir()
    (empty.root / "tests" / "test_chat.py").write_text(SUITE.replace("URL", provider.url))
    return empty


def stored(place: Place, cassette_id: str) -> Any:
    """All there is of a cassette: over files its bytes, elsewhere its episodes with their keys."""
    path = place.root / cassette_id
    return path.read_bytes() if place.url == "file" else [(one, one.key) for one in place.load(cassette_id).episodes]


@everywhere
def test_record_runs_the_tests_named_and_no_others(suite: Place, provider: FakeProvider) -> None:
    told = suite.json("record", "test_one")
    assert told["tests"] == ["tests/test_chat.py::test_one"]
    assert told["passed"]
    assert provider.count == 1
    assert list(suite.store.scan()) == [ONE]
    suite.json("record", "test_one")
    assert provider.count == 1, "what is recorded is replayed"


@everywhere
def test_refresh_records_its_cassettes_anew_and_leaves_the_others(suite: Place, provider: FakeProvider) -> None:
    suite.json("record", "test_")
    one, two = stored(suite, ONE), stored(suite, TWO)
    told = suite.json("refresh", "test_one")
    assert told["tests"] == ["tests/test_chat.py::test_one"]
    assert provider.count == 3
    assert stored(suite, ONE) != one
    assert stored(suite, TWO) == two
    assert len(suite.load(ONE).episodes) == 1


@everywhere
def test_refresh_of_a_test_that_fails_keeps_the_old_recording(suite: Place) -> None:
    suite.json("record", "test_one")
    before = stored(suite, ONE)
    file = suite.root / "tests" / "test_chat.py"
    file.write_text(file.read_text() + "\ndef teardown_module(): pass\n\ndef test_one():\n    ask('one')\n    assert False\n")
    told = suite.json("refresh", "test_one", status=1)
    assert not told["passed"]
    assert stored(suite, ONE) == before


@everywhere
@pytest.mark.parametrize("stopped_by", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_refresh_that_is_stopped_leaves_every_cassette_old_or_new(suite: Place, provider: FakeProvider, stopped_by: signal.Signals) -> None:
    names = [f"test_{number}" for number in range(14)]
    many = "\n".join(f"def {name}(): ask('{name}')" for name in names)
    (suite.root / "tests" / "test_chat.py").write_text(SUITE.partition("def test_one")[0].replace("URL", provider.url) + many)
    suite.json("record", "test_")
    before = {name: answers(suite, name) for name in names}
    process = suite.start("refresh", "test_")
    wait(lambda: provider.count >= len(names) + 3, process)
    os.killpg(process.pid, stopped_by)
    assert process.wait(60) == (130 if stopped_by is signal.SIGINT else -signal.SIGKILL)
    kinds = {"old": 0, "new": 0}
    for name in names:
        now = answers(suite, name)
        assert len(now) == 1
        kinds["old" if now == before[name] else "new"] += 1
    assert kinds["new"] >= 1
    assert kinds["old"] >= 1


def answers(place: Place, name: str) -> list[bytes]:
    return [one.response["body"]["string"] for one in place.load(f"tests/cassettes/test_chat/{name}.yaml").episodes]


# --- prune: by the report of a run


@everywhere
def test_prune_drops_what_the_last_full_run_did_not_play(suite: Place, provider: FakeProvider) -> None:
    suite.json("record", "test_")
    kept, stale = suite.load(ONE).episodes[0], episode("nobody asks this any more", uri=f"{provider.url}/v1/chat/completions")
    record = suite.load(ONE)
    suite.store.merge(ONE, replace(record, episodes=(*record.episodes, stale), base=record), ttl=math.inf, keep=math.inf)
    suite.put("tests/cassettes/test_chat/test_gone.yaml", episode("gone"))
    assert suite.pytest().returncode == 0
    assert provider.count == 2
    told = suite.json("prune", status=1)
    assert told["orphans"] == ["tests/cassettes/test_chat/test_gone.yaml"]
    (row,) = told["unplayed"]
    assert (row["cassette"], len(row["dropped"]), row["left"]) == (ONE, 1, 1)
    assert len(suite.load(ONE).episodes) == 2, "nothing is changed without --write"
    output = suite.run("prune").output
    assert "not played" in output
    assert "no test has it" in output
    assert suite.json("prune", "--write")["backup"]
    assert [one.request["body"] for one in suite.load(ONE).episodes] == [kept.request["body"]]
    assert list(suite.store.scan()) == [ONE, TWO]
    assert suite.pytest("--llm-vcr-max-live-calls=0").returncode == 0
    assert "every episode was played" in suite.run("prune").output


@everywhere
def test_prune_refuses_where_the_last_run_cannot_tell(suite: Place) -> None:
    suite.json("record", "test_")
    (suite.root / "llm-vcr-report" / "summary.json").unlink(missing_ok=True)
    assert "there is no report of a run" in suite.run("prune", "--write").output
    assert suite.pytest("-k", "test_one").returncode == 0
    result = suite.run("prune", "--write")
    assert result.exit_code == 2
    assert "was not a full one" in result.output
    assert "llm-vcr prune --orphans" in result.output
    (suite.root / "llm-vcr-report" / "summary.json").write_text("{}")
    assert "cannot be read" in suite.run("prune").output
    assert len(list(suite.store.scan())) == 2
    suite.json("prune", "--orphans")


def test_prune_refuses_a_run_over_another_store(suite: Place, server: RedisServer) -> None:
    suite.json("record", "test_")
    assert suite.pytest().returncode == 0
    result = Place(suite.root, server.url, suite.store).run("prune")
    assert result.exit_code == 2
    assert "used the store file" in result.output


@everywhere
def test_prune_leaves_what_a_failed_test_may_play(suite: Place) -> None:
    suite.json("record", "test_")
    file = suite.root / "tests" / "test_chat.py"
    file.write_text(file.read_text().replace('def test_one(): ask("one")', "def test_one(): assert False"))
    assert suite.pytest().returncode == 1
    assert suite.json("prune")["unplayed"] == []


@everywhere
def test_prune_leaves_cassettes_that_the_code_names(suite: Place) -> None:
    suite.put("tests/recordings/by_hand.yaml", episode())
    suite.put("tests/recordings/forgotten.yaml", episode())
    (suite.root / "tests" / "test_more.py").write_text("import llm_vcr\nNAME = 'recordings/by_hand.yaml'\ndef test_it(): pass\n")
    assert suite.json("prune", "--orphans", status=1)["orphans"] == ["tests/recordings/forgotten.yaml"]


@pytest.mark.parametrize("command", ["record", "refresh"])
def test_nothing_to_run_is_a_usage_error(suite: Place, command: str) -> None:
    result = suite.run(command, "nothing_of_this_name")
    assert result.exit_code == 2


def test_demo_says_what_it_lacks(empty: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner
    from llm_vcr.cli import demo

    monkeypatch.setattr(demo, "_NEEDED", ("no_sdk_of_this_name",))
    result = CliRunner().invoke(demo.command)
    assert result.exit_code == 2
    assert "no-sdk-of-this-name is missing: pip install 'llm-vcr-rs[demo]'" in result.output
