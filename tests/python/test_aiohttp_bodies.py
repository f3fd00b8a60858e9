"""aiohttp's forms and writers are read as aiohttp will send them, and left as they are: it empties a form when it sends it."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from llm_vcr import UnsupportedBodyError, materialize
from llm_vcr.request import read_body


async def numbers() -> Any:
    yield b"1"


class Unseekable(io.BytesIO):
    """A pipe."""

    def seekable(self) -> bool:
        return False


def sent(form: aiohttp.FormData) -> tuple[bytes, str]:
    """What aiohttp itself would send, which empties the form."""

    async def write() -> tuple[bytes, str]:
        payload = form()
        return await payload.as_bytes(), payload.content_type

    return asyncio.run(write())


def plain_form() -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("a", "1")
    form.add_field("b", "ü &=")
    return form


def file_form() -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("model", "whisper")
    form.add_field("file", b"\0\1\2", filename="a.wav", content_type="audio/wav")
    form.add_field("other", io.BytesIO(b"png"), filename="b.png")
    return form


@pytest.mark.parametrize("make", [plain_form, file_form])
def test_a_form_is_read_as_aiohttp_sends_it_and_not_emptied(make: Any) -> None:
    form = make()
    read = read_body(form)
    again = read_body(form)
    body, content_type = sent(form)
    assert read.content_type is not None
    boundary = read.content_type.partition("boundary=")[2].strip('"')
    theirs = content_type.partition("boundary=")[2].strip('"')
    assert read.data.replace(boundary.encode() or b"\0", theirs.encode()) == body
    assert again.data.replace(again.content_type.partition("boundary=")[2].encode() or b"\0", boundary.encode()) == read.data


def test_a_multipart_writer_is_read_as_aiohttp_sends_it() -> None:
    with aiohttp.MultipartWriter("mixed", boundary="outer") as writer:
        writer.append("text")
        writer.append_json({"a": 1})
        writer.append(io.BytesIO(b"0123"))
        with aiohttp.MultipartWriter("related", boundary="inner") as inner:
            inner.append(b"part")
        writer.append(inner)
    expected = asyncio.run(writer.as_bytes())
    for _ in range(2):
        read = read_body(writer)
        assert read.data == expected
        assert read.content_type == "multipart/mixed; boundary=outer"


@pytest.mark.filterwarnings("error")
def test_a_large_form_field_is_nothing_to_warn_about() -> None:
    form = aiohttp.FormData()
    form.add_field("file", bytes(2 << 20), filename="a")
    assert len(materialize(form)) > 2 << 20


def test_open_files_in_a_form_stay_open_and_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        file.seek(3)
        form = aiohttp.FormData({"file": file, "name": "x"})
        read = read_body(form)
        assert b"3456789" in read.data
        assert b"012" not in read.data
        assert b'filename="speech.wav"' in read.data
        assert file.tell() == 3
        assert not file.closed


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_dict_with_files_is_the_form_aiohttp_makes_of_it() -> None:
    read = read_body({"file": io.BytesIO(b"abc"), "name": "x"})
    assert read.content_type is not None
    assert read.content_type.startswith("multipart/form-data; boundary=")
    assert b"abc" in read.data
    assert b'name="name"' in read.data


async def read_all(form: aiohttp.FormData) -> bytes:
    return await form().as_bytes()


def test_a_form_that_is_not_in_memory_is_unsupported_and_left_alone() -> None:
    form = aiohttp.FormData()
    form.add_field("a", "1")
    form.add_field("stream", numbers(), content_type="text/plain")
    with pytest.raises(UnsupportedBodyError, match="only once"):
        materialize(form)
    assert b"\r\n\r\n1\r\n" in asyncio.run(read_all(form)), "aiohttp has nothing left to send"


def test_an_unseekable_file_in_a_form_is_unsupported_and_left_alone() -> None:
    file = Unseekable(b"abc")
    form = aiohttp.FormData({"file": file})
    with pytest.raises(UnsupportedBodyError, match="only once"):
        materialize(form)
    assert file.read() == b"abc"


def test_no_value_of_a_field_in_the_error() -> None:
    class Odd:
        def __repr__(self) -> str:
            return "hunter2"

    form = aiohttp.FormData()
    form.add_field("password", Odd(), filename="a")
    with pytest.raises(UnsupportedBodyError, match="Odd") as caught:
        materialize(form)
    assert "hunter2" not in str(caught.value)
