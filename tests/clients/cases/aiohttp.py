"""aiohttp by itself."""

from __future__ import annotations

import asyncio
import datetime
import io
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.clients.case import Client
from tests.clients.cases.pictures import other_pixel, picture
from tests.clients.seen import headers

client = Client("aiohttp")


async def whole(response: aiohttp.ClientResponse) -> Any:
    return [
        response.status,
        response.reason,
        headers(response.headers.items()),
        await response.read(),
        response.content_type,
        response.charset,
    ]


async def post(url: str, path: str = "echo", *, session: Any = None, **request: Any) -> Any:
    async with aiohttp.ClientSession(**(session or {})) as api, api.post(f"{url}/plain/{path}", **request) as response:
        return await whole(response)


def form(value: str = "v", data: bytes | None = None, name: str = "a.png") -> aiohttp.FormData:
    made = aiohttp.FormData()
    made.add_field("k", value)
    made.add_field("file", picture() if data is None else data, filename=name, content_type="image/png")
    return made


# A form and a JSON object of the same members are two requests, although vcrpy is given the same dict for both.
as_json = client.case("aiohttp.json.async")(lambda url: post(url, json={"a": "1"}))
as_json.but("another value", cause="text")(lambda url: post(url, json={"a": "2"}))
as_json.but("a number", cause="type")(lambda url: post(url, json={"a": 1}))
as_json.but("as a form", cause="content-type")(lambda url: post(url, data={"a": "1"}))
as_form = client.case("aiohttp.form_dict.async")(lambda url: post(url, data={"a": "1"}))
as_form.but("another value", cause="text")(lambda url: post(url, data={"a": "2"}))
as_form.but("as json", cause="content-type")(lambda url: post(url, json={"a": "1"}))
client.case("aiohttp.form_pairs.async")(lambda url: post(url, data=[("a", "1"), ("a", "2")]))
client.case("aiohttp.text.async")(lambda url: post(url, data="text")).but("another text", cause="text")(lambda url: post(url, data="test"))


def dated(value: Any) -> str:
    return json.dumps(value, default=str)


own = client.case("aiohttp.json.async.own_serializer")(
    lambda url: post(url, session={"json_serialize": dated}, json={"on": datetime.date(2026, 1, 1)})
)
own.but("another day", cause="text")(lambda url: post(url, session={"json_serialize": dated}, json={"on": datetime.date(2026, 2, 1)}))

parts = client.case("aiohttp.formdata.async")(lambda url: post(url, data=form()))
parts.but("another value", cause="text")(lambda url: post(url, data=form("w")))
parts.but("another pixel", cause="media")(lambda url: post(url, data=form(data=other_pixel())))
parts.but("another name", cause="file-name")(lambda url: post(url, data=form(name="b.png")))
parts.but("emptied", cause="empty-body")(lambda url: post(url, data=form(data=b"")))


def file_dict(url: str, data: bytes = b"one two") -> Any:
    return post(url, data={"k": "v", "file": io.BytesIO(data)})


client.case("aiohttp.file_dict.async")(file_dict).but("other bytes", cause="text")(lambda url: file_dict(url, b"one six"))


@client.case("aiohttp.file_dict.async.open_file")
async def open_file(url: str) -> Any:
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "a.png").open("w+b") as file:
        file.write(picture())
        file.seek(0)
        made = aiohttp.FormData()
        made.add_field("file", file, filename="a.png")
        return await post(url, data=made)


@client.case("aiohttp.file.async")
async def plain_file(url: str) -> Any:
    return await post(url, data=io.BytesIO(picture()))


@client.case("aiohttp.formdata.async.bytesio_twice")
async def twice(url: str) -> Any:
    def made() -> aiohttp.FormData:
        fresh = aiohttp.FormData()
        fresh.add_field("file", io.BytesIO(b"one two"), filename="a.txt")
        return fresh

    return [await post(url, data=made()), await post(url, data=made())]


async def generated(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


client.case("aiohttp.generator.async")(lambda url: post(url, data=generated(b"one", b"two"))).but("another chunk", cause="text")(
    lambda url: post(url, data=generated(b"one", b"six"))
)


@client.case("aiohttp.multipart_related.async")
async def related(url: str) -> Any:
    with aiohttp.MultipartWriter("related") as writer:
        writer.append_json({"name": "a.png"})
        writer.append(picture(), {"Content-Type": "image/png"})
    return await post(url, data=writer)


for coding in ("gzip", "deflate", "br", "zstd"):
    for decoded in (True, False):
        client.case(f"aiohttp.json.async.{coding}{'' if decoded else '.kept'}", decode_compressed_response=decoded)(
            lambda url, c=coding: post(url, json={"a": 1}, headers={"x-answer-encoding": c})
        )


async def stream(url: str, how: str) -> Any:
    async with aiohttp.ClientSession() as api, api.post(f"{url}/plain/named-events", json={"a": 1}) as response:
        content = response.content
        match how:
            case "any":
                return [chunk async for chunk in content.iter_any()]
            case "chunks":
                return [[chunk, end] async for chunk, end in content.iter_chunks()]
            case "lines":
                return [line async for line in content]
            case _:
                return [chunk async for chunk in content.iter_chunked(7)]


for how in ("any", "chunks", "lines", "seven"):
    client.case(f"aiohttp.events.async.{how}")(lambda url, h=how: stream(url, h))


@client.case("aiohttp.latin1.async")
async def latin(url: str) -> Any:
    async with aiohttp.ClientSession() as api, api.post(f"{url}/plain/text") as response:
        return [await response.text(), response.get_encoding()]


@client.case("aiohttp.json.async.not_announced")
async def not_announced(url: str) -> Any:
    """Live, aiohttp refuses to read as JSON what says that it is text; on replay it must, too."""
    async with aiohttp.ClientSession() as api, api.post(f"{url}/plain/text") as response:
        try:
            return await response.json()
        except aiohttp.ContentTypeError as error:
            return error


@client.case("aiohttp.redirect.async")
async def redirect(url: str) -> Any:
    async with aiohttp.ClientSession() as api, api.get(f"{url}/plain/moved") as response:
        return [len(response.history), await whole(response), str(response.url)]


@client.case("aiohttp.poll.async")
async def poll(url: str) -> Any:
    states: list[Any] = []
    async with aiohttp.ClientSession() as api:
        while not states or (states[-1]["state"] != "done" and len(states) < 10):
            async with api.get(f"{url}/plain/job", params={"id": "aiohttp"}) as response:
                states.append(await response.json())
    return states


async def gathered(url: str, *, equal: bool) -> Any:
    async with aiohttp.ClientSession() as api:

        async def ask(number: int) -> Any:
            async with api.post(f"{url}/plain/echo", json={"n": 0 if equal else number}) as response:
                return (await response.json())["answer"]

        answers = await asyncio.gather(*(ask(number) for number in range(50)))
    return sorted(answers) if equal else answers


client.case("aiohttp.json.async.gather_50")(lambda url: gathered(url, equal=False))
client.case("aiohttp.json.async.gather_50_equal")(lambda url: gathered(url, equal=True))
