"""The groq SDK."""

from __future__ import annotations

from typing import Any

from groq import AsyncGroq, Groq

from tests.clients.case import Client
from tests.clients.cases.pictures import sound

client = Client("groq")

HELLO: Any = {"model": "llama-x", "messages": [{"role": "user", "content": "Say hello."}]}
GOODBYE: Any = {**HELLO, "messages": [{"role": "user", "content": "Say goodbye."}]}
TOOL: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def sync(url: str, **options: Any) -> Groq:
    return Groq(**{"base_url": url, "max_retries": 0, **options})


def chat(url: str, **more: Any) -> Any:
    return sync(url).chat.completions.create(**{**HELLO, **more})


plain = client.case("groq.chat.sync")(chat)
plain.but("another prompt", cause="text")(lambda url: chat(url, **GOODBYE))
plain.but("another model", cause="model")(lambda url: chat(url, model="llama-y"))
plain.but("streamed", cause="stream")(lambda url: [*chat(url, stream=True)])
plain.but("another key", cause="credential")(lambda url: sync(url, api_key="gsk-another").chat.completions.create(**HELLO))
client.case("groq.chat.async")(lambda url: AsyncGroq(base_url=url, max_retries=0).chat.completions.create(**HELLO))
client.case("groq.chat_stream.sync")(lambda url: [*chat(url, stream=True)])
client.case("groq.chat_tools.sync")(lambda url: chat(url, tools=[TOOL]))
client.case("groq.chat.sync.retry_429")(
    lambda url: sync(url, max_retries=3).chat.completions.create(
        **{**HELLO, "messages": [{"role": "user", "content": "fail twice with 429"}]}
    )
)


def hear(url: str, data: bytes | None = None) -> Any:
    return sync(url).audio.transcriptions.create(model="hear-x", file=("a.wav", data or sound(), "audio/wav"))


client.case("groq.transcription.sync")(hear).but("another sound", cause="media")(lambda url: hear(url, sound()[:-2] + b"\x01\x02"))
client.case("groq.transcription.async")(
    lambda url: AsyncGroq(base_url=url, max_retries=0).audio.transcriptions.create(model="hear-x", file=("a.wav", sound(), "audio/wav"))
)
