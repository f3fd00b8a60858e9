"""The stand-in answers the real SDKs in the real shapes, and counts what it answers."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic import InternalServerError as AnthropicServerError
from anthropic.types import Message, RawMessageStreamEvent
from openai import APIConnectionError, AsyncOpenAI, AuthenticationError, BadRequestError, InternalServerError, OpenAI
from openai.types import CreateEmbeddingResponse, FileObject, ImageGenStreamEvent, ImagesResponse
from openai.types.audio import Transcription
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from tests.fake_provider import FakeProvider, noise_png, png_size, silent_mp3, tone_wav

REPOSITORY = Path(__file__).parents[2]
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
TOOL = {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FakeProvider() as running:
        yield running


@pytest.fixture
def openai(provider: FakeProvider) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{provider.url}/v1", api_key="sk-any", max_retries=2) as client:
        yield client


@pytest.fixture
def anthropic(provider: FakeProvider) -> Iterator[Anthropic]:
    with Anthropic(base_url=provider.url, api_key="sk-any", max_retries=2) as client:
        yield client


def post(provider: FakeProvider, path: str, **body: object) -> httpx2.Response:
    return httpx2.post(f"{provider.url}{path}", json=body, headers={"authorization": "Bearer sk-any"}, timeout=10)


def events(response: httpx2.Response) -> list[Any]:
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


# The SDKs build their models without validation, so that a missing field would go unseen: validate here.


@pytest.mark.parametrize(
    ("path", "model", "body"),
    [
        ("/v1/chat/completions", ChatCompletion, {"messages": HELLO}),
        (
            "/v1/chat/completions",
            ChatCompletion,
            {"messages": HELLO, "tools": [{"type": "function", "function": TOOL}]},
        ),
        ("/v1/responses", Response, {"input": "hello", "include": ["reasoning.encrypted_content"]}),
        ("/v1/responses", Response, {"input": "hello", "tools": [{"type": "function", "strict": False, **TOOL}]}),
        ("/v1/responses", Response, {"input": "draw", "tools": [{"type": "image_generation", "size": "8x8"}]}),
        ("/v1/embeddings", CreateEmbeddingResponse, {"input": ["a", "b"], "dimensions": 4}),
        ("/v1/images/generations", ImagesResponse, {"prompt": "cat", "size": "8x8"}),
        ("/v1/messages", Message, {"max_tokens": 9, "messages": HELLO, "thinking": {"type": "enabled"}}),
        ("/v1/messages", Message, {"max_tokens": 9, "messages": HELLO, "tools": [{"name": "t", "input_schema": {}}]}),
    ],
)
def test_whole_answers_have_the_sdk_s_shape(provider: FakeProvider, path: str, model: type[BaseModel], body: dict[str, Any]) -> None:
    response = post(provider, path, model="m", **body)
    assert response.status_code == 200
    model.model_validate(response.json())
    assert "x-request-id" in response.headers or "request-id" in response.headers
    assert "set-cookie" in response.headers


@pytest.mark.parametrize(
    ("path", "event", "body"),
    [
        ("/v1/chat/completions", ChatCompletionChunk, {"messages": HELLO, "stream_options": {"include_usage": True}}),
        (
            "/v1/chat/completions",
            ChatCompletionChunk,
            {"messages": HELLO, "tools": [{"type": "function", "function": TOOL}]},
        ),
        ("/v1/responses", ResponseStreamEvent, {"input": "hello"}),
        (
            "/v1/responses",
            ResponseStreamEvent,
            {"input": "hello", "tools": [{"type": "function", "strict": False, **TOOL}]},
        ),
        ("/v1/images/generations", ImageGenStreamEvent, {"prompt": "cat", "size": "8x8", "partial_images": 2}),
        ("/v1/messages", RawMessageStreamEvent, {"max_tokens": 9, "messages": HELLO, "thinking": {"type": "enabled"}}),
        (
            "/v1/messages",
            RawMessageStreamEvent,
            {"max_tokens": 9, "messages": HELLO, "tools": [{"name": "t", "input_schema": {}}]},
        ),
    ],
)
def test_streams_have_the_sdk_s_shape(provider: FakeProvider, path: str, event: Any, body: dict[str, Any]) -> None:
    seen = events(post(provider, path, model="m", stream=True, **body))
    adapter: TypeAdapter[Any] = TypeAdapter(event)
    checked = [adapter.validate_python(one) for one in seen if one not in ("[DONE]", {"type": "ping"})]
    assert len(checked) > 2
    assert ("[DONE]" in seen) == (path == "/v1/chat/completions")


def test_openai_sync(openai: OpenAI, provider: FakeProvider) -> None:
    first = openai.chat.completions.create(model="m", messages=HELLO)
    second = openai.chat.completions.create(model="m", messages=HELLO)
    assert first.choices[0].message.content != second.choices[0].message.content
    assert provider.nonce in (first.choices[0].message.content or "")
    streamed = openai.chat.completions.create(model="m", messages=HELLO, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed).startswith("Answer 3 ")
    assert openai.responses.create(model="m", input="hello").output_text.startswith("Answer 4 ")
    assert provider.count == 4
    assert [call.path for call in provider.calls] == ["/v1/chat/completions"] * 3 + ["/v1/responses"]


def test_openai_async(provider: FakeProvider) -> None:
    async def ask() -> list[str]:
        async with AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="sk-any") as client:
            completions = await asyncio.gather(
                *(client.chat.completions.create(model="m", messages=[{"role": "user", "content": f"question {n}"}]) for n in range(20))
            )
            async with client.responses.stream(model="m", input="hello") as stream:
                final = await stream.get_final_response()
            return [*(str(completion.choices[0].message.content) for completion in completions), final.output_text]

    assert len(set(asyncio.run(ask()))) == 21
    assert provider.count == 21


def test_embeddings_say_the_same_in_both_encodings(openai: OpenAI, provider: FakeProvider) -> None:
    given = openai.embeddings.create(model="text-embedding-3-small", input="a").data[0].embedding
    assert len(given) == 1536
    assert sum(value * value for value in given) == pytest.approx(1, abs=1e-5)
    raw = post(provider, "/v1/embeddings", model="m", input="a", encoding_format="base64", dimensions=3).json()
    assert len(base64.b64decode(raw["data"][0]["embedding"])) == 12


def test_generated_image_is_a_png_of_the_size_asked_for(openai: OpenAI) -> None:
    response = openai.images.generate(model="m", prompt="cat", size="1024x1024", n=2)
    assert response.data is not None
    images = [base64.b64decode(image.b64_json or "") for image in response.data]
    assert [png_size(image) for image in images] == [(1024, 1024)] * 2
    assert images[0] != images[1]
    assert len(images[0]) > 3_000_000


def test_edit_sees_every_file_and_resends_it_after_a_500(openai: OpenAI, provider: FakeProvider) -> None:
    response = openai.images.edit(
        model="m",
        image=[("a.png", b"first", "image/png"), ("b.png", io.BytesIO(b"second"), "image/png")],
        mask=b"mask",
        prompt="fail once with 500",
        size="512x512",
    )
    assert response.data is not None
    note = response.data[0].revised_prompt or ""
    assert "image[] a.png image/png 5 bytes" in note
    assert "image[] b.png image/png 6 bytes" in note
    assert "mask upload" in note
    first, second = provider.calls
    assert (first.status, second.status) == (500, 200)
    # Each attempt has a boundary of its own and says the same.
    assert first.sha256 != second.sha256
    assert first.logical == second.logical


def test_edit_of_nothing_is_refused(openai: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="is empty"):
        openai.images.edit(model="m", image=io.BytesIO(b""), prompt="anything")


def test_audio_and_files(openai: OpenAI, provider: FakeProvider) -> None:
    heard = openai.audio.transcriptions.create(model="m", file=("a.wav", tone_wav(0.1), "audio/wav"))
    Transcription.model_validate(heard.model_dump())
    assert "a.wav audio/wav 3244 bytes" in heard.text
    streamed = openai.audio.transcriptions.create(model="m", file=("a.wav", b"noise"), stream=True)
    assert [event.type for event in streamed][-1] == "transcript.text.done"
    spoken = openai.audio.speech.create(model="m", voice="alloy", input="hi").content
    assert provider.nonce.encode() in spoken
    assert len(spoken) > 100_000
    file = openai.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    FileObject.model_validate(file.model_dump())
    assert openai.files.content(file.id).content == b"{}"
    assert openai.files.delete(file.id).deleted


def test_anthropic_sync(anthropic: Anthropic, provider: FakeProvider) -> None:
    told = anthropic.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hello"}])
    assert told.content[0].type == "text"
    with anthropic.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "hello"}]) as stream:
        assert "".join(stream.text_stream).startswith("Answer 2 ")
    counted = anthropic.messages.count_tokens(model="m", messages=[{"role": "user", "content": "hello"}])
    assert counted.input_tokens > 0
    assert provider.count == 3


def test_anthropic_async(provider: FakeProvider) -> None:
    async def ask() -> str:
        async with AsyncAnthropic(base_url=provider.url, api_key="sk-any") as client:
            told = await client.messages.create(
                model="m", max_tokens=9, messages=[{"role": "user", "content": "please fail twice with 529"}]
            )
            assert told.content[0].type == "text"
            return told.content[0].text

    assert asyncio.run(ask()).startswith("Answer 3 ")
    assert [call.status for call in provider.calls] == [529, 529, 200]


def test_failures_on_demand(openai: OpenAI, anthropic: Anthropic, provider: FakeProvider) -> None:
    provider.fail(500, times=3)
    with pytest.raises(InternalServerError):
        openai.chat.completions.create(model="m", messages=HELLO)
    assert provider.count == 3
    httpx2.post(f"{provider.url}/_fail?status=503&times=1")
    told = anthropic.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hello"}])
    assert told.stop_reason == "end_turn"
    assert [call.status for call in provider.calls[3:]] == [503, 200]
    with pytest.raises(AnthropicServerError):
        anthropic.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "fail always with 500"}])
    provider.reset()
    assert provider.count == 0


def test_a_cycle_of_failures_begins_anew(openai: OpenAI, provider: FakeProvider) -> None:
    for _ in range(2):
        openai.chat.completions.create(model="m", messages=[{"role": "user", "content": "fail once with 500"}])
    assert [call.status for call in provider.calls] == [500, 200, 500, 200]


def test_wrong_key_is_refused(provider: FakeProvider) -> None:
    with (
        OpenAI(base_url=f"{provider.url}/v1", api_key="sk-invalid") as client,
        pytest.raises(AuthenticationError, match="Incorrect API key"),
    ):
        client.chat.completions.create(model="m", messages=HELLO)
    assert [call.status for call in provider.calls] == [401]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/chat/completions", b"{", 400),
        ("POST", "/v1/chat/completions", b"[]", 400),
        ("POST", "/v1/messages", b'{"messages": []}', 400),
        ("POST", "/v1/images/edits", b"no multipart", 400),
        ("POST", "/v1/images/generations", b'{"prompt": "cat", "size": "0x0", "stream": true}', 400),
        ("GET", "/v1/files/file-none", b"", 404),
        ("GET", "/v1/nothing", b"", 404),
    ],
)
def test_bad_requests_are_answered_and_counted(provider: FakeProvider, method: str, path: str, body: bytes, status: int) -> None:
    response = httpx2.request(method, f"{provider.url}{path}", content=body, headers={"authorization": "Bearer sk-any"})
    assert response.status_code == status
    assert response.json()["error"]["message"]
    assert [call.status for call in provider.calls] == [status]


def test_gzip_and_chunked_requests() -> None:
    with FakeProvider(compress=True) as provider, httpx2.Client(trust_env=False) as client:
        body = json.dumps({"model": "m", "messages": HELLO}).encode()
        response = client.post(
            f"{provider.url}/v1/chat/completions",
            content=iter([body[:10], body[10:]]),
            headers={"authorization": "Bearer sk-any", "accept-encoding": "gzip"},
        )
        assert response.headers["content-encoding"] == "gzip"
        ChatCompletion.model_validate(response.json())
        assert provider.calls[0].length == len(body)


def test_stop_ends_kept_alive_connections_too(openai: OpenAI, provider: FakeProvider) -> None:
    openai.chat.completions.create(model="m", messages=HELLO)
    provider.stop()
    with pytest.raises(APIConnectionError):
        openai.with_options(max_retries=0).chat.completions.create(model="m", messages=HELLO)
    assert provider.count == 1


def test_as_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    announce, log = tmp_path / "port", tmp_path / "log"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fake_provider", "--announce", str(announce), "--log", str(log)], cwd=REPOSITORY
    )
    try:
        deadline = time.monotonic() + 20
        while not announce.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        port = int(announce.read_text())
        with OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="sk-any") as client:
            client.chat.completions.create(model="m", messages=HELLO)
        assert httpx2.get(f"http://127.0.0.1:{port}/_calls").json()["calls"][0]["status"] == 200
    finally:
        process.terminate()
        status = process.wait(10)
    assert status == 0 or os.name == "nt"
    (call,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert (call["method"], call["path"], call["status"]) == ("POST", "/v1/chat/completions", 200)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_media_are_what_they_say() -> None:
    assert png_size(noise_png(7, 5, random.Random(1))) == (7, 5)
    with pytest.raises(ValueError, match="not a PNG"):
        png_size(b"GIF89a")
    assert silent_mp3(2, "note").startswith(b"ID3\x04")
    assert len(silent_mp3(3, "note")) - len(silent_mp3(2, "note")) == 417
