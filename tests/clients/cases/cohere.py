"""The cohere SDK."""

from __future__ import annotations

from typing import Any

from cohere import AsyncClientV2, ClientV2

from tests.clients.case import Client

client = Client("cohere")

HELLO: Any = {"model": "command-x", "messages": [{"role": "user", "content": "Say hello."}]}
GOODBYE: Any = {**HELLO, "messages": [{"role": "user", "content": "Say goodbye."}]}


def sync(url: str, **options: Any) -> ClientV2:
    return ClientV2(**{"base_url": url, "max_retries": 0, **options})


def chat(url: str, **more: Any) -> Any:
    return sync(url).chat(**{**HELLO, **more})


def embed(url: str, texts: list[str]) -> Any:
    return sync(url).embed(model="embed-x", texts=texts, input_type="search_query", embedding_types=["float"])


plain = client.case("cohere.chat.sync")(chat)
plain.but("another prompt", cause="text")(lambda url: chat(url, **GOODBYE))
plain.but("another model", cause="model")(lambda url: chat(url, model="command-y"))
plain.but("another key", cause="credential")(lambda url: sync(url, api_key="another").chat(**HELLO))
plain.but("streamed", cause="stream")(lambda url: [*sync(url).chat_stream(**HELLO)])
client.case("cohere.chat.async")(lambda url: AsyncClientV2(base_url=url, max_retries=0).chat(**HELLO))
client.case("cohere.chat_stream.sync")(lambda url: [*sync(url).chat_stream(**HELLO)])


@client.case("cohere.chat_stream.async")
async def stream_async(url: str) -> Any:
    return [event async for event in AsyncClientV2(base_url=url, max_retries=0).chat_stream(**HELLO)]


client.case("cohere.embed.sync")(lambda url: embed(url, ["one", "two"])).but("array order", cause="array-order")(
    lambda url: embed(url, ["two", "one"])
)


def rerank(url: str, query: str) -> Any:
    return sync(url).rerank(model="rerank-x", query=query, documents=["one", "two"])


client.case("cohere.rerank.sync")(lambda url: rerank(url, "first")).but("another query", cause="text")(lambda url: rerank(url, "last"))
