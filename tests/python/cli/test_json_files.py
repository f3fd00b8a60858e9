"""Every command over cassettes in our JSON (llm_vcr_format = json)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fake_provider import FakeProvider
from tests.python.cli.place import Place, episode

HELLO = "tests/cassettes/test_chat/test_hello.json"
POLL = "tests/cassettes/test_chat/test_poll.json"
KEY = "sk-proj-" + "aB3dE5gH7jK9" * 8


@pytest.fixture
def place(empty: Place) -> Place:
    with (empty.root / "pyproject.toml").open("a") as file:
        file.write('llm_vcr_format = "json"\nllm_vcr_provider_hosts = ["127.0.0.1"]\n')
    empty.put(HELLO, episode("hi"), episode("how are you?", answer="fine"))
    empty.put(POLL, episode("poll"), episode("poll"), episode(f"key {KEY}", headers={"x-api-key": [KEY]}))
    return empty


def is_ours(path: Path) -> bool:
    return bool(json.loads(path.read_text("utf-8"))["layout"] == "llm-vcr/1")


def test_looking(place: Place) -> None:
    assert {row["cassette"]: row["episodes"] for row in place.json("list")["cassettes"]} == {HELLO: 2, POLL: 3}
    assert place.json("show", "test_hello", "2")["episodes"][0]["response"]["body"]["choices"][0]["message"]["content"] == "fine"
    assert place.json("show", "tests/test_chat.py::test_hello")["cassette"] == HELLO
    assert place.json("stats")["episodes"] == 5
    assert "test_hello.json" in place.run("list").output


def test_checking(place: Place, tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}))
    assert place.json("explain", "test_hello", str(request))["hit"]
    assert not place.json("diff", f"{HELLO}#1", f"{HELLO}#2", status=1)["same"]
    secrets = place.json("scan", status=1)["secrets"]
    assert {one["place"] for one in secrets} >= {"episode 3, request header x-api-key", "episode 3, request body messages[0].content"}
    assert all(KEY in (place.root / POLL).read_text().splitlines()[one["line"] - 1] for one in secrets)


def test_changing(place: Place) -> None:
    before = (place.root / POLL).read_bytes()
    assert place.json("normalize", "--write")["cassettes"][0]["repairs"] == {"secret": 1}
    assert place.json("scan")["secrets"] == []
    (copy,) = (place.root / ".llm-vcr").rglob("test_poll.json")
    assert copy.read_bytes() == before
    assert place.json("dedupe", "--write")["cassettes"] == [{"cassette": POLL, "dropped": [2], "left": 2}]
    assert place.json("clear", HELLO, "--episode", "2")["left"] == 1
    assert is_ours(place.root / POLL)
    assert is_ours(place.root / HELLO)
    place.json("clear", HELLO)
    assert list(place.store.scan()) == [POLL]
    place.json("flush")
    assert list(place.store.scan()) == []


def test_moving(place: Place) -> None:
    assert len(place.json("export", "out")["exported"]) == 2
    assert (place.root / "out" / HELLO).with_suffix(".yaml").read_text().startswith("interactions:")
    told = place.json("import", "out/tests", "--into", "back")
    assert [row["cassette"] for row in told["imported"]] == [one.replace("tests/", "back/", 1) for one in (HELLO, POLL)]
    assert is_ours(place.root / "back" / "cassettes" / "test_chat" / "test_hello.json")
    assert place.json("diff", HELLO, HELLO.replace("tests/", "back/"))["same"]


def test_a_broken_file_is_named_with_its_line(place: Place) -> None:
    path = place.root / HELLO
    path.write_text(path.read_text().replace('"method"', "method", 1))
    told = place.json("list", status=2)
    assert [row["cassette"] for row in told["cassettes"]] == [POLL]
    (problem,) = told["unreadable"]
    assert problem["path"] == HELLO
    assert "method" in path.read_text().splitlines()[problem["line"] - 1]


def test_a_run_records_refreshes_and_prunes(place: Place) -> None:
    with FakeProvider() as provider:
        call = (
            f'httpx.post("{provider.url}/v1/chat/completions", json={{"model": "gpt-4o", "messages": [{{"role": "user", "content": "x"}}]}}'
        )
        source = f'import httpx\ndef test_hello():\n    {call}, headers={{"authorization": "Bearer made-up"}}).raise_for_status()\n'
        (place.root / "tests" / "test_chat.py").write_text(source)
        place.json("record", "test_hello")
        assert provider.count == 1
        assert len(place.load(HELLO).episodes) == 3, "what was there is still there"
        assert is_ours(place.root / HELLO)
        place.json("refresh", "test_hello")
        assert provider.count == 2
        assert [one.name for one in (place.root / HELLO).parent.iterdir()] == ["test_hello.json", "test_poll.json"]
        assert place.pytest("--llm-vcr-max-live-calls=0").returncode == 0
        told = place.json("prune", "--write")
        assert told["orphans"] == [POLL]
        assert provider.count == 2
