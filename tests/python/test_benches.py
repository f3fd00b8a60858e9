"""The plain way of each operation and ours give the same, on bodies of every kind: what makes the bench a fair one."""

import base64
import json
from datetime import UTC, datetime

import llm_vcr
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_vcr import _core

from benches.python import bodies, plain_bytes, plain_json, plain_media, plain_volatile, table
from benches.python.measure import Pair
from benches.python.operations import GOALS, OPERATIONS, Operation

# Text without lone surrogates, which cannot be encoded; numbers that Python and orjson print alike.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(0.001, 1e6) | st.floats(-1e6, -0.001)


def json_values(leaves):
    return st.recursive(
        leaves | TEXT | NUMBERS | st.booleans() | st.none(),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
        max_leaves=20,
    )


def encoded_file(head, length):
    return base64.b64encode((head + bytes(range(256)) * 20)[:length]).decode()


PNG, JPEG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff\xe0\0\x10JFIF"
MEDIA = st.builds(encoded_file, st.sampled_from([PNG, JPEG]), st.integers(1_000, 5_000))


@given(json_values(st.nothing()), st.booleans(), st.sampled_from([None, 1]))
def test_fingerprint_of_json(value, ensure_ascii, indent):
    body = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent).encode()
    ours = llm_vcr.fingerprint(body, "application/json")
    assert plain_json.fingerprint(body) == ours
    assert plain_json.fingerprint_orjson(body) == ours


def small(text):
    """What ours puts in the place of a file."""
    return base64.b64encode(_core.shrink(base64.b64decode(text), None, 0, digest=False)).decode()


@given(json_values(MEDIA))
def test_media_out_of_json(value):
    body = bodies.compact(value)
    ours = _core.shrink(body, "application/json", 3_000, digest=False)
    assert plain_media.shrink(body, 3_000, small) == ours
    assert (plain_media.shrink(body, 3_000, small) is body) == (ours is body)


def test_media_is_taken_out():
    body = bodies.compact({"data": [{"b64_json": encoded_file(PNG, 4_000)}]})
    assert len(plain_media.shrink(body, 3_000, small)) < 2_000


TIMES = st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC) | st.none())
VOLATILE = (
    st.uuids().map(str)
    | st.uuids(version=4).map(lambda one: one.hex)
    | TIMES.map(datetime.isoformat)
    | TIMES.map(lambda time: time.strftime("%Y%m%dT%H%M%SZ"))
    | st.integers(1_100_000_000, 2_499_999_999).map(str)
    | st.integers(1_100_000_000_000, 2_499_999_999_999).map(str)
    | st.floats(1.1e9, 2.4e9).map("{:.6f}".format)
    | st.text('0123456789abcdef-:.T+ \\n"\n,_é', max_size=6)
)


@given(st.lists(VOLATILE, max_size=12).map("".join))
def test_masked_tokens(text):
    body = text.encode()
    assert plain_volatile.mask(body) == _core.mask(body)


@given(st.binary(max_size=9_000), st.binary(max_size=40), st.binary(max_size=40))
def test_first_difference(same, left, right):
    assert plain_bytes.first_difference(same + left, same + right) == _core.first_difference(same + left, same + right)


@given(st.binary())
def test_collected_iterator(body):
    assert plain_bytes.collect(iter(body)) == llm_vcr.materialize(iter(body)) == body


@given(st.binary().filter(lambda payload: b"--" not in payload))
def test_multipart_whose_payload_holds_no_boundary(payload):
    boundary = "8087456ce76304f982d564cf9fe967c6"
    body, content_type = bodies.upload(boundary, payload), f"multipart/form-data; boundary={boundary}"
    assert plain_bytes.rewrite_multipart(body, content_type) == llm_vcr.rewrite_multipart(body, content_type)


def test_multipart_whose_payload_holds_the_boundary_is_where_the_plain_way_is_wrong():
    body, content_type = bodies.upload("abc", b"the letters abc are payload"), "multipart/form-data; boundary=abc"
    assert b"the letters abc are payload" in llm_vcr.rewrite_multipart(body, content_type)[0]
    assert b"the letters abc are payload" not in plain_bytes.rewrite_multipart(body, content_type)[0]


@given(st.binary())
def test_sha256(body):
    assert plain_bytes.sha256_hex(body) == _core.sha256_hex(body)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_both_ways_of_an_operation_give_the_same(operation):
    plain, ours = operation.prepare()
    assert plain() == ours()


@pytest.mark.parametrize(("goals", "ok"), [({"must": 10}, True), ({"must": 10.1}, False), ({}, None)])
def test_a_row_says_whether_its_goal_is_reached(monkeypatch, goals, ok):
    monkeypatch.setitem(GOALS, "a", goals)
    row = table.Row(Operation("a", OPERATIONS[0].prepare), Pair(plain=1e-5, ours=1e-6))
    assert row.ok is ok
    assert row.cells()[-1] == {True: "ok", False: "MISSED", None: ""}[ok]


def test_the_table_is_printed_and_written(tmp_path, capsys):
    file = tmp_path / "figures.json"
    assert table.main(["--only", "iter(bytes) materialised, 1 KB", "--json", str(file)]) == 0
    assert "iter(bytes) materialised, 1 KB" in capsys.readouterr().out
    (figures,) = json.loads(file.read_text())
    assert figures["operation"] == "iter(bytes) materialised, 1 KB"
    assert figures["ratio"] == pytest.approx(figures["plain"] / figures["ours"])


def test_the_table_refuses_a_debug_build(monkeypatch, capsys):
    monkeypatch.setattr(_core, "DEBUG", True)
    with pytest.raises(SystemExit):
        table.main([])
    assert "debug build" in capsys.readouterr().err


def test_the_table_knows_its_operations(capsys):
    with pytest.raises(SystemExit):
        table.main(["--only", "no such thing"])
    assert "no operation is called 'no such thing'" in capsys.readouterr().err
