"""The commands over a real Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
import zstandard
from llm_vcr.stores import CassetteRecord, Episode
from llm_vcr.stores.redis import RedisStore

from tests.python.cli.place import HELLO, STREAM, Place, episode
from tests.redis_server import RedisServer

KEY = "sk-proj-" + "aB3dE5gH7jK9" * 8


@pytest.fixture
def shared(empty: Place, server: RedisServer) -> Iterator[Place]:
    server.client().flushall()
    (empty.root / "pyproject.toml").write_text('[project]\nname = "shop"\n[tool.pytest.ini_options]\nllm_vcr = "auto"\n')
    store = RedisStore(server.url, project="shop")
    place = Place(empty.root, server.url, store)
    place.put(HELLO, episode("hi"), episode("how are you?", answer="fine"), episode("hi", answer="hello again"))
    place.put(STREAM, episode("poll"), episode("poll"), episode(f"key {KEY}", headers={"x-api-key": [KEY]}))
    yield place
    store.close()


def copies(place: Place) -> list[str]:
    return sorted("/".join(path.parts[-4:]) for path in (place.root / ".llm-vcr").rglob("*.yaml"))


def test_looking(shared: Place) -> None:
    rows = {row["cassette"]: row for row in shared.json("list")["cassettes"]}
    assert {name: row["episodes"] for name, row in rows.items()} == {HELLO: 3, STREAM: 3}
    assert "test_hello.yaml" in shared.run("list").output
    assert shared.json("show", "test_hello", "2")["episodes"][0]["response"]["body"]["choices"][0]["message"]["content"] == "fine"
    assert shared.json("stats")["episodes"] == 6
    assert shared.run("show", "test_helo").exit_code == 2


def test_checking(shared: Place, tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}))
    assert shared.json("explain", HELLO, str(request))["hit"]
    assert not shared.json("diff", f"{HELLO}#1", f"{HELLO}#2", status=1)["same"]
    places = {one["place"] for one in shared.json("scan", status=1)["secrets"]}
    assert places == {"episode 3, request header x-api-key", "episode 3, request body messages[0].content"}
    checks = {one["name"]: one for one in shared.json("doctor")["store"]}
    assert "2 cassettes" in checks["store"]["text"]
    assert checks["eviction policy"]["text"] == "noeviction"


def test_changing(shared: Place) -> None:
    assert shared.json("clear", HELLO, "--episode", "2")["left"] == 2
    assert len(shared.load(HELLO).episodes) == 2
    assert shared.json("normalize", "--write")["cassettes"][0]["repairs"] == {"secret": 1}
    assert shared.json("scan")["secrets"] == []
    assert len(shared.load(STREAM).episodes) == 3
    assert shared.json("dedupe", "--write")["cassettes"] == [{"cassette": STREAM, "dropped": [2], "left": 2}]
    assert len(shared.load(STREAM).episodes) == 2
    assert {HELLO, STREAM} <= set(copies(shared))
    assert shared.json("clear", HELLO)["cleared"] == "all"
    assert list(shared.store.scan()) == [STREAM]


def test_a_repair_keeps_the_order_and_makes_nothing_fresher(shared: Place) -> None:
    told = [episode("poll", answer=answer, headers={"x-api-key": [KEY]} if answer == "one" else {}) for answer in ("one", "two", "three")]
    shared.put("polled.yaml", *told, ttl=3600)
    before = max(one.fresh_until for one in shared.load("polled.yaml").episodes)
    shared.json("normalize", "polled", "--write")
    after = shared.load("polled.yaml").episodes
    answers = [json.loads(one.response["body"]["string"])["choices"][0]["message"]["content"] for one in after]
    assert answers == ["one", "two", "three"]
    # The store spreads times by a tenth, so that a suite does not expire at once.
    assert max(one.fresh_until for one in after) < before + 400


def test_flush(shared: Place, server: RedisServer) -> None:
    server.client().set("of:the:application", "1")
    assert [one["cassette"] for one in shared.json("flush", "--match", "*hello*", "--dry-run")["flushed"]] == [HELLO]
    assert shared.json("flush", "--older-than", "1h")["flushed"] == []
    assert "forgot 1 cassette with 3 episodes" in shared.run("flush", "--match", "*hello*").output
    assert list(shared.store.scan()) == [STREAM]
    shared.json("flush")
    assert list(shared.store.scan()) == []
    assert server.client().get("of:the:application") == b"1"
    assert shared.run("flush", "--older-than", "soon").exit_code == 2


def test_moving(shared: Place) -> None:
    assert len(shared.json("export", "out")["exported"]) == 2
    shared.json("flush")
    assert shared.json("import", "out/tests", "--into", "tests")["imported"][0]["state"] == "imported"
    assert len(shared.load(HELLO).episodes) == 3
    assert shared.json("scan")["secrets"] == [], "what is imported is scrubbed"


def test_litellms_cassettes_plain_and_compressed(empty: Place, server: RedisServer) -> None:
    client = server.client()
    client.flushall()
    cassette = {"version": 1, "interactions": [{
        "request": {"method": "POST", "uri": "https://api.openai.com/v1/x", "headers": {"authorization": [f"Bearer {KEY}"]}, "body": "{}"},
        "response": {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": '{"a": 1}'}},
    }]}  # fmt: skip
    text = yaml.safe_dump(cassette).encode()
    client.set("litellm:vcr:cassette:tests/llm_translation/test_x/test_plain", text)
    client.set("litellm:vcr:cassette:tests/llm_translation/test_x/test_small", zstandard.ZstdCompressor().compress(text))
    told = empty.json("import", server.url)
    assert [row["cassette"] for row in told["imported"]] == [
        f"tests/llm_translation/cassettes/test_x/test_{name}.yaml" for name in ("plain", "small")
    ]
    for row in told["imported"]:
        assert empty.load(row["cassette"]).episodes[0].response["body"]["string"] == b'{"a": 1}'
    assert empty.json("scan")["secrets"] == []


def test_a_store_that_cannot_be_reached(empty: Place) -> None:
    result = Place(empty.root, "redis://:secretpassword1@127.0.0.1:1/0", empty.store).run("list")
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert "secretpassword1" not in result.output


@pytest.mark.parametrize(
    ("option", "older"), [(("--from-prefix", "old"), {"prefix": "old"}), (("--from-project", "store"), {"project": "store"})]
)
def test_normalize_moves_what_stands_under_older_keys(
    shared: Place, server: RedisServer, option: tuple[str, str], older: dict[str, str]
) -> None:
    before = RedisStore(server.url, **{"project": "shop", **older})  # type: ignore[arg-type]
    polled = [episode("poll", answer=answer) for answer in ("one", "two")]
    before.merge("tests/cassettes/a/test_old.yaml", CassetteRecord((*polled, episode("x" * 200_000))), ttl=3600, keep=86400)
    before.merge(HELLO, CassetteRecord((episode("hi", answer="older"), episode("asked only then"))), ttl=3600, keep=86400)
    told = shared.json("normalize", *option, status=1)
    assert {"cassette": HELLO, "repairs": {"older key": 1}} in [
        {name: row[name] for name in ("cassette", "repairs")} for row in told["cassettes"]
    ]
    assert list(before.scan()) == ["tests/cassettes/a/test_old.yaml", HELLO], "nothing is changed without --write"
    shared.json("normalize", *option, "--write")
    assert list(before.scan()) == []
    moved = shared.load("tests/cassettes/a/test_old.yaml").episodes
    assert [answer_of(one) for one in moved] == ["one", "two", "hello"]
    assert max(one.fresh_until for one in moved) <= time.time() + 3600 * 1.1
    # What was there under the new key stays, and what was only under the old one is there now.
    assert sorted(answer_of(one) for one in shared.load(HELLO).episodes) == ["fine", "hello", "hello", "hello again"]
    assert shared.run("normalize", *option, "--write").exit_code == 0, "what is done is done"
    before.close()


def test_normalize_of_files_has_no_keys(empty: Place) -> None:
    for option in ("--from-prefix", "--from-project"):
        result = empty.run("normalize", option, "old")
        assert result.exit_code == 2
        assert "are for a shared store" in result.output


def test_normalize_names_a_key_that_is_in_use(shared: Place) -> None:
    result = shared.run("normalize", "--from-project", "shop")
    assert result.exit_code == 2
    assert "are under llm-vcr:cassette:shop/… already" in result.output


def answer_of(one: Episode) -> str:
    told: str = json.loads(one.response["body"]["string"])["choices"][0]["message"]["content"]
    return told
