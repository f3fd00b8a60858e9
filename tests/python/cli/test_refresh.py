"""The live lane: what is stale is recorded anew, the oldest first, within a budget, and everything else stays what it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llm_vcr.stores.redis import RedisStore

from tests.fake_provider import FakeProvider
from tests.python.cli.place import Place
from tests.python.stores import conftest as stores
from tests.redis_server import RedisServer

SUITE = """
import httpx
import pytest

def ask(text):
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
    answer = httpx.post("URL/v1/chat/completions", json=body, headers={"authorization": "Bearer sk-made-up"}, verify=False)
    assert answer.status_code == 200

@pytest.mark.parametrize("name", ["fresh", "old", "older"])
def test_it(name):
    ask(name)
    ask(f"more of {name}")
"""

NAMES = ("fresh", "old", "older")
INI = '[project]\nname = "shop"\n[tool.pytest.ini_options]\nllm_vcr = "auto"\nllm_vcr_provider_hosts = ["127.0.0.1"]\nllm_vcr_ttl = "24h"\n'


@pytest.fixture
def files(empty: Place, provider: FakeProvider) -> Place:
    """A suite of three tests, two of them with stale recordings."""
    (empty.root / "pyproject.toml").write_text(INI)
    (empty.root / "tests").mkdir()
    (empty.root / "tests" / "test_chat.py").write_text(SUITE.replace("URL", provider.url))
    empty.json("record", "test_")
    for name, year in (("old", "2024"), ("older", "2023")):
        path = empty.root / cassette(name)
        path.write_text(re.sub(r"recorded_at: '\d+", f"recorded_at: '{year}", path.read_text("utf-8")), "utf-8")
    return empty


def cassette(name: str) -> str:
    return f"tests/cassettes/test_chat/test_it[{name}].yaml"


def in_files(place: Place) -> dict[str, Any]:
    return {name: (place.root / cassette(name)).read_bytes() for name in NAMES}


def in_redis(place: Place) -> dict[str, Any]:
    assert isinstance(place.store, RedisStore)
    return {name: place.store.read(cassette(name)).fields for name in NAMES}


Lane = tuple[Place, Callable[[Place], dict[str, Any]]]


@pytest.fixture(params=["files", "redis"])
def lane(request: pytest.FixtureRequest, files: Place) -> Iterator[Lane]:
    """The suite over a kind of store, and what is stored there, byte for byte."""
    if request.param == "files":
        yield files, in_files
        return
    with RedisServer() as server:
        store = RedisStore(server.url, project="shop")
        place = Place(files.root, server.url, store)
        place.json("record", "test_")
        client = server.client()
        for key in client.keys("llm-vcr:cassette:*"):
            for name, hours in (("[old]", 30), ("[older]", 48)):
                if key.decode().endswith(f"{name}.yaml"):
                    stores.age(client, key, hours * 3600)
        yield place, in_redis
        store.close()


def test_what_is_stale_is_recorded_anew_within_the_budget(lane: Lane, provider: FakeProvider) -> None:
    place, stored = lane
    before, calls = stored(place), provider.count
    # Three calls: the oldest cassette's two, and one that is not enough for the next.
    told = place.json("refresh", "--stale", "--max-live-calls", "3", status=1)
    assert told["tests"] == ["tests/test_chat.py::test_it[older]", "tests/test_chat.py::test_it[old]"]
    assert provider.count == calls + 3
    after = stored(place)
    assert {name for name in NAMES if after[name] != before[name]} == {"older"}
    # The next night, with enough of it and with workers.
    done = place.process("refresh", "--stale", "--max-live-usd", "1", "--store", place.url, "--json", "--", "-n", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["tests"] == ["tests/test_chat.py::test_it[old]"]
    assert "2 workers" in told["output"]
    assert provider.count == calls + 5
    last = stored(place)
    assert {name for name in NAMES if last[name] != after[name]} == {"old"}
    assert last["fresh"] == before["fresh"]
    assert place.json("refresh", "--stale")["tests"] == []
    assert provider.count == calls + 5


def test_the_budget_in_dollars_is_kept(files: Place, provider: FakeProvider) -> None:
    before, calls = in_files(files), provider.count
    told = files.json("refresh", "--stale", "--max-live-usd", "0.000001", status=1)
    assert provider.count == calls + 1
    assert in_files(files) == before
    assert re.search(r"FAILED --llm-vcr-max-live-usd 1e-06: .* spent; refused calls of: ", told["output"])


def test_a_test_that_swallows_the_refusal_keeps_its_old_recording(files: Place, provider: FakeProvider) -> None:
    path = files.root / "tests" / "test_chat.py"
    path.write_text(path.read_text().replace("    assert answer.status_code == 200\n", ""))
    before, calls = in_files(files), provider.count
    told = files.json("refresh", "--stale", "--max-live-calls", "1", status=1)
    assert "2 passed" in told["output"]
    assert provider.count == calls + 1
    assert in_files(files) == before
    assert "a call was refused, so the old recording stays" in told["output"]


def test_by_age(files: Place, provider: FakeProvider) -> None:
    before, calls = in_files(files), provider.count
    told = files.json("refresh", "--older-than", "7d")
    assert told["tests"] == ["tests/test_chat.py::test_it[older]", "tests/test_chat.py::test_it[old]"]
    assert provider.count == calls + 4
    assert in_files(files)["fresh"] == before["fresh"]
    assert files.json("refresh", "--older-than", "7d")["tests"] == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "name a PATTERN, or say --stale or --older-than"),
        (["--", "-n", "2"], "name a PATTERN, or say --stale or --older-than"),
        (["--older-than", "yesterday"], "--older-than = 'yesterday': expected a positive duration"),
        (["--stale", "--max-live-usd", "much"], "--max-live-usd = 'much': expected an amount of dollars"),
        (["--stale", "no-such-cassette"], "no cassette matches"),
    ],
)
def test_what_cannot_be_is_said(place: Place, arguments: list[str], expected: str) -> None:
    result = place.run("refresh", *arguments)
    assert result.exit_code == 2
    assert expected in result.output
