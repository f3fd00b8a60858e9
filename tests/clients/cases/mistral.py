"""The mistralai SDK."""

from __future__ import annotations

import io
import os
from typing import Any

from mistralai.client import Mistral
from mistralai.client.errors import SDKError
from mistralai.client.utils import BackoffStrategy, RetryConfig

from tests.clients.case import Client
from tests.clients.cases.pictures import sound
from tests.clients.cases.pipe import Pipe
from tests.clients.seen import attempted

client = Client("mistral")

HELLO: Any = {"model": "mistral-x", "messages": [{"role": "user", "content": "Say hello."}]}
GOODBYE: Any = {**HELLO, "messages": [{"role": "user", "content": "Say goodbye."}]}


def api(url: str, key: str | None = None) -> Mistral:
    return Mistral(api_key=key or os.environ["MISTRAL_API_KEY"], server_url=url, timeout_ms=20_000)


def chat(url: str, **more: Any) -> Any:
    return api(url).chat.complete(**{**HELLO, **more})


plain = client.case("mistral.chat.sync")(chat)
plain.but("another prompt", cause="text")(lambda url: chat(url, **GOODBYE))
plain.but("another model", cause="model")(lambda url: chat(url, model="mistral-y"))
plain.but("another temperature", cause="added-key")(lambda url: chat(url, temperature=0.5))
plain.but("another key", cause="credential")(lambda url: api(url, "another").chat.complete(**HELLO))
client.case("mistral.chat.async")(lambda url: api(url).chat.complete_async(**HELLO)).but("another prompt", cause="text")(
    lambda url: api(url).chat.complete_async(**GOODBYE)
)
client.case("mistral.chat_stream.sync")(lambda url: [*api(url).chat.stream(**HELLO)]).but("not streamed", cause="stream")(chat)


async def stream_async(url: str, asked: Any = HELLO) -> Any:
    return [event async for event in await api(url).chat.stream_async(**asked)]


client.case("mistral.chat_stream.async")(stream_async).but("another prompt", cause="text")(lambda url: stream_async(url, GOODBYE))


client.case("mistral.embeddings.sync")(lambda url: api(url).embeddings.create(model="embed-x", inputs=["one", "two"])).but(
    "array order", cause="array-order"
)(lambda url: api(url).embeddings.create(model="embed-x", inputs=["two", "one"]))


def upload(url: str, data: bytes = b"one\ntwo\n", name: str = "a.jsonl") -> Any:
    return api(url).files.upload(file={"file_name": name, "content": data}, purpose="batch")


uploaded = client.case("mistral.files.sync")(upload)
uploaded.but("another line", cause="text")(lambda url: upload(url, b"one\nsix\n"))
uploaded.but("another name", cause="file-name")(lambda url: upload(url, name="b.jsonl"))
client.case("mistral.files.async")(
    lambda url: api(url).files.upload_async(file={"file_name": "a.jsonl", "content": b"one\ntwo\n"}, purpose="batch")
).but("another purpose", cause="text")(
    lambda url: api(url).files.upload_async(file={"file_name": "a.jsonl", "content": b"one\ntwo\n"}, purpose="ocr")
)

PATIENT = RetryConfig("backoff", BackoffStrategy(5, 10, 1.1, 2_000), retry_connection_errors=False)


def patient(url: str, content: Any) -> Any:
    return api(url).files.upload(file={"file_name": "a.jsonl", "content": content}, purpose="batch", retries=PATIENT)


for status in (500, 429):
    for kind, made in (("bytes", bytes), ("bytesio", io.BytesIO)):
        failing = f"{kind}: fail twice with {status}".encode()
        client.case(f"mistral.files.sync.retry_{status}.{kind}")(lambda url, m=made, d=failing: patient(url, m(d))).but(
            "other bytes", cause="text"
        )(lambda url, m=made, d=failing: patient(url, m(b"two: " + d)))
    # The SDK sends what is left of it, which is nothing, and the provider says so.
    client.case(f"mistral.files.sync.retry_{status}.unseekable", settings={"status": [status, 400]})(
        lambda url, s=status: attempted(lambda: patient(url, Pipe(f"pipe: fail once with {s}".encode())), SDKError)
    ).but("other bytes", cause="text")(lambda url, s=status: patient(url, Pipe(f"two: fail once with {s}".encode())))


def hear(url: str, data: bytes | None = None) -> Any:
    return api(url).audio.transcriptions.complete(model="hear-x", file={"file_name": "a.wav", "content": data or sound()})


client.case("mistral.transcription.sync")(hear).but("another sound", cause="media")(lambda url: hear(url, sound()[:-2] + b"\x01\x02"))
