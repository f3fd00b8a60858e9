"""Clients and inputs of the suite. Nothing here knows that calls are recorded."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import random
import re
import struct
import wave
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel


def pytest_configure() -> None:
    """Keeps anybody from running the suite against a real provider by accident."""
    if "LLM_VCR_DEMO_URL" not in os.environ:
        raise pytest.UsageError("LLM_VCR_DEMO_URL names no provider stand-in: run `make demo`, or examples/demo.py")


@pytest.fixture(scope="session")
def url() -> str:
    """Where the provider is."""
    return os.environ["LLM_VCR_DEMO_URL"]


@pytest.fixture
def openai(url: str) -> Iterator[OpenAI]:
    """The key comes from OPENAI_API_KEY, as ever."""
    with OpenAI(base_url=f"{url}/v1") as client:
        yield client


@pytest.fixture
async def async_openai(url: str) -> AsyncIterator[AsyncOpenAI]:
    """The same, for async tests."""
    async with AsyncOpenAI(base_url=f"{url}/v1") as client:
        yield client


@pytest.fixture
def anthropic(url: str) -> Iterator[Anthropic]:
    """The key comes from ANTHROPIC_API_KEY, as ever."""
    with Anthropic(base_url=url) as client:
        yield client


@pytest.fixture
async def async_anthropic(url: str) -> AsyncIterator[AsyncAnthropic]:
    """The same, for async tests."""
    async with AsyncAnthropic(base_url=url) as client:
        yield client


def _png(width: int, height: int, seed: int, channels: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(channels * width) for _ in range(height))
    colour = {3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A PNG of about 200 KB."""
    return _png(256, 256, seed=1, channels=3)


@pytest.fixture(scope="session")
def second_photo() -> bytes:
    """Another PNG of the same size."""
    return _png(256, 256, seed=2, channels=3)


@pytest.fixture(scope="session")
def mask() -> bytes:
    """A PNG with an alpha channel."""
    return _png(64, 64, seed=3, channels=4)


@pytest.fixture(scope="session")
def speech() -> bytes:
    """A WAV of three seconds, about 96 KB."""
    samples = (int(12_000 * math.sin(n / 6)) for n in range(48_000))
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return out.getvalue()


class Answers:
    """What a test was told, kept so that two runs can be compared byte for byte."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.files: list[dict[str, Any]] = []

    def add(self, answer: BaseModel | str | bytes, *, without: Any = None) -> None:
        """Keeps an answer; `without` names what `media` keeps (in pydantic's manner)."""
        if isinstance(answer, BaseModel):
            # What the provider sent, unknown fields and all; nothing that the SDK made up.
            answer = answer.model_dump_json(exclude=without, exclude_unset=True, warnings=False)
        if isinstance(answer, bytes):
            answer = answer.decode("latin-1")
        self.lines.append(json.dumps(answer))

    def media(self, data: bytes) -> None:
        """Keeps what must stay of a medium: its type and, for a PNG, its width and height; a replay may be smaller."""
        kind, size = "unknown", ""
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            kind, size = "png", "{}x{}".format(*struct.unpack_from(">II", data, 16))
        elif data[:4] == b"RIFF" and data[8:12] == b"WAVE":
            kind = "wav"
        elif data[:3] == b"ID3" or (data[:1] == b"\xff" and data[1:2] >= b"\xe0"):
            kind = "mp3"
        digest = hashlib.sha256(data).hexdigest()
        self.files.append({"type": kind, "size": size, "len": len(data), "sha256": digest})


@pytest.fixture
def answers(request: pytest.FixtureRequest) -> Iterator[Answers]:
    """Collects a test's answers; written to the directory that LLM_VCR_DEMO_ANSWERS names."""
    kept = Answers()
    yield kept
    if directory := os.environ.get("LLM_VCR_DEMO_ANSWERS"):
        node = request.node.nodeid
        name = re.sub(r"[^\w.-]", "_", node) + "-" + hashlib.sha256(node.encode()).hexdigest()[:8]
        folder = Path(directory)
        (folder / f"{name}.answers").write_text("\n".join([node, *kept.lines, ""]), encoding="utf-8")
        if kept.files:
            lines = [json.dumps(file) for file in kept.files]
            (folder / f"{name}.media").write_text("\n".join([node, *lines, ""]), encoding="utf-8")
