"""The openai SDK: over httpx2 (its own), over a user's httpx client, over aiohttp."""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import contextlib
import io
import json
import random
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
from openai import AsyncOpenAI, DefaultAioHttpClient, InternalServerError, OpenAI, RateLimitError
from pydantic import BaseModel

from tests.clients.case import REPLAYING, Client
from tests.clients.cases.pictures import other_pixel, picture, sized, sound
from tests.clients.cases.pipe import Pipe
from tests.clients.seen import attempted, headers

client = Client("openai")

HELLO: list[Any] = [{"role": "user", "content": "Say hello."}]
GOODBYE: list[Any] = [{"role": "user", "content": "Say goodbye."}]
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
# As the SDK sends a body that it did not build itself: for what Python's dicts cannot say.
JSON = {"content-type": "application/json", "authorization": "Bearer sk-session"}


def sync(url: str, **options: Any) -> OpenAI:
    return OpenAI(**{"base_url": f"{url}/v1", "max_retries": 0, **options})


def over_httpx(url: str, **options: Any) -> OpenAI:
    return sync(url, http_client=httpx.Client(), **options)  # type: ignore[arg-type]


def asynchronous(url: str, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(**{"base_url": f"{url}/v1", "max_retries": 0, **options})


def over_aiohttp(url: str, **options: Any) -> AsyncOpenAI:
    return asynchronous(url, http_client=DefaultAioHttpClient(), **options)


def chat(url: str, content: Any = "Say hello.", **more: Any) -> Any:
    with sync(url) as api:
        return api.chat.completions.create(**{"model": "gpt-x", "messages": [{"role": "user", "content": content}], **more})


async def chat_async(url: str, connect: Any = asynchronous, **more: Any) -> Any:
    async with connect(url) as api:
        return await api.chat.completions.create(**{"model": "gpt-x", "messages": HELLO, **more})


def edit(url: str, image: Any, connect: Any = sync, prompt: str = "add a hat", **more: Any) -> Any:
    with connect(url) as api:
        return api.images.edit(**{"model": "gpt-image-x", "prompt": prompt, "image": image, "size": "16x16", **more})


async def edit_async(url: str, image: Any, connect: Any = asynchronous, **more: Any) -> Any:
    async with connect(url) as api:
        return await api.images.edit(**{"model": "gpt-image-x", "prompt": "add a hat", "image": image, "size": "16x16", **more})


def png(name: str = "a.png", seed: int = 0) -> tuple[str, bytes, str]:
    return name, picture(seed), "image/png"


# --- chat

plain_chat = client.case("openai.chat.sync")(chat)
plain_chat.but("another prompt", cause="text")(lambda url: chat(url, "Say goodbye."))
plain_chat.but("another model", cause="model")(lambda url: chat(url, model="gpt-y"))
plain_chat.but("streamed", cause="stream")(lambda url: [*chat(url, stream=True)])
plain_chat.but("another parameter", cause="added-key")(lambda url: chat(url, temperature=0.5))
plain_chat.but("another path", cause="url")(lambda url: sync(url).responses.create(model="gpt-x", input="Say hello."))
plain_chat.but("another query", cause="url")(lambda url: chat(url, extra_query={"version": "2"}))
plain_chat.but("another key under role", cause="credential")(
    lambda url: sync(url, api_key="sk-somebody-else").chat.completions.create(model="gpt-x", messages=HELLO)
)

client.case("openai.chat.async")(chat_async).but("another prompt", cause="text")(
    lambda url: chat_async(url, messages=[{"role": "user", "content": "Say goodbye."}])
)
client.case("openai.chat.async.aiohttp")(lambda url: chat_async(url, over_aiohttp)).but("another model", cause="model")(
    lambda url: chat_async(url, over_aiohttp, model="gpt-y")
)


@client.case("openai.chat.sync.httpx")
def chat_over_httpx(url: str) -> Any:
    with over_httpx(url) as api:
        return api.chat.completions.create(model="gpt-x", messages=HELLO)


@chat_over_httpx.but("another prompt", cause="text")
def _(url: str) -> Any:
    with over_httpx(url) as api:
        return api.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "Say hallo."}])


strict = client.case("openai.chat.sync.strict_key", settings={"credential": "strict"})(chat)
strict.but("another key", cause="credential")(
    lambda url: sync(url, api_key="sk-another").chat.completions.create(model="gpt-x", messages=HELLO)
)

tools = client.case("openai.chat_tools.sync")(lambda url: chat(url, tools=[WEATHER]))
tools.but("another tool schema", cause="tools")(
    lambda url: chat(
        url,
        tools=[
            {
                "type": "function",
                "function": {"name": "weather", "parameters": {"type": "object", "properties": {"town": {"type": "string"}}}},
            }
        ],
    )
)
tools.but("no tools", cause="tools")(chat)


def tool_round(url: str, result: str = "rain") -> Any:
    first = chat(url, tools=[WEATHER])
    call = first.choices[0].message.tool_calls[0]
    messages = [
        *HELLO,
        first.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": result},
    ]
    with sync(url) as api:
        return [first, api.chat.completions.create(model="gpt-x", messages=messages, tools=[WEATHER])]


client.case("openai.chat_tools.sync.round")(tool_round).but("another result", cause="text")(lambda url: tool_round(url, "sun"))


class Verdict(BaseModel):
    good: bool


parsed = client.case("openai.chat_parse.sync")(
    lambda url: (
        sync(url)
        .chat.completions.with_raw_response.create(
            model="gpt-x",
            messages=HELLO,
            response_format={"type": "json_schema", "json_schema": {"name": "Verdict", "schema": Verdict.model_json_schema()}},
        )
        .text
    )
)
parsed.but("another response schema", cause="tools")(
    lambda url: chat(url, response_format={"type": "json_schema", "json_schema": {"name": "Verdict", "schema": {"type": "object"}}})
)


def see(url: str, image: bytes) -> Any:
    data = base64.b64encode(image).decode()
    return chat(url, [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}])


client.case("openai.chat_image.sync")(lambda url: see(url, picture())).but("another pixel", cause="media")(
    lambda url: see(url, other_pixel())
)
client.case("openai.chat_image.sync.200kb")(lambda url: see(url, sized(200_000))).but("another image", cause="media")(
    lambda url: see(url, sized(200_000, 1))
)


# --- streams


def stream(url: str, **more: Any) -> Any:
    return [*chat(url, stream=True, **more)]


streamed = client.case("openai.chat_stream.sync")(stream)
streamed.but("not streamed", cause="stream")(chat)
streamed.but("another prompt", cause="text")(lambda url: stream(url, messages=[{"role": "user", "content": "Say goodbye."}]))


async def stream_async(url: str, connect: Any = asynchronous, messages: Any = HELLO) -> Any:
    async with connect(url) as api:
        return [chunk async for chunk in await api.chat.completions.create(model="gpt-x", messages=messages, stream=True)]


for way, connect in (("", asynchronous), (".aiohttp", over_aiohttp)):
    client.case(f"openai.chat_stream.async{way}")(lambda url, c=connect: stream_async(url, c)).but("another prompt", cause="text")(
        lambda url, c=connect: stream_async(url, c, GOODBYE)
    )


def stream_helper(url: str, messages: Any = HELLO) -> Any:
    with sync(url) as api, api.chat.completions.stream(model="gpt-x", messages=messages) as events:
        kinds = [event.type for event in events]
        return [kinds, events.get_final_completion()]


client.case("openai.chat_stream.sync.helper")(stream_helper).but("another prompt", cause="text")(lambda url: stream_helper(url, GOODBYE))


def stream_raw(url: str, **more: Any) -> Any:
    with sync(url) as api:
        raw = api.chat.completions.with_streaming_response.create(**{"model": "gpt-x", "messages": HELLO, "stream": True, **more})
        with raw as response:
            return [*response.iter_bytes()]


client.case("openai.chat_stream.sync.raw_chunks")(stream_raw).but("another model", cause="model")(
    lambda url: stream_raw(url, model="gpt-y")
)


# --- responses, embeddings, models

respond = client.case("openai.responses.sync")(lambda url: sync(url).responses.create(model="gpt-x", input="Say hello."))
respond.but("another input", cause="text")(lambda url: sync(url).responses.create(model="gpt-x", input="Say goodbye."))
respond.but("instructions", cause="added-key")(
    lambda url: sync(url).responses.create(model="gpt-x", input="Say hello.", instructions="Be brief.")
)
client.case("openai.responses.async")(lambda url: asynchronous(url).responses.create(model="gpt-x", input="Say hello.")).but(
    "another input", cause="text"
)(lambda url: asynchronous(url).responses.create(model="gpt-x", input="Say goodbye."))
client.case("openai.responses_stream.sync")(lambda url: [*sync(url).responses.create(model="gpt-x", input="Say hello.", stream=True)]).but(
    "not streamed", cause="stream"
)(lambda url: sync(url).responses.create(model="gpt-x", input="Say hello."))


def respond_helper(url: str, text: str = "Say hello.") -> Any:
    with sync(url) as api, api.responses.stream(model="gpt-x", input=text) as events:
        return [[event.type for event in events], events.get_final_response().output_text]


client.case("openai.responses_stream.sync.helper")(respond_helper).but("another input", cause="text")(
    lambda url: respond_helper(url, "Say goodbye.")
)


def embed(url: str, **more: Any) -> Any:
    return sync(url).embeddings.create(**{"model": "emb-x", "input": ["one", "two"], **more})


embedded = client.case("openai.embeddings.sync")(embed)
embedded.but("array order", cause="array-order")(lambda url: embed(url, input=["two", "one"]))
embedded.but("one more", cause="array-length")(lambda url: embed(url, input=["one", "two", "three"]))
embedded.but("another encoding", cause="text")(lambda url: embed(url, encoding_format="float"))
client.case("openai.embeddings.async")(lambda url: asynchronous(url).embeddings.create(model="emb-x", input="one")).but(
    "a list of one", cause="type"
)(lambda url: asynchronous(url).embeddings.create(model="emb-x", input=["one"]))
client.case("openai.models.sync")(lambda url: [one.id for one in sync(url).models.list()]).but("one of them", cause="url")(
    lambda url: sync(url).models.retrieve("gpt-x")
)


# --- images

client.case("openai.image_generate.sync")(lambda url: sync(url).images.generate(model="gpt-image-x", prompt="a hat", size="16x16")).but(
    "another size", cause="text"
)(lambda url: sync(url).images.generate(model="gpt-image-x", prompt="a hat", size="16x32"))  # type: ignore[call-overload]
client.case("openai.image_generate.async")(
    lambda url: asynchronous(url).images.generate(model="gpt-image-x", prompt="a hat", size="16x16")  # type: ignore[call-overload]
).but("another prompt", cause="text")(
    lambda url: asynchronous(url).images.generate(model="gpt-image-x", prompt="a cap", size="16x16")  # type: ignore[call-overload]
)

client.case("openai.image_generate.sync.kept", settings={"media": "keep"})(
    lambda url: sync(url).images.generate(model="gpt-image-x", prompt="a hat", size="1024x1024")
).but("two of them", cause="added-key")(lambda url: sync(url).images.generate(model="gpt-image-x", prompt="a hat", size="1024x1024", n=2))

edited = client.case("openai.image_edit.sync.bytes")(lambda url: edit(url, png()))
edited.but("another pixel", cause="media")(lambda url: edit(url, ("a.png", other_pixel(), "image/png")))
edited.but("another file name", cause="file-name")(lambda url: edit(url, png("b.png")))
edited.but("another prompt", cause="text")(lambda url: edit(url, png(), prompt="add two hats"))
edited.but("an emptied upload", cause="empty-body")(lambda url: edit(url, ("a.png", b"", "image/png")))
edited.but("another model", cause="model")(lambda url: edit(url, png(), model="gpt-image-y"))
edited.but("another part type", cause="part-header")(lambda url: edit(url, ("a.png", picture(), "image/webp")))
edited.but("one file more", cause="part-count")(lambda url: edit(url, png(), mask=png("mask.png", 5)))

client.case("openai.image_edit.async.bytes")(lambda url: edit_async(url, png())).but("another pixel", cause="media")(
    lambda url: edit_async(url, ("a.png", other_pixel(), "image/png"))
)
client.case("openai.image_edit.async.bytes.aiohttp")(lambda url: edit_async(url, png(), over_aiohttp)).but(
    "another file name", cause="file-name"
)(lambda url: edit_async(url, png("b.png"), over_aiohttp))
client.case("openai.image_edit.sync.bytes.httpx")(lambda url: edit(url, png(), over_httpx)).but("another pixel", cause="media")(
    lambda url: edit(url, ("a.png", other_pixel(), "image/png"), over_httpx)
)
several = client.case("openai.image_edit.sync.two_images_mask")(
    lambda url: edit(url, [png("a.png", 1), png("b.png", 2)], mask=png("mask.png", 3))
)
several.but("swapped files", cause="part-order")(lambda url: edit(url, [png("b.png", 2), png("a.png", 1)], mask=png("mask.png", 3)))
several.but("swapped contents", cause="part-order")(lambda url: edit(url, [png("a.png", 2), png("b.png", 1)], mask=png("mask.png", 3)))
several.but("another mask", cause="media")(lambda url: edit(url, [png("a.png", 1), png("b.png", 2)], mask=png("mask.png", 4)))


def named(data: bytes) -> io.BytesIO:
    file = io.BytesIO(data)
    file.name = "a.png"
    return file


client.case("openai.image_edit.sync.bytesio")(lambda url: edit(url, named(picture()))).but("another pixel", cause="media")(
    lambda url: edit(url, named(other_pixel()))
)
client.case("openai.image_edit.async.bytesio")(lambda url: edit_async(url, named(picture()))).but("another pixel", cause="media")(
    lambda url: edit_async(url, named(other_pixel()))
)
client.case("openai.image_edit.sync.200kb")(lambda url: edit(url, ("a.png", sized(200_000), "image/png"))).but(
    "another image", cause="media"
)(lambda url: edit(url, ("a.png", sized(200_000, 1), "image/png")))
client.case("openai.image_edit.async.200kb")(lambda url: edit_async(url, ("a.png", sized(200_000), "image/png"))).but(
    "another image", cause="media"
)(lambda url: edit_async(url, ("a.png", sized(200_000, 1), "image/png")))


def edit_file(url: str, data: bytes, *, opened: bool) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        path.write_bytes(data)
        if not opened:
            return edit(url, path)
        with path.open("rb") as file:
            return edit(url, file)


for how in ("file", "path"):
    client.case(f"openai.image_edit.sync.{how}")(lambda url, h=how: edit_file(url, picture(), opened=h == "file")).but(
        "another pixel", cause="media"
    )(lambda url, h=how: edit_file(url, other_pixel(), opened=h == "file"))


def edit_temporary(url: str, data: bytes) -> Any:
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(data)
        file.seek(0)
        return edit(url, (Path(file.name).name, file, "image/png"))


client.case("openai.image_edit.sync.tmpfile", settings={"mask": [r'filename="tmp[0-9a-z_]{8}\.png"']})(
    lambda url: edit_temporary(url, picture())
).but("another pixel", cause="media")(lambda url: edit_temporary(url, other_pixel()))


def edit_several(url: str, *seeds: int) -> Any:
    return [edit(url, named(picture(seed))) for seed in seeds]


# The third of the same image as the first.
client.case("openai.image_edit.sync.bytesio_seq")(lambda url: edit_several(url, 1, 2, 1)).but("another third", cause="media")(
    lambda url: edit_several(url, 1, 2, 3)
)


# --- audio and files


def transcribe(url: str, data: bytes = b"", **more: Any) -> Any:
    return sync(url).audio.transcriptions.create(**{"model": "hear-x", "file": ("a.wav", data or sound(), "audio/wav"), **more})


transcribed = client.case("openai.transcription.sync")(transcribe)
transcribed.but("another sound", cause="media")(lambda url: transcribe(url, sound()[:-2] + b"\x01\x02"))
transcribed.but("another language", cause="part-count")(lambda url: transcribe(url, language="de"))
client.case("openai.transcription.async")(
    lambda url: asynchronous(url).audio.transcriptions.create(model="hear-x", file=("a.wav", sound(), "audio/wav"))
).but("another name", cause="file-name")(
    lambda url: asynchronous(url).audio.transcriptions.create(model="hear-x", file=("b.wav", sound(), "audio/wav"))
)
client.case("openai.transcription.sync.text")(lambda url: transcribe(url, response_format="text")).but("another form", cause="text")(
    lambda url: transcribe(url, response_format="json")
)
client.case("openai.transcription_stream.sync")(lambda url: [*transcribe(url, stream=True)]).but("another sound", cause="media")(
    lambda url: [*transcribe(url, sound()[:-2] + b"\x01\x02", stream=True)]
)
client.case("openai.speech.sync", settings={"media": "keep"})(
    lambda url: sync(url).audio.speech.create(model="say-x", voice="v", input="Hello.").read()
).but("another text", cause="text")(lambda url: sync(url).audio.speech.create(model="say-x", voice="v", input="Goodbye.").read())


def upload(url: str, data: Any = b"one\ntwo\n", name: str = "a.txt") -> Any:
    uploaded = sync(url).files.create(file=(name, data), purpose="user_data")
    return [uploaded, sync(url).files.retrieve(uploaded.id), sync(url).files.content(uploaded.id).read()]


uploaded = client.case("openai.files.sync")(upload)
uploaded.but("another line", cause="text")(lambda url: upload(url, b"one\nthree\n"))
uploaded.but("another file name", cause="file-name")(lambda url: upload(url, name="b.txt"))
client.case("openai.files.async")(lambda url: asynchronous(url).files.create(file=("a.txt", b"one"), purpose="user_data")).but(
    "another purpose", cause="text"
)(lambda url: asynchronous(url).files.create(file=("a.txt", b"one"), purpose="batch"))
client.case("openai.files.sync.unseekable")(lambda url: sync(url).files.create(file=("a.txt", Pipe(b"one two")), purpose="user_data")).but(
    "other bytes", cause="text"
)(lambda url: sync(url).files.create(file=("a.txt", Pipe(b"one six")), purpose="user_data"))


def upload_twice(url: str, data: bytes = b"one\ntwo\n") -> Any:
    """The same file object for two uploads: httpx2 rewinds it."""
    file = named(data)
    return [sync(url).files.create(file=file, purpose="user_data") for _ in range(2)]


client.case("openai.files.sync.twice")(upload_twice).but("other bytes", cause="text")(lambda url: upload_twice(url, b"one\nsix\n"))


# --- retries


def patient(url: str) -> OpenAI:
    return sync(url, max_retries=3)


def patient_httpx(url: str) -> OpenAI:
    return over_httpx(url, max_retries=3)


def patient_async(url: str) -> AsyncOpenAI:
    return asynchronous(url, max_retries=3)


def patient_aiohttp(url: str) -> AsyncOpenAI:
    return over_aiohttp(url, max_retries=3)


KINDS: dict[str, Any] = {"bytes": lambda data: ("a.png", data, "image/png"), "bytesio": named}
for status in (500, 429):
    for kind, made in KINDS.items():
        prompt = f"add a hat; fail twice with {status}"
        for way, connect in (("", patient), (".httpx", patient_httpx)):
            client.case(f"openai.image_edit.sync.retry_{status}.{kind}{way}")(
                lambda url, m=made, c=connect, p=prompt: edit(url, m(picture()), c, p)
            ).but("another pixel", cause="media")(lambda url, m=made, c=connect, p=prompt: edit(url, m(other_pixel()), c, p))
        for way, connect_async in (("", patient_async), (".aiohttp", patient_aiohttp)):
            client.case(f"openai.image_edit.async.retry_{status}.{kind}{way}")(
                lambda url, m=made, c=connect_async, p=prompt: edit_async(url, m(picture()), c, prompt=p)
            ).but("another pixel", cause="media")(
                lambda url, m=made, c=connect_async, p=prompt: edit_async(url, m(other_pixel()), c, prompt=p)
            )
    client.case(f"openai.chat.sync.retry_{status}")(
        lambda url, s=status: patient(url).chat.completions.create(
            model="gpt-x", messages=[{"role": "user", "content": f"fail twice with {s}"}]
        )
    ).but("another prompt", cause="text")(lambda url: patient(url).chat.completions.create(model="gpt-x", messages=HELLO))


def reopened(url: str, data: bytes) -> Any:
    """The SDK does not send again what it cannot rewind; whoever wants it sent again opens it again."""
    for _ in range(3):
        with contextlib.suppress(InternalServerError, RateLimitError):
            return patient(url).files.create(file=("a.txt", Pipe(data)), purpose="user_data")
    raise TimeoutError


def unseekable(url: str, data: bytes) -> Any:
    return patient(url).files.create(file=("a.txt", Pipe(data)), purpose="user_data")


async def unseekable_async(url: str, data: bytes, connect: Any) -> Any:
    async with connect(url) as api:
        return await api.files.create(file=("a.txt", Pipe(data)), purpose="user_data")


async def attempted_async(answer: Any) -> Any:
    try:
        return await answer
    except (InternalServerError, RateLimitError) as error:
        return error


for status in (500, 429):
    text = f"fail once with {status}".encode()
    client.case(f"openai.files.sync.retry_{status}.reopened")(lambda url, t=text: reopened(url, t)).but("other bytes", cause="text")(
        lambda url, t=text: reopened(url, b"two: " + t)
    )
    client.case(f"openai.files.sync.retry_{status}.unseekable", settings={"status": [status]})(
        lambda url, t=text: attempted(lambda: unseekable(url, b"sync: " + t), InternalServerError, RateLimitError)
    ).but("other bytes", cause="text")(lambda url, t=text: unseekable(url, b"two: " + t))
    for way, connect_async in (("", patient_async), (".aiohttp", patient_aiohttp)):
        client.case(f"openai.files.async.retry_{status}.unseekable{way}", settings={"status": [status]})(
            lambda url, t=text, c=connect_async: attempted_async(unseekable_async(url, b"async: " + t, c))
        ).but("other bytes", cause="text")(lambda url, t=text, c=connect_async: unseekable_async(url, b"two: " + t, c))


# --- what varies between two runs


@client.case("openai.chat.sync.uuid_prompt")
def chat_uuid(url: str) -> Any:
    return chat(url, f"hi {uuid.uuid4()} {time.time()}")


@chat_uuid.but("another word beside the uuid", cause="text")
def _(url: str) -> Any:
    return chat(url, f"bye {uuid.uuid4()} {time.time()}")


def chat_time(url: str, question: str = "Good?") -> Any:
    return chat(url, f"It is {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}. {question}")


client.case("openai.chat.sync.iso_time")(chat_time).but("another question", cause="text")(lambda url: chat_time(url, "Bad?"))


def chat_set(url: str, *more: str, ordered: bool = False) -> Any:
    """A set becomes an array in an order of its own, which a test that wants to replay has to fix, or to say that it does not count."""
    stop = {"alpha", "beta", "gamma", "delta", *more}
    return chat(url, stop=sorted(stop) if ordered else [*stop])


client.case("openai.chat.sync.set_order", settings={"ignore": ["stop"]})(chat_set).but("another prompt", cause="text")(
    lambda url: chat(url, "Say goodbye.", stop=["alpha", "beta", "gamma", "delta"])
)
client.case("openai.chat.sync.set_order.sorted")(lambda url: chat_set(url, ordered=True)).but("another member", cause="array-length")(
    lambda url: chat_set(url, "epsilon", ordered=True)
)


def chat_keys(url: str, **changed: Any) -> Any:
    keys = list(({"seed": 1, "user": "u", "temperature": 0.5, "metadata": {"a": "1", "b": "2"}} | changed).items())
    random.shuffle(keys)
    return chat(url, **dict(keys))


client.case("openai.chat.sync.key_order")(chat_keys).but("another value", cause="number")(lambda url: chat_keys(url, temperature=0.25))


# --- bodies that differ in what JSON libraries overlook


def raw(url: str, body: str, **more: str) -> Any:
    response = httpx.post(f"{url}/v1/chat/completions", content=body.encode(), headers={**JSON, **more})
    return [response.status_code, headers(response.headers.multi_items()), response.content]


def body(extra: str = "", text: str = "hi") -> str:
    return f'{{"model":"gpt-x","messages":[{{"role":"user","content":{json.dumps(text, ensure_ascii=False)}}}]{extra}}}'


numbers = client.case("openai.chat.sync.number")(lambda url: raw(url, body(',"seed":1')))
numbers.but("1.0 for 1", cause="number")(lambda url: raw(url, body(',"seed":1.0')))
numbers.but('"1" for 1', cause="type")(lambda url: raw(url, body(',"seed":"1"')))
numbers.but("true for 1", cause="type")(lambda url: raw(url, body(',"seed":true')))
numbers.but("missing", cause="removed-key")(lambda url: raw(url, body()))
numbers.but("a duplicate key", cause="duplicate-key")(lambda url: raw(url, body(',"seed":1,"seed":1')))
numbers.but("another type", cause="content-type")(lambda url: raw(url, body(',"seed":1'), **{"content-type": "text/plain"}))
numbers.but("another method", cause="method")(
    lambda url: httpx.put(f"{url}/v1/chat/completions", content=body(',"seed":1').encode(), headers=JSON).status_code
)
client.case("openai.chat.sync.big_int")(lambda url: raw(url, body(',"seed":9007199254740992'))).but("the next integer", cause="number")(
    lambda url: raw(url, body(',"seed":9007199254740993'))
)
client.case("openai.chat.sync.array")(lambda url: raw(url, body(',"stop":["a","b"]'))).but("array order", cause="array-order")(
    lambda url: raw(url, body(',"stop":["b","a"]'))
)
client.case("openai.chat.sync.null")(lambda url: raw(url, body(',"stop":null'))).but("missing", cause="null-or-missing")(
    lambda url: raw(url, body())
)
client.case("openai.chat.sync.unicode")(lambda url: raw(url, body(text="Zürich"))).but("decomposed", cause="unicode")(
    lambda url: raw(url, body(text="Zu\u0308rich"))
)


# --- many calls


def repeated(url: str, prompt: str = "Again.") -> Any:
    """Answered in recorded order, then the last one again: the second run asks twice more than was recorded."""
    answers = [chat(url, prompt) for _ in range(5 if REPLAYING else 3)]
    return [*answers[:3], answers[-1], answers[-2 if REPLAYING else -1]]


client.case("openai.chat.sync.repeated")(repeated).but("another prompt", cause="text")(lambda url: repeated(url, "Once more."))


# --- polling: until it is done, and in the second run once more


def attached(url: str, file: str = "file-1") -> Any:
    with sync(url) as api:
        files = api.vector_stores.files
        done = files.create_and_poll(file, vector_store_id="vs_1", poll_interval_ms=1)
        return files.poll(file, vector_store_id="vs_1", poll_interval_ms=1) if REPLAYING else done


client.case("openai.vector_store_files.sync.poll")(attached).but("another file", cause="text")(lambda url: attached(url, "file-2"))


async def attached_async(url: str, connect: Any, file: str = "file-3") -> Any:
    async with connect(url) as api:
        files = api.vector_stores.files
        done = await files.create_and_poll(file, vector_store_id="vs_1", poll_interval_ms=1)
        return await files.poll(file, vector_store_id="vs_1", poll_interval_ms=1) if REPLAYING else done


for way, connect in (("", asynchronous), (".aiohttp", over_aiohttp)):
    client.case(f"openai.vector_store_files.async.poll{way}")(lambda url, c=connect: attached_async(url, c)).but(
        "another file", cause="text"
    )(lambda url, c=connect: attached_async(url, c, "file-4"))


def attached_batch(url: str, data: bytes = b"one") -> Any:
    with sync(url) as api:
        batches = api.vector_stores.file_batches
        done = batches.upload_and_poll("vs_1", files=[("a.txt", data)], poll_interval_ms=1)
        return batches.poll(done.id, vector_store_id="vs_1", poll_interval_ms=1) if REPLAYING else done


client.case("openai.vector_store_batches.sync.upload_poll")(attached_batch).but("another file", cause="text")(
    lambda url: attached_batch(url, b"two")
)


def gathered(url: str, prompts: list[str], connect: Any = asynchronous) -> Any:
    async def run() -> Any:
        async with connect(url) as api:
            asked = [api.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": one}]) for one in prompts]
            return [one.choices[0].message.content for one in await asyncio.gather(*asked)]

    return run()


client.case("openai.chat.async.gather_50")(lambda url: gathered(url, [f"Number {one}." for one in range(50)])).but(
    "another prompt", cause="text"
)(lambda url: gathered(url, ["Number 50."]))


async def gathered_equal(url: str, prompt: str = "Equal.") -> Any:
    # Which of equal calls gets which answer is nobody's to say; that each gets one of its own is.
    answers: list[str] = await gathered(url, [prompt] * 50)
    return sorted(answers)


client.case("openai.chat.async.gather_50_equal")(gathered_equal).but("another prompt", cause="text")(
    lambda url: gathered_equal(url, "Unequal.")
)
client.case("openai.chat.async.gather_50.aiohttp")(lambda url: gathered(url, [f"Number {one}." for one in range(50)], over_aiohttp)).but(
    "another prompt", cause="text"
)(lambda url: gathered(url, ["Number 50."], over_aiohttp))


def threads(url: str, count: int = 24) -> Any:
    with sync(url) as api, concurrent.futures.ThreadPoolExecutor(8) as pool:

        def ask(number: int) -> Any:
            return api.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": f"Thread {number}."}])

        return [*pool.map(ask, range(count))]


client.case("openai.chat.sync.threads_8")(threads).but("one more", cause="text")(lambda url: threads(url, 25))


for coding in ("gzip", "deflate", "br", "zstd"):
    for decoded in (True, False):
        client.case(f"openai.chat.sync.{coding}{'' if decoded else '.kept'}", decode_compressed_response=decoded)(
            lambda url, c=coding: chat(url, extra_headers={"x-answer-encoding": c})
        ).but("another prompt", cause="text")(lambda url, c=coding: chat(url, "Say goodbye.", extra_headers={"x-answer-encoding": c}))
