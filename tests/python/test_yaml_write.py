"""The core's YAML writer: whatever it writes, PyYAML reads as what was to be written, and lays out as `codec.encode` did."""

import math
from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from llm_vcr import _core, codec
from llm_vcr.stores.base import CassetteRecord, Episode
from vcr.serialize import deserialize
from vcr.serializers import yamlserializer

from tests.python.test_yaml_read import DEPTH, bodies, headers, texts

sound = st.one_of(texts, st.text(alphabet=st.characters(codec="utf-8"), max_size=40))
wire = st.one_of(st.none(), st.binary(max_size=200), sound.map(lambda text: text.encode("utf-8", "replace")))
episodes = st.builds(
    lambda uri, request_headers, body, answer_headers, answer, message: Episode(
        {"method": "POST", "uri": uri, "headers": request_headers, "body": body},
        {"status": {"code": 200, "message": message}, "headers": answer_headers, "body": {"string": answer}},
    ),
    *(st.sampled_from(["https://h/v1", "https://h/?q=a: b#c"]), headers, wire, headers, wire, st.one_of(st.none(), texts)),
)
records = st.builds(
    lambda made, ttl, metadata: CassetteRecord(tuple(made), recorded_at=datetime(2026, 11, 21, tzinfo=UTC), ttl=ttl, metadata=metadata),
    *(st.lists(episodes, max_size=3), st.sampled_from([math.inf, 60]), st.dictionaries(texts, texts, max_size=2)),
)


def tree(data):
    return yamlserializer.deserialize(data.decode("utf-8") if isinstance(data, bytes) else data)


@DEPTH
@given(records)
def test_what_is_written_is_what_the_python_encoder_writes(record):
    assert tree(codec.write(record)) == tree(codec.encode(record))


@DEPTH
@given(records)
def test_what_is_written_is_read_back(record):
    data = codec.write(record)
    assert codec.read(data, "c.yaml") == codec.decode(data.decode(), "c.yaml")
    requests, responses, *_ = deserialize(data.decode(), yamlserializer)
    assert [one.body for one in requests] == [one.request["body"] for one in record.episodes]
    assert [one["body"]["string"] for one in responses] == [one.response["body"]["string"] for one in record.episodes]


@DEPTH
@given(
    st.dictionaries(texts, st.one_of(texts, bodies, st.integers(-(2**40), 2**40), st.booleans(), st.lists(texts, max_size=3)), max_size=5)
)
def test_other_values_survive_too(values):
    written = _core.write_yaml({"metadata": values})
    if written is not None:
        assert tree(written) == {"metadata": values}


@DEPTH
@given(
    st.lists(st.sampled_from(["x" * 2048, "it's " * 500, "y" * 5000 + ": ", "short", "", " ", "é" * 3000]), max_size=6),
    st.sampled_from(["\n", "'", ""]),
)
def test_a_file_has_the_same_text(tmp_path_factory, parts, between):
    body = between.join(parts).encode()
    record = CassetteRecord((Episode({"method": "POST", "uri": "https://h", "headers": {}, "body": body}, {"body": {"string": body}}),) * 3)
    path = tmp_path_factory.mktemp("written") / "a.yaml"
    codec.write_file(record, str(path), sync=False)
    assert path.read_bytes() == codec.write(record)
    assert tree(codec.write(record)) == tree(codec.encode(record))


def test_a_file_that_only_pyyaml_can_write_is_written_too(tmp_path):
    record = CassetteRecord((), recorded_at=datetime(2026, 1, 1, tzinfo=UTC), ttl=1.5, metadata={"pi": 3.14})
    codec.write_file(record, str(tmp_path / "a.yaml"), sync=True)
    assert (tmp_path / "a.yaml").read_bytes() == codec.write(record)


def test_the_layout_is_the_one_of_the_python_encoder():
    body = b'{\n  "a": [1, "it\'s"],\n\n  "b": "x"\n}'
    answer = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"content-type": ["text/plain; a=b"], "x": [], "etag": ['"a"', "-1"]},
    }
    streams = (b"data: a\n\ndata: b\n\n", b"one line: yes", b"yes", b"", b"\xff\x00" * 100, "é “x”\n".encode(), b"a\r\nb", None)
    record = CassetteRecord(
        tuple(
            Episode(
                {"method": "POST", "uri": "https://h/v1?a=1", "headers": {"Accept": ["*/*"]}, "body": body},
                {**answer, "body": {"string": one}},
            )
            for one in streams
        ),
        recorded_at=datetime(2026, 11, 21, tzinfo=UTC),
    )
    assert codec.write(record).decode() == codec.encode(record)


@pytest.mark.parametrize("first", ["", "\u00a0", "é", "\u2028", "\ufeff", " ", "\n"])
@pytest.mark.parametrize("last", ["", "“", " ", "\t", "\x7f", "\x85", "x" * 300 + " "])
def test_what_a_block_would_lose_is_quoted(first, last):
    text = f"{first}a\nb{last}\nc"
    written = _core.write_yaml({"a": text})
    assert tree(written) == {"a": text}
    assert written.startswith(b"a: |") is (first in ("", "\u00a0", "é") and last in ("", "“"))


@pytest.mark.parametrize("text", ["\U0001f600\n\ttab\nline", "a\n\U0001f600"])
def test_what_libyaml_would_escape_stays_readable(text):
    written = _core.write_yaml({"a": text})
    assert b"a: |-\n  " in written
    assert tree(written) == {"a": text}


@pytest.mark.parametrize("odd", [1.5, {1: 2}, datetime(2026, 1, 1), "\ud800", 2**70, [["a"]], {"k" * 200: 1}])
def test_the_rest_is_left_to_pyyaml(odd):
    assert _core.write_yaml({"a": odd}) is None


def test_what_is_left_to_pyyaml_is_still_written():
    record = CassetteRecord((), recorded_at=datetime(2026, 1, 1, tzinfo=UTC), ttl=1.5, metadata={"pi": 3.14})
    assert yaml.safe_load(codec.write(record))["metadata"] == {"pi": 3.14}
