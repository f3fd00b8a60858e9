"""The anthropic SDK."""

from __future__ import annotations

import asyncio
import base64
import io
from typing import Any

from anthropic import Anthropic, APIStatusError, AsyncAnthropic, DefaultAioHttpClient

from tests.clients.case import REPLAYING, Client
from tests.clients.cases.pictures import other_pixel, picture, sized
from tests.clients.cases.pipe import Pipe
from tests.clients.seen import attempted

client = Client("anthropic")

HELLO: Any = {"model": "claude-x", "max_tokens": 64, "messages": [{"role": "user", "content": "Say hello."}]}
GOODBYE: Any = {**HELLO, "messages": [{"role": "user", "content": "Say goodbye."}]}
WEATHER: Any = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


def sync(url: str, **options: Any) -> Anthropic:
    return Anthropic(**{"base_url": url, "max_retries": 0, **options})


def asynchronous(url: str, **options: Any) -> AsyncAnthropic:
    return AsyncAnthropic(**{"base_url": url, "max_retries": 0, **options})


def over_aiohttp(url: str) -> AsyncAnthropic:
    return asynchronous(url, http_client=DefaultAioHttpClient())


def message(url: str, **more: Any) -> Any:
    return sync(url).messages.create(**{**HELLO, **more})


plain = client.case("anthropic.messages.sync")(message)
plain.but("another prompt", cause="text")(lambda url: message(url, **GOODBYE))
plain.but("another model", cause="model")(lambda url: message(url, model="claude-y"))
plain.but("streamed", cause="stream")(lambda url: [*message(url, stream=True)])
plain.but("a system prompt", cause="added-key")(lambda url: message(url, system="Be brief."))
plain.but("another key", cause="credential")(lambda url: sync(url, api_key="sk-ant-another").messages.create(**HELLO))
plain.but("counted", cause="url")(lambda url: sync(url).messages.count_tokens(model="claude-x", messages=HELLO["messages"]))

client.case("anthropic.messages.async")(lambda url: asynchronous(url).messages.create(**HELLO)).but("another prompt", cause="text")(
    lambda url: asynchronous(url).messages.create(**GOODBYE)
)
client.case("anthropic.messages.async.aiohttp")(lambda url: over_aiohttp(url).messages.create(**HELLO)).but("another prompt", cause="text")(
    lambda url: over_aiohttp(url).messages.create(**GOODBYE)
)
client.case("anthropic.count_tokens.sync")(lambda url: sync(url).messages.count_tokens(model="claude-x", messages=HELLO["messages"])).but(
    "another prompt", cause="text"
)(lambda url: sync(url).messages.count_tokens(model="claude-x", messages=GOODBYE["messages"]))

client.case("anthropic.messages_tools.sync")(lambda url: message(url, tools=[WEATHER])).but("another schema", cause="tools")(
    lambda url: message(url, tools=[{**WEATHER, "input_schema": {"type": "object", "properties": {"town": {"type": "string"}}}}])
)
client.case("anthropic.messages_tools.async")(lambda url: asynchronous(url).messages.create(**HELLO, tools=[WEATHER])).but(
    "a forced tool", cause="tools"
)(lambda url: asynchronous(url).messages.create(**HELLO, tools=[WEATHER], tool_choice={"type": "any"}))


def see(url: str, image: bytes) -> Any:
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(image).decode()}
    return message(url, messages=[{"role": "user", "content": [{"type": "image", "source": source}, {"type": "text", "text": "What?"}]}])


client.case("anthropic.messages_image.sync")(lambda url: see(url, picture())).but("another pixel", cause="media")(
    lambda url: see(url, other_pixel())
)
client.case("anthropic.messages_image.sync.200kb")(lambda url: see(url, sized(200_000))).but("another image", cause="media")(
    lambda url: see(url, sized(200_000, 1))
)

client.case("anthropic.messages_stream.sync")(lambda url: [*message(url, stream=True)]).but("not streamed", cause="stream")(message)


def helper(url: str, asked: Any = HELLO) -> Any:
    with sync(url).messages.stream(**asked) as stream:
        return [[*stream.text_stream], stream.get_final_message()]


client.case("anthropic.messages_stream.sync.helper")(helper).but("another prompt", cause="text")(lambda url: helper(url, GOODBYE))


async def stream_async(url: str, connect: Any, asked: Any = HELLO) -> Any:
    return [event async for event in await connect(url).messages.create(**asked, stream=True)]


for way, connect in (("", asynchronous), (".aiohttp", over_aiohttp)):
    client.case(f"anthropic.messages_stream.async{way}")(lambda url, c=connect: stream_async(url, c)).but("another prompt", cause="text")(
        lambda url, c=connect: stream_async(url, c, GOODBYE)
    )


async def helper_async(url: str, asked: Any = HELLO) -> Any:
    async with asynchronous(url).messages.stream(**asked) as stream:
        return [[text async for text in stream.text_stream], await stream.get_final_message()]


client.case("anthropic.messages_stream.async.helper")(helper_async).but("another prompt", cause="text")(
    lambda url: helper_async(url, GOODBYE)
)


def upload(url: str, data: bytes = b"one", name: str = "a.txt") -> Any:
    return sync(url).beta.files.upload(file=(name, data, "text/plain"))


uploaded = client.case("anthropic.files.sync")(upload)
uploaded.but("other bytes", cause="text")(lambda url: upload(url, b"two"))
uploaded.but("another name", cause="file-name")(lambda url: upload(url, name="b.txt"))
client.case("anthropic.files.async")(lambda url: asynchronous(url).beta.files.upload(file=("a.txt", b"one", "text/plain"))).but(
    "another type", cause="part-header"
)(lambda url: asynchronous(url).beta.files.upload(file=("a.txt", b"one", "text/csv")))


def patient(url: str, file: Any) -> Any:
    return sync(url, max_retries=3).beta.files.upload(file=("a.txt", file, "text/plain"))


for status in (500, 429, 529):
    client.case(f"anthropic.messages.sync.retry_{status}")(
        lambda url, s=status: sync(url, max_retries=3).messages.create(
            **{**HELLO, "messages": [{"role": "user", "content": f"fail twice with {s}"}]}
        )
    ).but("another prompt", cause="text")(lambda url: sync(url, max_retries=3).messages.create(**HELLO))

for status in (500, 429):
    for kind, made in (("bytes", bytes), ("bytesio", io.BytesIO)):
        failing = f"{kind}: fail twice with {status}".encode()
        client.case(f"anthropic.files.sync.retry_{status}.{kind}")(lambda url, m=made, d=failing: patient(url, m(d))).but(
            "other bytes", cause="text"
        )(lambda url, m=made, d=failing: patient(url, m(b"two: " + d)))
    # The SDK sends what is left of it, which is nothing, and the provider says so.
    client.case(f"anthropic.files.sync.retry_{status}.unseekable", settings={"status": [status, 400]})(
        lambda url, s=status: attempted(lambda: patient(url, Pipe(f"pipe: fail once with {s}".encode())), APIStatusError)
    ).but("other bytes", cause="text")(lambda url, s=status: patient(url, Pipe(f"two: fail once with {s}".encode())))


def batch(url: str, prompt: str = "Say hello.") -> Any:
    """Until it has ended; the second run asks once more."""
    api = sync(url).messages.batches
    params: Any = {**HELLO, "messages": [{"role": "user", "content": prompt}]}
    made = api.create(requests=[{"custom_id": "1", "params": params}])
    asked = 0
    while made.processing_status != "ended" and asked < 10:
        made, asked = api.retrieve(made.id), asked + 1
    return api.retrieve(made.id) if REPLAYING else made


client.case("anthropic.batches.sync.poll")(batch).but("another prompt", cause="text")(lambda url: batch(url, "Say goodbye."))


async def gathered(url: str, asked: Any = HELLO) -> Any:
    async with asynchronous(url) as api:
        answers = await asyncio.gather(*(api.messages.create(**asked) for _ in range(50)))
    # Which of equal calls gets which answer is nobody's to say; that each gets one of its own is.
    return sorted(one.id for one in answers)


client.case("anthropic.messages.async.gather_50_equal")(gathered).but("another prompt", cause="text")(lambda url: gathered(url, GOODBYE))
