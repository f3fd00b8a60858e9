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

from tests.clients.case import REPLAYING, Client
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
client.case("aiohttp.form_pairs.async")(lambda url: post(url, data=[("a", "1"), ("a", "2")])).but("another second", cause="text")(
    lambda url: post(url, data=[("a", "1"), ("a", "3")])
)
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


async def open_file(url: str, data: bytes) -> Any:
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "a.png").open("w+b") as file:
        file.write(data)
        file.seek(0)
        made = aiohttp.FormData()
        made.add_field("file", file, filename="a.png")
        return await post(url, data=made)


client.case("aiohttp.file_dict.async.open_file")(lambda url: open_file(url, picture())).but("another pixel", cause="media")(
    lambda url: open_file(url, other_pixel())
)
client.case("aiohttp.file.async")(lambda url: post(url, data=io.BytesIO(picture()))).but("another pixel", cause="media")(
    lambda url: post(url, data=io.BytesIO(other_pixel()))
)


async def twice(url: str, data: bytes) -> Any:
    def made() -> aiohttp.FormData:
        fresh = aiohttp.FormData()
        fresh.add_field("file", io.BytesIO(data), filename="a.txt")
        return fresh

    return [await post(url, data=made()), await post(url, data=made())]


client.case("aiohttp.formdata.async.bytesio_twice")(lambda url: twice(url, b"one two")).but("other bytes", cause="text")(
    lambda url: twice(url, b"one six")
)


async def form_twice(url: str, value: str) -> Any:
    """aiohttp empties a form that it sends: the second one is empty, live and on replay."""
    made = form(value)
    return [await post(url, data=made), await post(url, data=made)]


client.case("aiohttp.formdata.async.same_twice")(lambda url: form_twice(url, "v")).but("another value", cause="text")(
    lambda url: form_twice(url, "w")
)


async def same_twice(url: str, data: bytes) -> Any:
    """aiohttp does not rewind a file, and may close it: the second upload is empty or fails, live and on replay alike."""
    file = io.BytesIO(data)
    first = await post(url, data={"file": file})
    try:
        return [first, await post(url, data={"file": file})]
    except ValueError as error:
        return [first, error]


client.case("aiohttp.file_dict.async.same_twice")(lambda url: same_twice(url, b"one two")).but("other bytes", cause="text")(
    lambda url: same_twice(url, b"one six")
)


async def insistent(url: str, data: bytes) -> Any:
    """A retry of the caller's own making, with a form of its own each time: aiohttp sends none twice."""
    for _ in range(3):
        answer = await post(url, data=form(data=data))
        if answer[0] == 200:
            return answer
    raise TimeoutError


for status in (500, 429):
    failing = f"fail twice with {status}".encode()
    client.case(f"aiohttp.formdata.async.retry_{status}")(lambda url, d=failing: insistent(url, d)).but("other bytes", cause="text")(
        lambda url, d=failing: insistent(url, b"two: " + d)
    )


async def insistent_generator(url: str, data: bytes) -> Any:
    for _ in range(3):
        answer = await post(url, data=generated(data))
        if answer[0] == 200:
            return answer
    raise TimeoutError


client.case("aiohttp.generator.async.retry_500")(lambda url: insistent_generator(url, b"once: fail once with 500")).but(
    "other bytes", cause="text"
)(lambda url: insistent_generator(url, b"twice: fail once with 500"))


async def generated(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


client.case("aiohttp.generator.async")(lambda url: post(url, data=generated(b"one", b"two"))).but("another chunk", cause="text")(
    lambda url: post(url, data=generated(b"one", b"six"))
)


async def related(url: str, data: bytes, name: str = "a.png") -> Any:
    with aiohttp.MultipartWriter("related") as writer:
        writer.append_json({"name": name})
        writer.append(data, {"Content-Type": "image/png"})
    return await post(url, data=writer)


made_related = client.case("aiohttp.multipart_related.async")(lambda url: related(url, picture()))
made_related.but("another pixel", cause="media")(lambda url: related(url, other_pixel()))
made_related.but("another name", cause="text")(lambda url: related(url, picture(), "b.png"))


for coding in ("gzip", "deflate", "br", "zstd"):
    for decoded in (True, False):
        client.case(f"aiohttp.json.async.{coding}{'' if decoded else '.kept'}", decode_compressed_response=decoded)(
            lambda url, c=coding: post(url, json={"a": 1}, headers={"x-answer-encoding": c})
        ).but("another value", cause="number")(lambda url, c=coding: post(url, json={"a": 2}, headers={"x-answer-encoding": c}))


async def stream(url: str, how: str, value: int = 1) -> Any:
    async with aiohttp.ClientSession() as api, api.post(f"{url}/plain/named-events", json={"a": value}) as response:
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
    client.case(f"aiohttp.events.async.{how}")(lambda url, h=how: stream(url, h)).but("another value", cause="number")(
        lambda url, h=how: stream(url, h, 2)
    )


async def latin(url: str, **request: Any) -> Any:
    async with aiohttp.ClientSession() as api, api.post(f"{url}/plain/text", **request) as response:
        return [await response.text(), response.get_encoding()]


client.case("aiohttp.latin1.async")(latin).but("a body", cause="empty-body")(lambda url: latin(url, json={}))


async def not_announced(url: str, **request: Any) -> Any:
    """Live, aiohttp refuses to read as JSON what says that it is text; on replay it must, too."""
    async with aiohttp.ClientSession() as api, api.post(f"{url}/plain/text", **request) as response:
        try:
            return await response.json()
        except aiohttp.ContentTypeError as error:
            return error


client.case("aiohttp.json.async.not_announced")(not_announced).but("a body", cause="empty-body")(lambda url: not_announced(url, json={}))


async def followed(url: str, path: str, method: str, **request: Any) -> Any:
    async with aiohttp.ClientSession() as api, api.request(method, f"{url}/plain/{path}", **request) as response:
        return [len(response.history), await whole(response), str(response.url)]


client.case("aiohttp.redirect.async")(lambda url: followed(url, "moved", "GET")).but("another method", cause="method")(
    lambda url: followed(url, "moved", "POST")
)
for kind, made in (("multipart", form), ("file", lambda data: io.BytesIO(data))):
    client.case(f"aiohttp.redirect.async.{kind}_307")(lambda url, m=made: followed(url, "kept", "POST", data=m(data=picture()))).but(
        "another pixel", cause="media"
    )(lambda url, m=made: followed(url, "kept", "POST", data=m(data=other_pixel())))


async def poll(url: str, ident: str = "aiohttp") -> Any:
    """Until it is done; the second run asks once more."""
    states: list[Any] = []
    async with aiohttp.ClientSession() as api:

        async def ask() -> Any:
            async with api.get(f"{url}/plain/job", params={"id": ident}) as response:
                return await response.json()

        while not states or (states[-1]["state"] != "done" and len(states) < 10):
            states.append(await ask())
        if REPLAYING:
            states[-1] = await ask()
    return states


client.case("aiohttp.poll.async")(poll).but("another job", cause="url")(lambda url: poll(url, "another"))


async def gathered(url: str, numbers: list[int]) -> Any:
    async with aiohttp.ClientSession() as api:

        async def ask(number: int) -> Any:
            async with api.post(f"{url}/plain/echo", json={"n": number}) as response:
                return (await response.json())["answer"]

        answers = await asyncio.gather(*(ask(number) for number in numbers))
    return answers if len(set(numbers)) > 1 else sorted(answers)


client.case("aiohttp.json.async.gather_50")(lambda url: gathered(url, [*range(50)])).but("one more", cause="number")(
    lambda url: gathered(url, [*range(51)])
)
client.case("aiohttp.json.async.gather_50_equal")(lambda url: gathered(url, [0] * 50)).but("another value", cause="number")(
    lambda url: gathered(url, [1] * 50)
)
