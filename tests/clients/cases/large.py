"""Uploads of 5 MB, over every transport."""

from __future__ import annotations

import base64
import io
from typing import Any

import aiohttp
import boto3
import httpx
import requests
from anthropic import Anthropic
from openai import AsyncOpenAI, DefaultAioHttpClient, OpenAI

from tests.clients.case import Client
from tests.clients.cases.pictures import sized

client = Client("large")

FIVE = 5_000_000


def image(seed: int = 0) -> tuple[str, bytes, str]:
    return "a.png", sized(FIVE, seed), "image/png"


def edit(url: str, seed: int = 0, **options: Any) -> Any:
    api = OpenAI(base_url=f"{url}/v1", max_retries=0, **options)
    return api.images.edit(model="gpt-image-x", prompt="a hat", image=image(seed), size="16x16")  # type: ignore[call-overload]


client.case("openai.image_edit.sync.5mb")(edit).but("another image", cause="media")(lambda url: edit(url, 1))
client.case("openai.image_edit.sync.5mb.httpx")(lambda url: edit(url, http_client=httpx.Client())).but("another image", cause="media")(
    lambda url: edit(url, 1, http_client=httpx.Client())
)


async def edit_over_aiohttp(url: str, seed: int = 0) -> Any:
    async with AsyncOpenAI(base_url=f"{url}/v1", max_retries=0, http_client=DefaultAioHttpClient()) as api:
        return await api.images.edit(model="gpt-image-x", prompt="a hat", image=image(seed), size="16x16")  # type: ignore[call-overload]


client.case("openai.image_edit.async.5mb.aiohttp")(edit_over_aiohttp).but("another image", cause="media")(
    lambda url: edit_over_aiohttp(url, 1)
)


def see(url: str, seed: int = 0) -> Any:
    data = base64.b64encode(sized(FIVE, seed)).decode()
    source: Any = {"type": "base64", "media_type": "image/png", "data": data}
    content: Any = [{"type": "image", "source": source}]
    return Anthropic(base_url=url, max_retries=0).messages.create(
        model="claude-x", max_tokens=8, messages=[{"role": "user", "content": content}]
    )


client.case("anthropic.messages_image.sync.5mb")(see).but("another image", cause="media")(lambda url: see(url, 1))


def converse(url: str, seed: int = 0) -> Any:
    content = [{"image": {"format": "png", "source": {"bytes": sized(FIVE, seed)}}}]
    response = boto3.client("bedrock-runtime", endpoint_url=url).converse(modelId="m", messages=[{"role": "user", "content": content}])
    return response["output"]


client.case("boto3.converse_image.sync.5mb")(converse).but("another image", cause="media")(lambda url: converse(url, 1))


def post(url: str, seed: int = 0) -> Any:
    return requests.post(f"{url}/plain/echo", files={"file": image(seed)}, timeout=60).json()


client.case("requests.multipart.sync.5mb")(post).but("another image", cause="media")(lambda url: post(url, 1))


def post_file(url: str, seed: int = 0) -> Any:
    return requests.post(f"{url}/plain/echo", data=io.BytesIO(sized(FIVE, seed)), timeout=60).json()


client.case("requests.file.sync.5mb")(post_file).but("another image", cause="media")(lambda url: post_file(url, 1))


async def form(url: str, seed: int = 0) -> Any:
    made = aiohttp.FormData()
    made.add_field("file", io.BytesIO(sized(FIVE, seed)), filename="a.png", content_type="image/png")
    async with aiohttp.ClientSession() as api, api.post(f"{url}/plain/echo", data=made) as response:
        return await response.json()


client.case("aiohttp.formdata.async.5mb")(form).but("another image", cause="media")(lambda url: form(url, 1))
