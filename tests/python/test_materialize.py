"""Any body a client can hand over comes out as bytes, or says that it cannot."""

from __future__ import annotations

import array
import collections
import io
import itertools
import json
import mmap
import os
import warnings
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_vcr import ConsumedBodyWarning, UnsupportedBodyError, materialize
from llm_vcr.request import read_body

DATA = bytes(range(256)) * 3


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, b""),
        (b"", b""),
        (DATA, DATA),
        (bytearray(DATA), DATA),
        (memoryview(DATA), DATA),
        (memoryview(DATA)[::-1], DATA[::-1]),
        (memoryview(DATA)[::3], DATA[::3]),
        (memoryview(array.array("H", [1, 2, 65535])), array.array("H", [1, 2, 65535]).tobytes()),
        (memoryview(DATA).cast("B", [2, 384]), DATA),
        (array.array("I", [1, 2, 3]), array.array("I", [1, 2, 3]).tobytes()),
        ("", b""),
        ("Zürich ☀", "Zürich ☀".encode()),
        ("\ud800 alone", b"\xed\xa0\x80 alone"),
        ({}, b"{}"),
        ({"b": 1, "a": [None, True, "é"]}, '{"b": 1, "a": [null, true, "é"]}'.encode()),
        (collections.OrderedDict(a=1), b'{"a": 1}'),
        (MappingProxyType({"a": 1}), b'{"a": 1}'),
        ({"a": {"b": float("nan")}}, b'{"a": {"b": NaN}}'),
        ([], b"[]"),
        ([1, 2, 3], b"[1, 2, 3]"),
        (["a", "b"], b'["a", "b"]'),
        ([{"a": 1}], b'[{"a": 1}]'),
        ([b"a", bytearray(b"b"), memoryview(b"c")], b"abc"),
        ((b"a", b"b"), b"ab"),
        ({"a": b"1", "b": b"2"}.values(), b"12"),
        ({"a": 1, "b": 2}.keys(), b"ab"),
        (collections.deque([b"a", b"b"]), b"ab"),
        (range(97, 100), b"abc"),
    ],
)
def test_a_body_as_bytes(body: object, expected: bytes) -> None:
    assert materialize(body) == expected
    assert type(materialize(body)) is bytes


def test_the_same_bytes_come_back_as_the_same_object() -> None:
    data = os.urandom(100)
    assert materialize(data) is data


class Subclass(bytes):
    def __eq__(self, other: object) -> bool:
        raise AssertionError("nobody asked")

    __hash__ = None  # type: ignore[assignment]


def test_a_subclass_of_bytes_comes_back_as_plain_bytes() -> None:
    assert type(materialize(Subclass(b"abc"))) is bytes


# --- iterators


@pytest.mark.parametrize("size", [0, 1, 1_000_000])
def test_an_iterator_over_bytes_is_not_walked(size: int) -> None:
    # The source itself comes back: walking it int by int would have made another object.
    source = bytes(size)
    walked = iter(source)
    assert materialize(walked) is source
    assert len(list(walked)) == size, "the iterator was moved"


BUILTIN: list[tuple[Any, bytes]] = [
    (b"abcdef", b"abcdef"),
    (bytearray(b"abcdef"), b"abcdef"),
    ("abcdef", b"abcdef"),
    ("äbcdéf", "äbcdéf".encode()),
    ([b"a", b"b", b"c"], b"abc"),
    (["ä", "b", "c"], "äbc".encode()),
    ([97, 98, 99], b"abc"),
    ((b"a", memoryview(b"b"), "c"), b"abc"),
    ({b"a": 1, b"b": 2, b"c": 3}, b"abc"),
    ({1: b"a", 2: b"b", 3: b"c"}.values(), b"abc"),
]


@pytest.mark.parametrize(("source", "expected"), BUILTIN, ids=lambda value: type(value).__name__)
def test_a_builtin_iterator_stays_where_it_is(source: Any, expected: bytes) -> None:
    assert materialize(iter(source)) == expected
    moved = iter(source)
    first = next(moved)
    left = expected[len(materialize([first] if isinstance(first, bytes) else iter([first]))) :]
    assert materialize(moved) == left
    assert materialize(moved) == left, "the iterator was moved"
    exhausted = iter(source)
    collections.deque(exhausted, maxlen=0)
    assert materialize(exhausted) == b""


def test_a_set_is_read_in_its_own_order() -> None:
    parts = {b"a", b"b", b"c"}
    for body in (parts, frozenset(parts), iter(parts)):
        assert materialize(body) == b"".join(body)


@pytest.mark.parametrize(
    "chunks",
    [
        [b"a", b"b"],
        [b"a", bytearray(b"b"), memoryview(b"cd")[::-1], "é\ud800"],
        [0, 255, 97],
        ["a", "", "b"],
        [b""],
        [],
    ],
)
def test_a_generator_is_read_to_its_end(chunks: list[Any]) -> None:
    def generator() -> Any:
        yield from chunks

    expected = bytes(chunks) if chunks and isinstance(chunks[0], int) else b"".join(dull(chunk) for chunk in chunks)
    assert materialize(generator()) == expected
    assert materialize(iter(generator())) == expected
    assert materialize(itertools.chain(generator())) == expected
    half = generator()
    if next(half, None) is not None:
        rest = chunks[1:]
        assert materialize(half) == (bytes(rest) if isinstance(chunks[0], int) else b"".join(dull(chunk) for chunk in rest))


def dull(chunk: Any) -> bytes:
    return chunk.encode("utf-8", "surrogatepass") if isinstance(chunk, str) else bytes(chunk)


CHUNK = st.one_of(
    st.binary(max_size=20),
    st.binary(max_size=20).map(bytearray),
    st.binary(max_size=20).map(memoryview),
    st.text(st.characters(codec="utf-8"), max_size=20),
)


@given(st.lists(CHUNK, max_size=8), st.sampled_from(["generator", "list_iterator", "tuple_iterator", "map", "deque"]))
def test_any_chunks_are_joined(chunks: list[Any], kind: str) -> None:
    body: Any = {
        "generator": (chunk for chunk in chunks),
        "list_iterator": iter(chunks),
        "tuple_iterator": iter(tuple(chunks)),
        "map": itertools.chain(chunks),
        "deque": collections.deque(chunks),
    }[kind]
    assert materialize(body) == b"".join(dull(chunk) for chunk in chunks)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4) | st.lists(st.integers() | st.dictionaries(st.text(), JSON), max_size=4))
def test_a_dict_or_list_is_json(body: Any) -> None:
    assert json.loads(materialize(body)) == body


# --- files


def test_a_file_is_read_from_where_it_stands_and_put_back(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        assert materialize(file) == materialize(file) == b"0123456789"
        file.seek(4)
        assert materialize(file) == b"456789"
        assert file.tell() == 4
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped.seek(2)
        assert materialize(mapped) == b"23456789"
        assert mapped.tell() == 2
    text = io.StringIO("äb")
    text.seek(1)
    assert materialize(text) == b"b"
    path.write_text("zürich", encoding="utf-8")
    with path.open(encoding="utf-8") as opened:
        assert materialize(opened) == "zürich".encode()
        assert opened.read() == "zürich"


class Unseekable(io.RawIOBase):
    """A socket or pipe: it knows where it is, and cannot go back."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._inner.readinto(buffer)

    def tell(self) -> int:
        return self._inner.tell()


class OnlyRead:
    def __init__(self, data: Any) -> None:
        self.read = lambda: data


def test_a_file_that_cannot_go_back_is_read() -> None:
    assert materialize(Unseekable(b"abc")) == b"abc"
    assert materialize(OnlyRead(b"abc")) == b"abc"
    assert materialize(OnlyRead("é")) == "é".encode()
    assert materialize(OnlyRead(bytearray(b"abc"))) == b"abc"
    reading, writing = os.pipe()
    os.write(writing, b"abc")
    os.close(writing)
    with open(reading, "rb") as pipe:
        assert materialize(pipe) == b"abc"


@pytest.mark.parametrize("file", [io.BytesIO(b"abc"), io.StringIO("abc")], ids=["binary", "text"])
def test_a_file_at_its_end_is_told(file: Any) -> None:
    file.read()
    with pytest.warns(ConsumedBodyWarning, match="at its end"):
        assert materialize(file) == b""
    assert read_body(file).consumed


def test_an_empty_file_is_not_consumed() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert materialize(io.BytesIO()) == b""


# --- what cannot be read


async def numbers() -> Any:
    yield b"1"


class Odd:
    pass


class Coroutine:
    async def read(self) -> bytes:
        return b"abc"


def loop_in_itself() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


def deep() -> list[Any]:
    made: list[Any] = []
    for _ in range(100_000):
        made = [made]
    return made


def released() -> memoryview:
    view = memoryview(b"abc")
    view.release()
    return view


@pytest.mark.parametrize(
    "make",
    [
        numbers,
        Odd,
        Coroutine,
        object,
        lambda: 5,
        lambda: 5.0,
        lambda: True,
        lambda: Odd,
        lambda: print,
        lambda: iter([1.5]),
        lambda: iter([256]),
        lambda: iter([-1]),
        lambda: iter([b"a", 1]),
        lambda: iter([None]),
        lambda: (one for one in [b"a", Odd()]),
        lambda: [Odd()],
        lambda: {(1, 2): "a"},
        lambda: OnlyRead(None),
        lambda: OnlyRead(5),
        loop_in_itself,
        deep,
        released,
        lambda: {"a": 1}.items(),
    ],
)
def test_what_cannot_be_read_says_so(make: Any) -> None:
    with pytest.raises(UnsupportedBodyError) as caught:
        materialize(make())
    assert str(caught.value)


def test_what_others_will_send_is_not_drained() -> None:
    for body in (Unseekable(b"abc"), (chunk for chunk in [b"abc"])):
        with pytest.raises(UnsupportedBodyError):
            read_body(body, drain=False)
        assert materialize(body) == b"abc"
