"""The openai SDK: over httpx2 (its own), over a user's httpx client, over aiohttp."""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import io
import json
import random
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
from openai import AsyncOpenAI, DefaultAioHttpClient, OpenAI
from pydantic import BaseModel

from tests.clients.case import Client
from tests.clients.cases.pictures import other_pixel, picture, sized, sound
from tests.clients.seen import headers

client = Client("openai")

HELLO: list[Any] = [{"role": "user", "content": "Say hello."}]
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


def tool_round(url: str) -> Any:
    first = chat(url, tools=[WEATHER])
    call = first.choices[0].message.tool_calls[0]
    messages = [
        *HELLO,
        first.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "rain"},
    ]
    with sync(url) as api:
        return [first, api.chat.completions.create(model="gpt-x", messages=messages, tools=[WEATHER])]


client.case("openai.chat_tools.sync.round")(tool_round)


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


async def stream_async(url: str, connect: Any = asynchronous) -> Any:
    async with connect(url) as api:
        return [chunk async for chunk in await api.chat.completions.create(model="gpt-x", messages=HELLO, stream=True)]


client.case("openai.chat_stream.async")(stream_async)
client.case("openai.chat_stream.async.aiohttp")(lambda url: stream_async(url, over_aiohttp))


@client.case("openai.chat_stream.sync.helper")
def stream_helper(url: str) -> Any:
    with sync(url) as api, api.chat.completions.stream(model="gpt-x", messages=HELLO) as events:
        kinds = [event.type for event in events]
        return [kinds, events.get_final_completion()]


@client.case("openai.chat_stream.sync.raw_chunks")
def stream_raw(url: str) -> Any:
    with sync(url) as api:
        raw = api.chat.completions.with_streaming_response.create(model="gpt-x", messages=HELLO, stream=True)
        with raw as response:
            return [*response.iter_bytes()]


# --- responses, embeddings, models

respond = client.case("openai.responses.sync")(lambda url: sync(url).responses.create(model="gpt-x", input="Say hello."))
respond.but("another input", cause="text")(lambda url: sync(url).responses.create(model="gpt-x", input="Say goodbye."))
respond.but("instructions", cause="added-key")(
    lambda url: sync(url).responses.create(model="gpt-x", input="Say hello.", instructions="Be brief.")
)
client.case("openai.responses.async")(lambda url: asynchronous(url).responses.create(model="gpt-x", input="Say hello."))
client.case("openai.responses_stream.sync")(lambda url: [*sync(url).responses.create(model="gpt-x", input="Say hello.", stream=True)])


@client.case("openai.responses_stream.sync.helper")
def respond_helper(url: str) -> Any:
    with sync(url) as api, api.responses.stream(model="gpt-x", input="Say hello.") as events:
        return [[event.type for event in events], events.get_final_response().output_text]


def embed(url: str, **more: Any) -> Any:
    return sync(url).embeddings.create(**{"model": "emb-x", "input": ["one", "two"], **more})


embedded = client.case("openai.embeddings.sync")(embed)
embedded.but("array order", cause="array-order")(lambda url: embed(url, input=["two", "one"]))
embedded.but("one more", cause="array-length")(lambda url: embed(url, input=["one", "two", "three"]))
embedded.but("another encoding", cause="text")(lambda url: embed(url, encoding_format="float"))
client.case("openai.embeddings.async")(lambda url: asynchronous(url).embeddings.create(model="emb-x", input="one"))
client.case("openai.models.sync")(lambda url: [one.id for one in sync(url).models.list()])


# --- images

client.case("openai.image_generate.sync")(lambda url: sync(url).images.generate(model="gpt-image-x", prompt="a hat", size="16x16")).but(
    "another size", cause="text"
)(lambda url: sync(url).images.generate(model="gpt-image-x", prompt="a hat", size="16x32"))  # type: ignore[call-overload]
client.case("openai.image_generate.async")(
    lambda url: asynchronous(url).images.generate(model="gpt-image-x", prompt="a hat", size="16x16")  # type: ignore[call-overload]
)

client.case("openai.image_generate.sync.kept", settings={"media": "keep"})(
    lambda url: sync(url).images.generate(model="gpt-image-x", prompt="a hat", size="1024x1024")
)

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
client.case("openai.image_edit.async.bytesio")(lambda url: edit_async(url, named(picture())))
client.case("openai.image_edit.sync.200kb")(lambda url: edit(url, ("a.png", sized(200_000), "image/png"))).but(
    "another image", cause="media"
)(lambda url: edit(url, ("a.png", sized(200_000, 1), "image/png")))
client.case("openai.image_edit.async.200kb")(lambda url: edit_async(url, ("a.png", sized(200_000), "image/png")))


@client.case("openai.image_edit.sync.file")
def edit_file(url: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        path.write_bytes(picture())
        with path.open("rb") as file:
            return edit(url, file)


@client.case("openai.image_edit.sync.path")
def edit_path(url: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        path.write_bytes(picture())
        return edit(url, path)


@client.case("openai.image_edit.sync.tmpfile", settings={"mask": [r'filename="tmp[0-9a-z_]{8}\.png"']})
def edit_temporary(url: str) -> Any:
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(picture())
        file.seek(0)
        return edit(url, (Path(file.name).name, file, "image/png"))


@client.case("openai.image_edit.sync.bytesio_seq")
def edit_three(url: str) -> Any:
    """Three edits, the third of the same image as the first."""
    return [edit(url, named(picture(seed))) for seed in (1, 2, 1)]


# --- audio and files


def transcribe(url: str, data: bytes = b"", **more: Any) -> Any:
    return sync(url).audio.transcriptions.create(**{"model": "hear-x", "file": ("a.wav", data or sound(), "audio/wav"), **more})


transcribed = client.case("openai.transcription.sync")(transcribe)
transcribed.but("another sound", cause="media")(lambda url: transcribe(url, sound()[:-2] + b"\x01\x02"))
transcribed.but("another language", cause="part-count")(lambda url: transcribe(url, language="de"))
client.case("openai.transcription.async")(
    lambda url: asynchronous(url).audio.transcriptions.create(model="hear-x", file=("a.wav", sound(), "audio/wav"))
)
client.case("openai.transcription.sync.text")(lambda url: transcribe(url, response_format="text"))
client.case("openai.transcription_stream.sync")(lambda url: [*transcribe(url, stream=True)])
client.case("openai.speech.sync", settings={"media": "keep"})(
    lambda url: sync(url).audio.speech.create(model="say-x", voice="v", input="Hello.").read()
).but("another text", cause="text")(lambda url: sync(url).audio.speech.create(model="say-x", voice="v", input="Goodbye.").read())


def upload(url: str, data: Any = b"one\ntwo\n", name: str = "a.txt") -> Any:
    uploaded = sync(url).files.create(file=(name, data), purpose="user_data")
    return [uploaded, sync(url).files.retrieve(uploaded.id), sync(url).files.content(uploaded.id).read()]


uploaded = client.case("openai.files.sync")(upload)
uploaded.but("another line", cause="text")(lambda url: upload(url, b"one\nthree\n"))
uploaded.but("another file name", cause="file-name")(lambda url: upload(url, name="b.txt"))
client.case("openai.files.async")(lambda url: asynchronous(url).files.create(file=("a.txt", b"one"), purpose="user_data"))


@client.case("openai.files.sync.generator")
def upload_generator(url: str) -> Any:
    """A file that can be read once and never put back."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.left = [b"one", b"two", b""]

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return False

        def read(self, size: int = -1) -> bytes:
            return self.left.pop(0) if size >= 0 else b"".join(self.left)

    return sync(url).files.create(file=("a.txt", Pipe()), purpose="user_data")


@client.case("openai.files.sync.twice")
def upload_twice(url: str) -> Any:
    """The same file object for two uploads: the SDK rewinds it."""
    file = named(b"one\ntwo\n")
    first = sync(url).files.create(file=file, purpose="user_data")
    file.seek(0)
    return [first, sync(url).files.create(file=file, purpose="user_data")]


# --- retries


def patient(url: str, **options: Any) -> OpenAI:
    return sync(url, max_retries=3, **options)


def failing(url: str, how: str, image: Any) -> Any:
    return patient(url).images.edit(model="gpt-image-x", prompt=f"add a hat; fail {how}", image=image, size="16x16")  # type: ignore[call-overload]


for status in (500, 429):
    client.case(f"openai.image_edit.sync.retry_{status}.bytes")(lambda url, s=status: failing(url, f"once with {s}", png()))
    client.case(f"openai.image_edit.sync.retry_{status}.bytesio")(lambda url, s=status: failing(url, f"twice with {s}", named(picture())))
    client.case(f"openai.chat.sync.retry_{status}")(
        lambda url, s=status: patient(url).chat.completions.create(
            model="gpt-x", messages=[{"role": "user", "content": f"fail twice with {s}"}]
        )
    )

client.case("openai.image_edit.async.retry_500.bytesio")(
    lambda url: asynchronous(url, max_retries=3).images.edit(
        model="gpt-image-x",
        prompt="a hat; fail once with 500",
        image=named(picture()),
        size="16x16",  # type: ignore[call-overload]
    )
)
client.case("openai.image_edit.async.retry_500.aiohttp")(
    lambda url: AsyncOpenAI(base_url=f"{url}/v1", max_retries=3, http_client=DefaultAioHttpClient()).images.edit(
        model="gpt-image-x",
        prompt="a hat; fail once with 500",
        image=named(picture()),
        size="16x16",  # type: ignore[call-overload]
    )
)


# --- what varies between two runs


@client.case("openai.chat.sync.uuid_prompt")
def chat_uuid(url: str) -> Any:
    return chat(url, f"hi {uuid.uuid4()} {time.time()}")


@chat_uuid.but("another word beside the uuid", cause="text")
def _(url: str) -> Any:
    return chat(url, f"bye {uuid.uuid4()} {time.time()}")


@client.case("openai.chat.sync.iso_time")
def chat_time(url: str) -> Any:
    return chat(url, f"It is {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}. Good?")


@client.case("openai.chat.sync.set_order", settings={"ignore": ["stop"]})
def chat_set(url: str) -> Any:
    """A set becomes an array in an order of its own; an array's order counts, so the user says that this one's does not."""
    return chat(url, stop=list({"alpha", "beta", "gamma", "delta"}))


@client.case("openai.chat.sync.key_order")
def chat_keys(url: str) -> Any:
    keys: list[tuple[str, Any]] = [("seed", 1), ("user", "u"), ("temperature", 0.5), ("metadata", {"a": "1", "b": "2"})]
    random.shuffle(keys)
    return chat(url, **dict(keys))


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


@client.case("openai.chat.sync.repeated")
def repeated(url: str) -> Any:
    """Recorded in order, and the last one again where a run asks once more: here, as often as recorded."""
    return [chat(url, "Again.") for _ in range(3)]


def gathered(url: str, prompts: list[str], connect: Any = asynchronous) -> Any:
    async def run() -> Any:
        async with connect(url) as api:
            asked = [api.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": one}]) for one in prompts]
            return [one.choices[0].message.content for one in await asyncio.gather(*asked)]

    return run()


client.case("openai.chat.async.gather_50")(lambda url: gathered(url, [f"Number {one}." for one in range(50)])).but(
    "another prompt", cause="text"
)(lambda url: gathered(url, ["Number 50."]))


async def gathered_equal(url: str) -> Any:
    # Which of equal calls gets which answer is nobody's to say; that each gets one of its own is.
    answers: list[str] = await gathered(url, ["Equal."] * 50)
    return sorted(answers)


client.case("openai.chat.async.gather_50_equal")(gathered_equal)
client.case("openai.chat.async.gather_50.aiohttp")(lambda url: gathered(url, [f"Number {one}." for one in range(50)], over_aiohttp))


@client.case("openai.chat.sync.threads_8")
def threads(url: str) -> Any:
    with sync(url) as api, concurrent.futures.ThreadPoolExecutor(8) as pool:

        def ask(number: int) -> Any:
            return api.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": f"Thread {number}."}])

        return [*pool.map(ask, range(24))]


for coding in ("gzip", "deflate", "br", "zstd"):
    for decoded in (True, False):
        client.case(f"openai.chat.sync.{coding}{'' if decoded else '.kept'}", decode_compressed_response=decoded)(
            lambda url, c=coding: chat(url, extra_headers={"x-answer-encoding": c})
        )
