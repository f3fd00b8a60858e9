"""A cassette as text: vcrpy reads back exactly what was written, people can read it, and what is broken says where."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from llm_vcr import CassetteFileError, codec
from llm_vcr.stores import CassetteRecord, Episode
from llm_vcr.stores.base import made
from llm_vcr.vcr_request import Request
from vcr.serialize import deserialize
from vcr.serializers import jsonserializer, yamlserializer

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def record(*bodies: Any, **more: Any) -> CassetteRecord:
    return CassetteRecord(tuple(episode(body) for body in bodies), recorded_at=NOW, **more)


def episode(body: Any, answer: Any = b"{}", **headers: list[str]) -> Episode:
    request = {"method": "POST", "uri": "https://h/v1", "headers": {"Content-Type": ["application/json"], **headers}, "body": body}
    return Episode(request, {"status": {"code": 200, "message": "OK"}, "headers": {"A": ["1", "2"]}, "body": {"string": answer}})


def read_by_vcrpy(text: str, serializer: Any = yamlserializer) -> Any:
    return deserialize(text, serializer)


# Everything that YAML libraries are known to stumble over, and the rest of Unicode.
AWKWARD = st.sampled_from(
    [
        *(
            "\r",
            "\r\n",
            "\n",
            "\x85",
            "\u2028",
            "\u2029",
            "\ufeff",
            "\0",
            "\x07",
            "\x7f",
            "\t",
            " ",
            "  \n",
            "\n ",
            "- ",
            "? ",
            ": ",
            "#",
            "'",
            '"',
        ),
        *(
            "---",
            "...",
            "%",
            "&a",
            "*a",
            "!!binary",
            "|",
            ">",
            "yes",
            "no",
            "null",
            "~",
            "1_0",
            "0o7",
            "1:30",
            "2026-11-21",
            "=",
            "<<",
            "\\",
        ),
        *("é", "☀", "🎉"),
    ]
)
TEXT = st.lists(AWKWARD | st.text(max_size=6), max_size=8).map("".join).map(lambda text: text.encode("utf-8", "ignore").decode())


@given(TEXT | st.binary(max_size=40), TEXT | st.binary(max_size=40), TEXT)
def test_vcrpy_reads_back_every_byte(body: Any, answer: Any, header: str) -> None:
    sent = body.encode() if isinstance(body, str) else body
    got = answer.encode() if isinstance(answer, str) else answer
    whole = CassetteRecord((episode(sent, got, H=[header]),), recorded_at=NOW)
    for text in (codec.encode(whole), codec.write(whole).decode()):
        (request,), (response,) = read_by_vcrpy(text)
        assert (request.body, response["body"]["string"], request.headers["h"]) == (sent, got, header)
        for (ours,) in (codec.decode(text, "a.yaml").episodes, codec.read(text.encode(), "a.yaml").episodes):
            assert (ours.request["body"], ours.response["body"]["string"], ours.request["headers"]["H"]) == (sent, got, [header])


@given(st.lists(st.characters(categories=["Cs"]) | st.text(max_size=3), max_size=5).map("".join))
def test_lone_surrogates_are_written_somehow_and_cost_no_cassette(text: str) -> None:
    # aiohttp gives headers with the bytes of no UTF-8 as lone surrogates; there is no YAML for them.
    whole = CassetteRecord((episode(text.encode("utf-8", "surrogatepass"), b"", H=[text]),), recorded_at=NOW)
    for written in (codec.encode(whole), codec.write(whole).decode("utf-8")):
        (request,), _ = read_by_vcrpy(written)
        assert (request.body or b"") == text.encode("utf-8", "surrogatepass")
        if text.isprintable():
            assert request.headers["h"] == text
        (ours,) = codec.read(written.encode("utf-8"), "a.yaml").episodes
        assert ours.request["body"] == text.encode("utf-8", "surrogatepass")


def test_the_file_is_laid_out_for_people() -> None:
    body = b'{\n  "messages": [\n    {"content": "Z\xc3\xbcrich \xe2\x98\x80"}\n  ]\n}\n'
    assert codec.write(record(body, ttl=3600.0)).decode() == (
        "version: 1\n"
        "recorded_by: llm-vcr\n"
        "interactions:\n"
        "- request:\n"
        "    method: POST\n"
        "    uri: https://h/v1\n"
        "    headers:\n"
        "      Content-Type:\n"
        "      - application/json\n"
        "    body: |\n"
        "      {\n"
        '        "messages": [\n'
        '          {"content": "Zürich ☀"}\n'
        "        ]\n"
        "      }\n"
        "  response:\n"
        "    status:\n"
        "      code: 200\n"
        "      message: OK\n"
        "    headers:\n"
        "      A:\n"
        "      - '1'\n"
        "      - '2'\n"
        "    body:\n"
        "      string: '{}'\n"
        "ttl_seconds: 3600.0\n"
        "recorded_at: '2026-11-21T10:00:00+00:00'\n"
    )


def test_events_stand_line_by_line() -> None:
    stream = b'event: a\ndata: {"delta": "x"}\n\ndata: [DONE]\n\n'
    assert b'string: |+\n        event: a\n        data: {"delta": "x"}\n' in codec.write(CassetteRecord((episode(b"{}", stream),)))


@pytest.mark.parametrize("serializer", [None, yamlserializer, jsonserializer], ids=["ours", "yaml", "json"])
def test_everything_comes_back(serializer: Any) -> None:
    first = record(b'{"a": 1}', None, "ü\n".encode(), ttl=60.0, metadata={"seed": [1, "two"]})
    text = codec.encode(first, serializer)
    again = codec.decode(text, "a", serializer)
    assert again == CassetteRecord(first.episodes, recorded_at=NOW, ttl=60.0, metadata=first.metadata)
    assert codec.encode(again, serializer) == text
    requests, responses, metadata = read_by_vcrpy(text, serializer or yamlserializer)
    assert [Request.of(one).body for one in requests] == [b'{"a": 1}', None, "ü\n".encode()]
    assert responses[0] == first.episodes[0].response
    assert metadata == {"seed": [1, "two"]}


def test_what_is_made_of_its_fields_is_like_any_other() -> None:
    fields: dict[str, Any] = {"request": {"method": "GET"}, "response": {"status": {}}}
    one, other = made(Episode, **fields), Episode(**fields)
    assert (one, repr(one), replace(one, key="a"), one.key, one.is_stale()) == (other, repr(other), replace(other, key="a"), None, False)
    with pytest.raises(AttributeError):
        one.key = "b"  # type: ignore[misc]


def test_an_empty_cassette_is_one() -> None:
    for empty in (record(), CassetteRecord(())):
        assert codec.decode(codec.encode(empty), "a") == codec.read(codec.write(empty), "a") == empty


def test_what_is_no_time_or_lifetime_is_none() -> None:
    text = codec.encode(record(b"{}"))
    for old, new in (
        ("recorded_at: '2026-11-21T10:00:00+00:00'", "recorded_at: yesterday"),
        ("recorded_by", "ttl_seconds: soon\nrecorded_by"),
    ):
        read = codec.decode(text.replace(old, new), "a")
        assert read.ttl == math.inf
        assert (read.recorded_at is None) == ("yesterday" in new)
    naive = codec.decode(text.replace("'2026-11-21T10:00:00+00:00'", "2026-11-21 10:00:00"), "a")
    assert naive.recorded_at == NOW


# --- what cannot be read


def whole(**changes: Any) -> str:
    data = yaml.safe_load(codec.encode(record(b'{"a": 1}', b'{"b": 2}')))
    return yaml.safe_dump({**data, **changes}, sort_keys=False)


def without(*path: Any) -> str:
    data = yaml.safe_load(whole())
    place = data
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return yaml.safe_dump(data, sort_keys=False)


def with_(value: Any, *path: Any) -> str:
    data = yaml.safe_load(whole())
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return yaml.safe_dump(data, sort_keys=False)


BROKEN: list[tuple[str, str, int | None, str]] = [
    ("empty", "", 1, "the file is empty"),
    ("white space", " \n\n", 1, "the file is empty"),
    ("a text", "hello", 1, "this is no cassette"),
    ("a list", "- a\n- b\n", 1, "this is no cassette"),
    ("other YAML", "a: 1\n", 1, "this is no cassette"),
    ("no interactions", without("interactions"), 1, "this is no cassette"),
    ("interactions of another kind", whole(interactions={"a": 1}), 1, "this is no cassette"),
    ("an old vcrpy", yaml.safe_dump([{"request": {}, "response": {}}]), 1, "this is no cassette"),
    ("no YAML", "version: 1\ninteractions:\n- request: [\n", 4, "no valid YAML"),
    ("a tab", "version: 1\n\tinteractions: []\n", 2, "no valid YAML"),
    ("a control character", "version: 1\ninteractions: \x07[]\n", 2, "cannot be read"),
    ("an unknown tag", "version: 1\ninteractions:\n- !!python/object:os.system {}\n", 3, "no valid YAML"),
    ("not even a date", "version: 1\nwhen: 2026-13-45\ninteractions: []\n", None, "cannot be read"),
    ("an endless nesting", "version: 1\ninteractions: " + "[" * 50_000, None, ""),
    ("a later version", whole(version=2), 1, "version 2 of the cassette format: this llm_vcr reads 1"),
    ("a version of another kind", whole(version="one"), 1, "version 'one'"),
    ("cut off", without("recorded_at"), None, "ends too early"),
    ("an interaction that is none", with_("x", "interactions", 1), 21, "interaction 2 lacks request, response"),
    ("no request", without("interactions", 0, "request"), 4, "interaction 1 lacks request"),
    ("no response", without("interactions", 1, "response"), 21, "interaction 2 lacks response"),
    ("no method", without("interactions", 1, "request", "method"), 21, "interaction 2 lacks request.method"),
    ("no uri", without("interactions", 1, "request", "uri"), 21, "lacks request.uri"),
    ("no headers", without("interactions", 1, "request", "headers"), 21, "lacks request.headers"),
    ("no body", without("interactions", 1, "request", "body"), 21, "lacks request.body"),
    (
        "a body under another name",
        without("interactions", 0, "request", "body").replace("method:", "parsed_body: {}\n    method:", 1),
        4,
        "lacks request.body, and has request.parsed_body: was it written by a serializer",
    ),
    ("no status", without("interactions", 1, "response", "status"), 21, "lacks response.status"),
    ("headers that are none", with_(None, "interactions", 1, "request", "headers"), 21, "request.headers"),
    ("headers in a list", with_(["a"], "interactions", 1, "request", "headers"), 21, "request.headers"),
    ("answer headers in a list", with_(["a"], "interactions", 1, "response", "headers"), 21, "response.headers"),
    ("a number for a uri", with_(5, "interactions", 1, "request", "uri"), 21, "request.uri"),
    ("a number for a method", with_(5, "interactions", 1, "request", "method"), 21, "request.method"),
    ("a status without a code", with_({"message": "OK"}, "interactions", 1, "response", "status"), 21, "response.status"),
    ("a status that is no number", with_({"code": "x", "message": "OK"}, "interactions", 1, "response", "status"), 21, "response.status"),
    ("an answer's body that is a number", with_(5, "interactions", 1, "response", "body"), 21, "response.body"),
    ("an answer's text that is a number", with_({"string": 5}, "interactions", 1, "response", "body"), 21, "response.body"),
    ("a request's body that is a number", with_(5, "interactions", 1, "request", "body"), 21, "a request body of type"),
    ("an empty list of values", with_({"a": []}, "interactions", 1, "request", "headers"), 21, "interaction 2 cannot be read"),
    ("a header without a name", with_({1: ["a"]}, "interactions", 1, "request", "headers"), 21, "interaction 2 cannot be read"),
    ("a uri that is none", with_("http://[::1", "interactions", 1, "request", "uri"), 21, "interaction 2 cannot be read"),
    ("metadata in a list", whole(metadata=["a"]), None, "metadata"),
]


@pytest.mark.parametrize(("what", "text", "line", "problem"), BROKEN, ids=[one[0] for one in BROKEN])
def test_what_cannot_be_read_names_file_and_line(what: str, text: str, line: int | None, problem: str) -> None:
    with pytest.raises(CassetteFileError) as caught:
        codec.read(text.encode(), "cassettes/a.yaml")
    assert caught.value.path == "cassettes/a.yaml"
    assert problem in caught.value.problem
    if line is not None:
        assert caught.value.line == line
    assert str(caught.value).startswith("cassettes/a.yaml")


def test_broken_json_names_its_line() -> None:
    text = codec.encode(record(b"{}"), jsonserializer)
    with pytest.raises(CassetteFileError) as caught:
        codec.decode(text[: len(text) // 2], "a.json", jsonserializer)
    assert caught.value.line == text[: len(text) // 2].count("\n") + 1


def test_a_cassette_cut_off_anywhere_is_noticed() -> None:
    first = record(b'{"a": 1}', "Zürich\n  ☀\n".encode(), b"\xff\xfe", b"x" * 200, ttl=60.0)
    data = codec.write(first)
    read = 0
    for end in range(len(data)):
        try:
            again = codec.read(data[:end], "a.yaml")
        except CassetteFileError:
            continue
        assert again.episodes == first.episodes, f"cut off at byte {end}, an episode was lost in silence"
        read += 1
    assert read < 40, "only the last line may be cut"


@given(st.data())
def test_no_text_raises_anything_else(data: st.DataObject) -> None:
    text = codec.encode(record(b'{"a": 1}'))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    changed = text[:start] + data.draw(TEXT) + text[end:]
    with contextlib.suppress(CassetteFileError):
        codec.read(changed.encode(), "a.yaml")


def test_it_is_the_same_without_libyaml(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import yaml; [delattr(yaml, name) for name in dir(yaml) if name.startswith('C')]\n"
        "from llm_vcr import codec; import sys\n"
        "text = sys.stdin.buffer.read().decode()\n"
        "sys.stdout.buffer.write(codec.encode(codec.decode(text, 'a')).encode())"
    )
    text = codec.encode(record(b'{"a": 1}', "Zürich\n  ☀\n".encode(), b"\xff\xfe", b"long " * 100, ttl=60.0))
    told = subprocess.run([sys.executable, "-c", code], input=text.encode(), capture_output=True, check=False, timeout=60)
    assert told.stderr == b""
    assert codec.decode(told.stdout.decode(), "a") == codec.decode(text, "a")
