"""litellm: its aiohttp transport and its sync one, eight providers behind it, the Router with retries."""

from __future__ import annotations

import io
from typing import Any

import litellm

from tests.clients.case import Client
from tests.clients.cases.pictures import other_pixel, picture, sound
from tests.clients.cases.pipe import Pipe
from tests.clients.seen import attempted

litellm.telemetry = False
litellm.suppress_debug_info = True

client = Client("litellm")

HELLO: Any = [{"role": "user", "content": "Say hello."}]
GOODBYE: Any = [{"role": "user", "content": "Say goodbye."}]


def to(url: str, provider: str) -> dict[str, Any]:
    """Where a provider's calls go, and by which model."""
    known: dict[str, dict[str, Any]] = {
        "openai": {"model": "openai/gpt-x", "api_base": f"{url}/v1"},
        "anthropic": {"model": "anthropic/claude-x", "api_base": url, "max_tokens": 64},
        "gemini": {"model": "gemini/gemini-x", "api_base": f"{url}/v1beta"},
        "mistral": {"model": "mistral/mistral-x", "api_base": f"{url}/v1"},
        "groq": {"model": "groq/llama-x", "api_base": f"{url}/openai/v1"},
        "bedrock": {"model": "bedrock/converse/anthropic.claude-x", "aws_bedrock_runtime_endpoint": url},
    }
    return known[provider]


def answer(response: Any) -> Any:
    """What a caller sees; litellm makes up the time, and an id where the provider gives none."""
    dumped = response.model_dump(mode="json")
    return {name: value for name, value in dumped.items() if name not in ("id", "created")}


def complete(url: str, provider: str, messages: Any = HELLO, **more: Any) -> Any:
    return answer(litellm.completion(**{**to(url, provider), "messages": messages, "num_retries": 0, "max_retries": 0, **more}))


async def complete_async(url: str, provider: str, messages: Any = HELLO, **more: Any) -> Any:
    return answer(await litellm.acompletion(**{**to(url, provider), "messages": messages, "num_retries": 0, "max_retries": 0, **more}))


for provider in ("openai", "anthropic", "gemini", "mistral", "groq", "bedrock"):
    client.case(f"litellm.completion_{provider}.sync")(lambda url, p=provider: complete(url, p)).but("another prompt", cause="text")(
        lambda url, p=provider: complete(url, p, GOODBYE)
    )
    client.case(f"litellm.completion_{provider}.async")(lambda url, p=provider: complete_async(url, p)).but("another prompt", cause="text")(
        lambda url, p=provider: complete_async(url, p, GOODBYE)
    )

client.case("litellm.completion_openai.sync.another_model")(lambda url: complete(url, "openai")).but("another model", cause="model")(
    lambda url: complete(url, "openai", model="openai/gpt-y")
)
client.case("litellm.completion_anthropic.sync.another_key")(lambda url: complete(url, "anthropic")).but("another key", cause="credential")(
    lambda url: complete(url, "anthropic", api_key="sk-ant-another")
)


def stream(url: str, provider: str, messages: Any = HELLO) -> Any:
    chunks = litellm.completion(**to(url, provider), messages=messages, stream=True, num_retries=0)
    return [chunk.choices[0].delta.content for chunk in chunks]


async def stream_async(url: str, provider: str, messages: Any = HELLO) -> Any:
    chunks = await litellm.acompletion(**to(url, provider), messages=messages, stream=True, num_retries=0)
    return [chunk.choices[0].delta.content async for chunk in chunks]


for provider in ("openai", "anthropic", "bedrock"):
    client.case(f"litellm.completion_stream_{provider}.sync")(lambda url, p=provider: stream(url, p)).but("another prompt", cause="text")(
        lambda url, p=provider: stream(url, p, GOODBYE)
    )
    client.case(f"litellm.completion_stream_{provider}.async")(lambda url, p=provider: stream_async(url, p)).but(
        "another prompt", cause="text"
    )(lambda url, p=provider: stream_async(url, p, GOODBYE))


def named(data: bytes) -> io.BytesIO:
    file = io.BytesIO(data)
    file.name = "a.png"
    return file


def edit(url: str, image: Any) -> Any:
    made = litellm.image_edit(model="openai/gpt-image-x", prompt="a hat", image=image, size="16x16", api_base=f"{url}/v1", num_retries=0)
    return made.model_dump(mode="json")  # type: ignore[union-attr]


async def edit_async(url: str, image: Any) -> Any:
    made = await litellm.aimage_edit(
        model="openai/gpt-image-x", prompt="a hat", image=image, size="16x16", api_base=f"{url}/v1", num_retries=0
    )
    return made.model_dump(mode="json")


client.case("litellm.image_edit.sync.bytes")(lambda url: edit(url, picture())).but("another pixel", cause="media")(
    lambda url: edit(url, other_pixel())
)
client.case("litellm.image_edit.sync.bytesio")(lambda url: edit(url, named(picture()))).but("another pixel", cause="media")(
    lambda url: edit(url, named(other_pixel()))
)
client.case("litellm.image_edit.async.bytes")(lambda url: edit_async(url, picture())).but("another pixel", cause="media")(
    lambda url: edit_async(url, other_pixel())
)
client.case("litellm.image_edit.async.bytesio")(lambda url: edit_async(url, named(picture()))).but("another pixel", cause="media")(
    lambda url: edit_async(url, named(other_pixel()))
)
client.case("litellm.image_edit.async.two_images")(lambda url: edit_async(url, [picture(1), picture(2)])).but(
    "swapped", cause="part-order"
)(lambda url: edit_async(url, [picture(2), picture(1)]))


def hear(url: str, data: bytes) -> Any:
    return answer(litellm.transcription(model="openai/hear-x", file=("a.wav", data, "audio/wav"), api_base=f"{url}/v1", max_retries=0))


async def hear_async(url: str, data: bytes) -> Any:
    return answer(
        await litellm.atranscription(model="openai/hear-x", file=("a.wav", data, "audio/wav"), api_base=f"{url}/v1", max_retries=0)
    )


client.case("litellm.transcription.sync")(lambda url: hear(url, sound())).but("another sound", cause="media")(
    lambda url: hear(url, sound()[:-2] + b"\x01\x02")
)
client.case("litellm.transcription.async")(lambda url: hear_async(url, sound())).but("another sound", cause="media")(
    lambda url: hear_async(url, sound()[:-2] + b"\x01\x02")
)


def embed(url: str, texts: list[str]) -> Any:
    return answer(litellm.embedding(model="openai/emb-x", input=texts, api_base=f"{url}/v1", max_retries=0))


client.case("litellm.embedding.sync")(lambda url: embed(url, ["one", "two"])).but("array order", cause="array-order")(
    lambda url: embed(url, ["two", "one"])
)


def respond(url: str, text: str) -> Any:
    return answer(litellm.responses(model="openai/gpt-x", input=text, api_base=f"{url}/v1", num_retries=0))


client.case("litellm.responses.sync")(lambda url: respond(url, "Say hello.")).but("another input", cause="text")(
    lambda url: respond(url, "Say goodbye.")
)


def router(url: str) -> litellm.Router:
    deployments = [{"model_name": "any", "litellm_params": {"model": "openai/gpt-x", "api_base": f"{url}/v1"}}]
    return litellm.Router(model_list=deployments, num_retries=3, retry_after=0)


async def router_async(url: str, messages: Any) -> Any:
    return answer(await router(url).acompletion(model="any", messages=messages))


for status in (500, 429):
    failing: Any = [{"role": "user", "content": f"fail twice with {status}"}]
    client.case(f"litellm.router.sync.retry_{status}")(lambda url, f=failing: answer(router(url).completion(model="any", messages=f))).but(
        "another prompt", cause="text"
    )(lambda url: answer(router(url).completion(model="any", messages=GOODBYE)))
    client.case(f"litellm.router.async.retry_{status}")(lambda url, f=failing: router_async(url, f)).but("another prompt", cause="text")(
        lambda url: router_async(url, GOODBYE)
    )


def put(url: str, file: Any) -> Any:
    made = litellm.create_file(file=("a.jsonl", file), purpose="batch", custom_llm_provider="openai", api_base=f"{url}/v1", max_retries=3)
    return made.model_dump(mode="json")  # type: ignore[union-attr]


for status in (500, 429):
    for kind, made in (("bytes", bytes), ("bytesio", io.BytesIO)):
        data = f"{kind}: fail once with {status}".encode()
        client.case(f"litellm.files.sync.retry_{status}.{kind}")(lambda url, m=made, d=data: put(url, m(d))).but(
            "other bytes", cause="text"
        )(lambda url, m=made, d=data: put(url, m(b"two: " + d)))
    # The openai SDK below it does not send again what it cannot rewind.
    client.case(f"litellm.files.sync.retry_{status}.unseekable", settings={"status": [status]})(
        lambda url, s=status: attempted(lambda: put(url, Pipe(f"pipe: fail once with {s}".encode())), Exception)
    ).but("other bytes", cause="text")(lambda url, s=status: put(url, Pipe(f"two: fail once with {s}".encode())))
