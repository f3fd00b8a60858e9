"""The groq SDK."""

from __future__ import annotations

import io
from typing import Any

from groq import APIStatusError, AsyncGroq, Groq

from tests.clients.case import Client
from tests.clients.cases.pictures import sound
from tests.clients.cases.pipe import Pipe
from tests.clients.seen import attempted

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
client.case("groq.chat.async")(lambda url: AsyncGroq(base_url=url, max_retries=0).chat.completions.create(**HELLO)).but(
    "another prompt", cause="text"
)(lambda url: AsyncGroq(base_url=url, max_retries=0).chat.completions.create(**GOODBYE))
client.case("groq.chat_stream.sync")(lambda url: [*chat(url, stream=True)]).but("not streamed", cause="stream")(chat)
client.case("groq.chat_tools.sync")(lambda url: chat(url, tools=[TOOL])).but("no tools", cause="tools")(chat)


def hear(url: str, data: Any = None, retries: int = 0) -> Any:
    file = ("a.wav", data or sound(), "audio/wav")
    return sync(url, max_retries=retries).audio.transcriptions.create(model="hear-x", file=file)


def chat_patiently(url: str, prompt: str) -> Any:
    return sync(url, max_retries=3).chat.completions.create(**{**HELLO, "messages": [{"role": "user", "content": prompt}]})


for status in (500, 429):
    client.case(f"groq.chat.sync.retry_{status}")(lambda url, s=status: chat_patiently(url, f"fail twice with {s}")).but(
        "another prompt", cause="text"
    )(lambda url, s=status: chat_patiently(url, f"two: fail twice with {s}"))
    for kind, made in (("bytes", bytes), ("bytesio", io.BytesIO)):
        failing = f"{kind}: fail twice with {status}".encode()
        client.case(f"groq.transcription.sync.retry_{status}.{kind}")(lambda url, m=made, d=failing: hear(url, m(d), 3)).but(
            "other bytes", cause="text"
        )(lambda url, m=made, d=failing: hear(url, m(b"two: " + d), 3))
    # The SDK sends what is left of it, which is nothing, and the provider says so.
    client.case(f"groq.transcription.sync.retry_{status}.unseekable", settings={"status": [status, 400]})(
        lambda url, s=status: attempted(lambda: hear(url, Pipe(f"pipe: fail once with {s}".encode()), 3), APIStatusError)
    ).but("other bytes", cause="text")(lambda url, s=status: hear(url, Pipe(f"two: fail once with {s}".encode()), 3))


client.case("groq.transcription.sync")(hear).but("another sound", cause="media")(lambda url: hear(url, sound()[:-2] + b"\x01\x02"))
client.case("groq.transcription.async")(
    lambda url: AsyncGroq(base_url=url, max_retries=0).audio.transcriptions.create(model="hear-x", file=("a.wav", sound(), "audio/wav"))
).but("another model", cause="model")(
    lambda url: AsyncGroq(base_url=url, max_retries=0).audio.transcriptions.create(model="hear-y", file=("a.wav", sound(), "audio/wav"))
)
