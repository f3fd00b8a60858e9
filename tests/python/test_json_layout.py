"""Cassettes as JSON: everything the YAML holds, at a glance what was asked and answered, and either format read whatever is set."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import llm_vcr
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_vcr import CassetteFileError, codec, json_layout
from llm_vcr.stores import CassetteRecord, Episode
from llm_vcr.stores.file import FileStore
from vcr.serializers import jsonserializer

from tests.python.test_yaml_read import DEPTH
from tests.python.test_yaml_write import headers, records, sound, wire

CHAT = b'{"model":"gpt-4o","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Gr\xc3\xbcezi"}]}'
ANSWER = b'{"choices": [{"message": {"role": "assistant", "content": "hi"}}]}'
STREAM = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"on"}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"e"}}\n\n'
    b"data: [DONE]\n\n"
)


def episode(asked: bytes | None = CHAT, told: bytes = ANSWER) -> Episode:
    request = {"method": "POST", "uri": "https://h/v1", "headers": {"content-type": ["application/json"]}, "body": asked}
    return Episode(request, {"status": {"code": 200, "message": "OK"}, "headers": {"a": ["1", "2"]}, "body": {"string": told}})


def record(*episodes: Episode, **more: Any) -> CassetteRecord:
    return CassetteRecord(episodes or (episode(),), recorded_at=datetime(2026, 11, 21, tzinfo=UTC), **more)


def written(*episodes: Episode, **more: Any) -> Any:
    return json.loads(codec.write(record(*episodes, **more), json_layout))


# JSON in every spelling, broken JSON, streams and parts of them, and what JSON cannot say.
numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([1e400, 10**30, -0.0]))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=10)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=12,
)
spelt = st.builds(
    lambda value, how, escaped, end: json.dumps(value, ensure_ascii=escaped, **how) + end,
    *(values, st.sampled_from([{}, {"separators": (",", ":")}, {"indent": 2}, {"indent": 3}])),
    *(st.booleans(), st.sampled_from(["", "\n", " \r\n", "x"])),
).filter(lambda text: not any("\ud800" <= one <= "\udfff" for one in text))
streams = st.lists(
    st.builds(
        lambda name, data, ending: f"{name}data: {data}{ending}",
        st.sampled_from(["", "event: a\n", "event: \n", "id: 1\n"]),
        st.one_of(spelt, sound),
        st.sampled_from(["\n\n", "\n\n", "\r\n\r\n", "\n"]),
    ),
    max_size=4,
).map("".join)  # fmt: skip
awkward = st.one_of(
    spelt.map(str.encode),
    streams.map(str.encode),
    st.sampled_from([b'{"a":1,"a":2}', b"[1e5]", b"[NaN]", b'["\\ud800"]', b"[" * 99 + b"]" * 99, b"[" * 9999, b"{", b"data: [DONE]\n\n"]),
    wire,
)
exchanges = st.builds(
    lambda asked, told, told_headers: Episode(
        {"method": "POST", "uri": "https://h/v1", "headers": {"content-type": ["application/json"]}, "body": asked},
        {"status": {"code": 200, "message": "OK"}, "headers": told_headers, "body": {"string": told}},
    ),
    *(awkward, awkward, headers),
)


@DEPTH
@given(st.one_of(records, st.builds(lambda made: CassetteRecord(tuple(made)), st.lists(exchanges, max_size=3))))
def test_it_holds_what_the_yaml_holds(made: CassetteRecord) -> None:
    data = codec.write(made, json_layout)
    json.loads(data)
    assert codec.read(data, "c.json") == codec.read(codec.write(made), "c.yaml")
    again = codec.write(codec.read(data, "c.json"), json_layout)
    assert codec.write(codec.read(again, "c.json"), json_layout) == again, "written again it is the same file"


@DEPTH
@given(awkward.filter(lambda one: one is not None))
def test_a_body_comes_back_byte_for_byte(body: bytes) -> None:
    back = codec.read(codec.write(record(episode(body, body)), json_layout), "c.json").episodes[0]
    assert back.request["body"] == body
    assert back.response["body"]["string"] == body


def test_it_begins_with_what_was_asked_and_answered() -> None:
    first, second = written(episode(), episode(told=STREAM))["interactions"]
    assert list(first) == ["model", "messages", "answer", "request", "response"]
    assert first["model"] == "gpt-4o"
    assert first["messages"] == ["system: Be brief.", "user: Grüezi"]
    assert (first["answer"], second["answer"]) == ("hi", "one")
    assert first["request"]["body"] == {"json": json.loads(CHAT)}
    assert first["response"]["body"] == {"json": json.loads(ANSWER), "style": "spaced"}
    assert [one["data"] for one in second["response"]["body"]["events"]][2] == "[DONE]"
    assert second["response"]["body"]["events"][0]["event"] == "content_block_delta"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"choices": [{"message": {"content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}}]}, "f({})"),
        ({"content": [{"type": "text", "text": "a"}, {"type": "tool_use", "name": "g", "input": {"x": 1}}]}, "ag({'x': 1})"),
        ({"candidates": [{"content": {"parts": [{"text": "a"}, {"text": "b"}]}}]}, "ab"),
        ({"output": [{"type": "message", "content": [{"type": "output_text", "text": "r"}]}]}, "r"),
        ({"output": {"message": {"content": [{"text": "bedrock"}]}}}, "bedrock"),
        ({"message": {"content": [{"type": "text", "text": "cohere"}]}}, "cohere"),
        ({"data": [{"embedding": [1, 2]}, {"embedding": [1, 2]}]}, "[2 embeddings]"),
        ({"error": {"message": "no"}}, "[error] no"),
        ({"text": "transcribed"}, "transcribed"),
        ({"unknown": 1}, None),
        ({"content": "x" * 500}, "x" * 199 + "…"),
    ],
)
def test_what_was_answered_at_a_glance(told: Any, said: str | None) -> None:
    (one,) = written(episode(told=json.dumps(told).encode()))["interactions"]
    assert one.get("answer") == said


def test_what_is_for_the_reader_is_never_read() -> None:
    tree = written()
    tree["interactions"][0] |= {"model": "other", "messages": [], "answer": "changed"}
    assert codec.read(json.dumps(tree).encode(), "c.json") == record()


def test_an_edited_answer_is_what_is_played() -> None:
    tree = written()
    tree["interactions"][0]["response"]["body"]["json"]["choices"][0]["message"]["content"] = "edited"
    told = codec.read(json.dumps(tree).encode(), "c.json").episodes[0].response["body"]["string"]
    assert json.loads(told)["choices"][0]["message"]["content"] == "edited"


def test_a_change_is_a_change_of_one_line() -> None:
    before = codec.write(record(episode(), episode(told=STREAM)), json_layout).decode().splitlines()
    after = codec.write(record(episode(), episode(told=STREAM.replace(b'"e"', b'"E"'))), json_layout).decode().splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 2, "the event, and the answer at a glance"


def test_an_embedding_stands_in_one_line() -> None:
    body = json.dumps({"data": [{"embedding": [number / 7 for number in range(1536)]}]}).encode()
    assert len(codec.write(record(episode(told=body)), json_layout).splitlines()) < 60


# --- files


def store(root: Path) -> FileStore:
    return FileStore(root)


def put(root: Path, name: str, *episodes: Episode, base: CassetteRecord | None = None, into: FileStore | None = None) -> None:
    made = CassetteRecord(episodes or (episode(),), base=base)
    (into or store(root)).merge(name, made, ttl=math.inf, keep=math.inf)


def test_the_suffix_says_how_a_file_is_written(tmp_path: Path) -> None:
    put(tmp_path, "a.json")
    put(tmp_path / "b", "a.yaml")
    assert (tmp_path / "a.json").read_text("utf-8").startswith('{\n  "layout": "llm-vcr/1",\n  "version": 1,\n  "recorded_by": "llm-vcr",')
    assert (tmp_path / "b" / "a.yaml").read_text("utf-8").startswith("version: 1\n")
    assert store(tmp_path).load("a.json") == store(tmp_path).load("b/a.yaml")
    assert list(store(tmp_path).scan()) == ["a.json", "b/a.yaml"]


@pytest.mark.parametrize(("before", "after"), [("a.yaml", "a.json"), ("a.json", "a.yaml")])
def test_the_other_format_is_read_and_left_behind_when_written(tmp_path: Path, before: str, after: str) -> None:
    put(tmp_path, before)
    same = store(tmp_path)
    loaded = same.load(after)
    assert loaded is not None
    assert loaded.episodes == (episode(),)
    put(tmp_path, after, *loaded.episodes, episode(b"another"), base=loaded, into=same)
    assert [one.name for one in tmp_path.iterdir()] == [after]
    assert len(store(tmp_path).load(after).episodes) == 2  # type: ignore[union-attr]
    assert store(tmp_path).delete(before), "found under either name"


def test_what_another_writer_put_into_the_other_format_meanwhile_is_kept(tmp_path: Path) -> None:
    put(tmp_path, "a.yaml")
    writer = store(tmp_path)
    loaded = writer.load("a.json")
    put(tmp_path, "a.yaml", episode(), episode(b"meanwhile"), base=loaded)
    put(tmp_path, "a.json", episode(), episode(b"mine"), base=loaded, into=writer)
    assert {one.request["body"] for one in store(tmp_path).load("a.json").episodes} == {CHAT, b"mine", b"meanwhile"}  # type: ignore[union-attr]


def test_json_of_somebody_elses_is_no_cassette(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"some": "data"}')
    assert store(tmp_path).load("a.yaml") is None
    put(tmp_path, "a.yaml")
    assert (tmp_path / "a.json").read_text() == '{"some": "data"}'


def test_a_file_in_vcrpys_json_stays_one(tmp_path: Path) -> None:
    FileStore(tmp_path, jsonserializer).merge("a.json", CassetteRecord((episode(),)), ttl=math.inf, keep=math.inf)
    loaded = store(tmp_path).load("a.json")
    assert loaded is not None
    assert loaded.episodes == (episode(),)
    same = store(tmp_path)
    put(tmp_path, "a.json", *loaded.episodes, episode(b"more"), base=loaded, into=same)
    assert "layout" not in json.loads((tmp_path / "a.json").read_text())
    assert len(FileStore(tmp_path, jsonserializer).load("a.json").episodes) == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text[: len(text) // 2], "cannot be read"),
        (lambda text: text.replace("llm-vcr/1", "llm-vcr/2"), "llm-vcr/2"),
        (lambda text: text.replace('"json"', '"jsno"', 1), "jsno"),
        (lambda text: text.replace('"spaced"', '"wide"'), "wide"),
        (lambda text: text.replace('"version": 1', '"version": 9'), "version 9"),
        (lambda text: text.replace('"uri"', '"url"'), "lacks request.uri"),
    ],
)
def test_a_broken_file_says_what_is_wrong(tmp_path: Path, change: Any, told: str) -> None:
    put(tmp_path, "a.json")
    path = tmp_path / "a.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(CassetteFileError, match=told):
        store(tmp_path).load("a.json")


# --- a run


def test_a_setting_chooses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    from tests.fake_provider import FakeProvider

    monkeypatch.chdir(tmp_path)
    body = json.loads(CHAT)
    with FakeProvider() as provider:
        with llm_vcr.VCR(format="json").use_cassette("old.yaml"):
            first = httpx.post(f"{provider.url}/v1/chat/completions", json=body, headers={"authorization": "Bearer sk-made-up"})
        assert [one.name for one in tmp_path.iterdir()] == ["old.json"]
        # Whatever is set: it is the same cassette.
        for chosen in ("yaml", "json"):
            with llm_vcr.VCR(format=chosen, record_mode="none").use_cassette("old.yaml") as cassette:
                assert (
                    httpx.post(f"{provider.url}/v1/chat/completions", json=body, headers={"authorization": "Bearer sk-made-up"}).content
                    == first.content
                )
            assert cassette.counts.played == 1
        assert provider.count == 1
    with pytest.raises(llm_vcr.ConfigError, match="one of yaml, json"):
        llm_vcr.VCR(format="toml")
