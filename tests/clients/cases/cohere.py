"""The cohere SDK."""

from __future__ import annotations

import io
from typing import Any

from cohere import AsyncClientV2, ClientV2
from cohere import Client as ClientV1
from cohere.core.api_error import ApiError

from tests.clients.case import Client
from tests.clients.cases.pipe import Pipe
from tests.clients.seen import attempted

client = Client("cohere")

HELLO: Any = {"model": "command-x", "messages": [{"role": "user", "content": "Say hello."}]}
GOODBYE: Any = {**HELLO, "messages": [{"role": "user", "content": "Say goodbye."}]}


def sync(url: str, **options: Any) -> ClientV2:
    return ClientV2(**{"base_url": url, "max_retries": 0, **options})


def chat(url: str, **more: Any) -> Any:
    return sync(url).chat(**{**HELLO, **more})


def chat_patiently(url: str, prompt: str) -> Any:
    return sync(url, max_retries=3).chat(model="command-x", messages=[{"role": "user", "content": prompt}])


def embed(url: str, texts: list[str]) -> Any:
    return sync(url).embed(model="embed-x", texts=texts, input_type="search_query", embedding_types=["float"])


plain = client.case("cohere.chat.sync")(chat)
plain.but("another prompt", cause="text")(lambda url: chat(url, **GOODBYE))
plain.but("another model", cause="model")(lambda url: chat(url, model="command-y"))
plain.but("another key", cause="credential")(lambda url: sync(url, api_key="another").chat(**HELLO))
plain.but("streamed", cause="stream")(lambda url: [*sync(url).chat_stream(**HELLO)])
client.case("cohere.chat.async")(lambda url: AsyncClientV2(base_url=url, max_retries=0).chat(**HELLO)).but("another prompt", cause="text")(
    lambda url: AsyncClientV2(base_url=url, max_retries=0).chat(**GOODBYE)
)
client.case("cohere.chat_stream.sync")(lambda url: [*sync(url).chat_stream(**HELLO)]).but("not streamed", cause="stream")(chat)


async def stream_async(url: str, asked: Any = HELLO) -> Any:
    return [event async for event in AsyncClientV2(base_url=url, max_retries=0).chat_stream(**asked)]


client.case("cohere.chat_stream.async")(stream_async).but("another prompt", cause="text")(lambda url: stream_async(url, GOODBYE))


client.case("cohere.embed.sync")(lambda url: embed(url, ["one", "two"])).but("array order", cause="array-order")(
    lambda url: embed(url, ["two", "one"])
)


def rerank(url: str, query: str) -> Any:
    return sync(url).rerank(model="rerank-x", query=query, documents=["one", "two"])


client.case("cohere.rerank.sync")(lambda url: rerank(url, "first")).but("another query", cause="text")(lambda url: rerank(url, "last"))


def dataset(url: str, data: Any) -> Any:
    return ClientV1(base_url=url, max_retries=3).datasets.create(name="d", type="embed-input", data=("a.csv", data, "text/csv"))


for status in (500, 429):
    client.case(f"cohere.chat.sync.retry_{status}")(lambda url, s=status: chat_patiently(url, f"fail once with {s}")).but(
        "another prompt", cause="text"
    )(lambda url, s=status: chat_patiently(url, f"two: fail once with {s}"))
    for kind, made in (("bytes", bytes), ("bytesio", io.BytesIO)):
        failing = f"{kind}: fail once with {status}".encode()
        client.case(f"cohere.datasets.sync.retry_{status}.{kind}")(lambda url, m=made, d=failing: dataset(url, m(d))).but(
            "other bytes", cause="text"
        )(lambda url, m=made, d=failing: dataset(url, m(b"two: " + d)))
    # The SDK sends what is left of it, which is nothing, and the provider says so.
    client.case(f"cohere.datasets.sync.retry_{status}.unseekable", settings={"status": [status, 400]})(
        lambda url, s=status: attempted(lambda: dataset(url, Pipe(f"pipe: fail once with {s}".encode())), ApiError)
    ).but("other bytes", cause="text")(lambda url, s=status: dataset(url, Pipe(f"two: fail once with {s}".encode())))
