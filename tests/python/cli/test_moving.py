"""import and export: recordings of other tools replay the same answers, and ours play in stock vcrpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import llm_vcr
import pytest
import vcr as vcrpy
import yaml

from tests.python.cli.place import HELLO, SSE, STREAM, Place, episode, everywhere

OTHERS = Path(__file__).parent / "written_by_others"

KEY = {"authorization": "Bearer another"}
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "grüezi"}], "max_tokens": 50}
CLAUDE = CHAT | {"model": "claude-sonnet-4-5"}
STREAMED = {"stream": True, "messages": [{"role": "user", "content": "stream"}]}


def copied(place: Place, name: str, to: str) -> Path:
    path = place.root / to
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((OTHERS / name).read_bytes())
    return path


def replay(place: Place, cassette_id: str, calls: list[tuple[str, Any]]) -> list[str]:
    """The answers to calls, none of which may leave."""
    with llm_vcr.VCR(record_mode="none").use_cassette(cassette_id) as cassette:
        answers = [
            (httpx.post(url, json=body, headers={"authorization": "Bearer another"}) if body else httpx.get(url)).text
            for url, body in calls
        ]
    assert (cassette.counts.played, cassette.counts.live, cassette.counts.refused) == (len(calls), 0, 0)
    return answers


def answer_of(path: Path, number: int) -> Any:
    return json.loads(path.read_text("utf-8"))["interactions"][number]


@pytest.mark.parametrize(("provider", "url", "body"), [
    ("openai", "https://api.openai.com/v1/chat/completions", CHAT),
    ("anthropic", "https://api.anthropic.com/v1/messages", CLAUDE),
])  # fmt: skip
def test_llm_mock_replays_the_same_answers(empty: Place, provider: str, url: str, body: dict[str, Any]) -> None:
    for version, name in (("1", f"llm-mock-1-{provider}.json"), ("2", f"llm-mock-2-{provider}.json")):
        source = copied(empty, name, f"tests/fixtures/{name}")
        told = empty.json("import", str(source))
        cassette_id = f"tests/fixtures/llm-mock-{version}-{provider}.yaml"
        assert told["imported"][0]["cassette"] == cassette_id
        assert told["imported"][0]["format"] == "llm-mock"
        assert empty.load(cassette_id).recorded_at is not None
        calls = [(url, body)] + ([(url, body | STREAMED)] if version == "2" else [])
        answers = replay(empty, cassette_id, calls)
        assert json.loads(answers[0]) == answer_of(source, 0)["response"]
        if version == "2":
            events = answer_of(source, 1)["stream_events"]
            assert answers[1].endswith("\n\n"), "the last event ends as the others do"
            blocks = answers[1].removesuffix("\n\n").split("\n\n")
            assert len(blocks) == len(events)
            for block, event in zip(blocks, events, strict=True):
                data = block.partition("data: ")[2]
                assert (data if data == "[DONE]" else json.loads(data)) == event["data"]


def test_cassetter_replays_the_same_answers(empty: Place) -> None:
    source = copied(empty, "cassetter.yaml", "cassettes/chat.yaml")
    recorded = yaml.safe_load(source.read_text("utf-8"))["interactions"]
    told = empty.json("import", str(source))
    assert (told["imported"][0]["format"], told["imported"][0]["unusable"]) == ("cassetter", [])
    chat = "http://provider.test/v1/chat/completions"
    answers = replay(
        empty, "cassettes/chat.yaml", [(chat, CHAT), (chat, CHAT | {"stream": True}), ("http://provider.test/v1/models/gpt-4o", None)]
    )
    # cassetter sorts what it recorded: the GET, the upload, the chat, the stream.
    told_of = [one["response"]["body"]["content"] for one in recorded]
    assert [json.loads(answers[0]), answers[1], json.loads(answers[2])] == [told_of[2], told_of[3], told_of[0]]
    with llm_vcr.VCR(record_mode="none").use_cassette("cassettes/chat.yaml") as cassette:
        files = {"file": ("a.wav", b"RIFF" + bytes(range(256)))}
        response = httpx.post("http://provider.test/v1/audio/transcriptions", files=files, data={"model": "whisper-1"})
    assert cassette.counts.played == 1
    assert response.json() == told_of[1]


def test_pytest_llm_vcr_tells_what_cannot_be_used(empty: Place) -> None:
    source = copied(empty, "pytest-llm-vcr.yaml", "tests/cassettes/chat.yaml")
    recorded = yaml.safe_load(source.read_text("utf-8"))["interactions"]
    told = empty.json("import", str(source), status=1)
    (row,) = told["imported"]
    why = {one["interaction"]: one["why"] for one in row["unusable"]}
    assert "in place of max_tokens" in why[1]
    # It never reads an answer that is not streamed, and writes null.
    assert "its answer was not kept" in why[3]
    assert "its answer was not kept" in why[4]
    assert "request body was not kept" in why[5]
    assert row["episodes"] == 1
    plain = {"model": "gpt-4o", "messages": CHAT["messages"], "stream": True}
    answers = replay(empty, "tests/cassettes/chat.yaml", [("http://provider.test/v1/chat/completions", plain)])
    assert answers[0] == "".join(recorded[1]["chunks"])
    assert "unusable" in empty.run("import", str(OTHERS / "pytest-llm-vcr.yaml"), "--into", "there").output


@everywhere
def test_pytest_llm_vcr_with_a_redacted_usage_is_unusable(empty: Place) -> None:
    usage = {"usage": {"prompt_tokens": "[REDACTED]"}}
    one = {"method": "POST", "url": "http://provider.test/v1/chat/completions", "request_body": CHAT, "response_body": usage}
    (empty.root / "chat.yaml").write_text(yaml.safe_dump({"name": "chat", "interactions": [one]}))
    (row,) = empty.json("import", "chat.yaml", status=1)["imported"]
    assert "in place of usage.prompt_tokens" in row["unusable"][0]["why"]
    assert row["state"] == "nothing usable"
    assert "name: chat" in (empty.root / "chat.yaml").read_text(), "the file stays as it is"


def test_headers_are_scrubbed(empty: Place) -> None:
    for name in ("pytest-llm-vcr.yaml", "cassetter.yaml"):
        empty.run("import", str(OTHERS / name), "--into", "imported")
        assert "sk-made-up" not in (empty.root / "imported" / name).read_text("utf-8")


def test_vcrpy_yaml_and_json(empty: Place) -> None:
    stock = vcrpy.VCR(cassette_library_dir=str(empty.root / "old"))
    head = {"Authorization": "Bearer abcdefgh12345678"}
    request = vcrpy.request.Request("POST", "https://api.openai.com/v1/x", b'{"model":"gpt-4o"}', head)
    kind, answer = {"Content-Type": ["application/json"]}, '{"a":"ü"}'.encode()
    response = {"status": {"code": 200, "message": "OK"}, "headers": kind, "body": {"string": answer}}
    for serializer in ("yaml", "json"):
        with stock.use_cassette(f"chat.{serializer}", serializer=serializer) as cassette:
            cassette.append(request, response)
    # Both would become one cassette: the second is left out.
    told = empty.json("import", "old", "--into", "new", "--force", status=1)
    assert [row["format"] for row in told["imported"]] == ["vcrpy", "vcrpy"]
    for serializer in ("yaml", "json"):
        assert empty.json("import", f"old/chat.{serializer}", "--into", serializer)["imported"][0]["episodes"] == 1
        assert replay(empty, f"{serializer}/chat.yaml", [("https://api.openai.com/v1/x", {"model": "gpt-4o"})]) == ['{"a":"ü"}']
        assert "abcdefgh12345678" not in (empty.root / serializer / "chat.yaml").read_text("utf-8")


def test_litellm_files_keep_their_time(empty: Place) -> None:
    stock = {"version": 1, "recorded_at": "2026-09-02T12:00:00+00:00", "ttl_seconds": 86400, "interactions": [{
        "request": {"method": "POST", "uri": "https://api.openai.com/v1/x", "headers": {}, "body": "{}"},
        "response": {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "{}"}},
    }]}  # fmt: skip
    (empty.root / "a.yaml").write_text(yaml.safe_dump(stock))
    assert empty.json("import", "a.yaml", "--into", "new")["imported"][0]["state"] == "imported"
    record = empty.load("new/a.yaml")
    assert record.recorded_at is not None
    assert (record.recorded_at.isoformat(), record.ttl) == ("2026-09-02T12:00:00+00:00", 86400)


def test_import_leaves_what_is_there_alone(place: Place) -> None:
    before = (place.root / HELLO).read_bytes()
    (place.root / "other").mkdir()
    (place.root / "other" / "test_hello.yaml").write_bytes((place.root / STREAM).read_bytes())
    arguments = ("import", "other/test_hello.yaml", "--into", "tests/cassettes/test_chat")
    assert place.json(*arguments, status=1)["imported"][0]["state"].startswith("is there already")
    assert (place.root / HELLO).read_bytes() == before
    assert place.json(*arguments, "--dry-run", "--force")["written"] is False
    assert (place.root / HELLO).read_bytes() == before
    place.json(*arguments, "--force")
    assert len(place.load(HELLO).episodes) == 1


def test_import_names_what_it_cannot_read_and_goes_on(empty: Place) -> None:
    folder = empty.root / "mixed"
    folder.mkdir()
    (folder / "a.json").write_text('{"version": "9.0", "provider": "openai", "interactions": []}')
    (folder / "b.yaml").write_text("hello: world\n")
    (folder / "c.json").write_text("{")
    (folder / "d.json").write_bytes((OTHERS / "llm-mock-2-openai.json").read_bytes())
    told = empty.json("import", "mixed", status=2)
    assert {one["path"]: one["problem"] for one in told["unreadable"]}.keys() == {"mixed/a.json", "mixed/b.yaml", "mixed/c.json"}
    assert [row["cassette"] for row in told["imported"]] == ["mixed/d.yaml"]
    result = empty.run("import", "nowhere")
    assert result.exit_code == 2
    assert "nowhere: there is no such file" in result.output


def test_import_of_litellms_redis_needs_a_redis(empty: Place) -> None:
    result = empty.run("import", "redis://:secretpassword1@127.0.0.1:1/0")
    assert result.exit_code == 2
    assert "redis" in result.output
    assert "secretpassword1" not in result.output


@everywhere
def test_export_is_what_stock_vcrpy_plays(place: Place) -> None:
    place.put("tests/cassettes/keyed.yaml", episode("hi", headers={"x-llm-vcr-key": ["session"]}))
    told = place.json("export", "out")
    assert len(told["exported"]) == 4
    text = (place.root / "out" / HELLO).read_text("utf-8")
    assert yaml.safe_load(text).keys() == {"interactions", "version"}
    assert "x-llm-vcr" not in (place.root / "out" / "tests/cassettes/keyed.yaml").read_text("utf-8")
    with vcrpy.use_cassette(str(place.root / "out" / STREAM), record_mode="none"):
        body = json.loads(place.load(STREAM).episodes[0].request["body"])
        assert httpx.post("https://api.openai.com/v1/chat/completions", json=body).content == SSE
    again = place.run("export", "out")
    assert again.exit_code == 2
    assert "is there already" in again.output
    assert "exported 1 cassette to out" in place.run("export", "out", "tests/cassettes/test_chat/test_hello*", "--force").output


@everywhere
def test_export_and_import_give_the_same_cassette(place: Place) -> None:
    place.json("export", "out")
    place.json("import", "out/tests", "--into", "back")
    for cassette_id in (HELLO, STREAM):
        assert place.json("diff", cassette_id, cassette_id.replace("tests/", "back/"))["same"]


def test_as_a_process(place: Place) -> None:
    assert place.process("export", "out").returncode == 0
    done = place.process("import", "out", "--into", "back")
    assert done.returncode == 0
    assert "imported 5 episodes into 3 cassettes" in done.stdout
