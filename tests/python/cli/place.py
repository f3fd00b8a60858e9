"""A project with a store, what is put into it, and the commands run in it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from llm_vcr.cli import main
from llm_vcr.stores.base import CassetteRecord, Episode, Store

HELLO = "tests/cassettes/test_chat/test_hello.yaml"
STREAM = "tests/cassettes/test_chat/test_stream.yaml"
IMAGE = "tests/cassettes/test_images/test_edit.yaml"


def episode(prompt: str = "hi", *, answer: Any = "hello", model: str = "gpt-4o", uri: str = "https://api.openai.com/v1/chat/completions",
            headers: dict[str, list[str]] | None = None, body: bytes | None = None, answer_body: bytes | None = None,
            answer_type: str = "application/json", status: int = 200) -> Episode:  # fmt: skip
    asked = body if body is not None else json.dumps({"model": model, "messages": [{"role": "user", "content": prompt}]}).encode()
    told = {
        "model": model,
        "choices": [{"message": {"role": "assistant", "content": answer}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
    }
    return Episode(
        {"method": "POST", "uri": uri, "headers": {"content-type": ["application/json"], **(headers or {})}, "body": asked},
        {
            "status": {"code": status, "message": "OK"},
            "headers": {"content-type": [answer_type]},
            "body": {"string": answer_body if answer_body is not None else json.dumps(told).encode()},
        },
    )


SSE = (
    b'data: {"id":"1","model":"gpt-4o","choices":[{"delta":{"content":"one"}}]}\n\n'
    b'data: {"id":"1","model":"gpt-4o","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100}}\n\n'
    b"data: [DONE]\n\n"
)


everywhere = pytest.mark.parametrize("empty", ["file", "redis"], indirect=True)
"""The test runs over files and over a real Redis."""


def wait(until: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for something that a process does; it fails where that has not happened before its end, or within a minute."""
    deadline = time.monotonic() + 60
    while not until():
        assert process.poll() is None, "it ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.001)


def with_store(arguments: Sequence[str], url: str | None) -> list[str]:
    """The arguments with ``--store``, in front of what is pytest's."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [*arguments[:end], *(["--store", url] if url is not None else []), *arguments[end:]]


@dataclasses.dataclass
class Place:
    """A project, its store, and the commands run in it."""

    root: Path
    url: str
    store: Store

    def put(self, cassette_id: str, *episodes: Episode, recorded_at: datetime | None = None, ttl: float = math.inf) -> None:
        self.store.merge(
            cassette_id, CassetteRecord(episodes, recorded_at=recorded_at or datetime.now(UTC), ttl=ttl), ttl=ttl, keep=math.inf
        )

    def run(self, *arguments: str, input: str | None = None) -> Result:
        return CliRunner().invoke(main, with_store(arguments, self.url), input=input, catch_exceptions=False)

    def json(self, *arguments: str, status: int | None = 0, input: str | None = None) -> Any:
        result = self.run(*arguments, "--json", input=input)
        assert status is None or result.exit_code == status, result.output
        return json.loads(result.stdout)

    def process(self, *arguments: str, store: bool = False) -> subprocess.CompletedProcess[str]:
        """A command in a process of its own, its output in pipes."""
        return subprocess.run(
            [sys.executable, "-m", "llm_vcr.cli", *with_store(arguments, self.url if store else None)], cwd=self.root, capture_output=True,
            text=True, encoding="utf-8", env={**os.environ, "PYTHONUTF8": "1"}, check=False, timeout=300,
        )  # fmt: skip

    def terminal(self, *arguments: str, width: int = 80, store: bool = True) -> tuple[int, str]:
        """A command on a terminal of its own: its exit status, and what it writes there, without colours."""
        import termios  # Windows has none

        leader, follower = os.openpty()
        termios.tcsetwinsize(follower, (50, width))
        process = subprocess.Popen(
            [sys.executable, "-m", "llm_vcr.cli", *with_store(arguments, self.url if store else None)], cwd=self.root, stdin=follower,
            stdout=follower, stderr=follower, env={**os.environ, "PYTHONUTF8": "1", "TERM": "xterm-256color"}, start_new_session=True,
        )  # fmt: skip
        os.close(follower)
        written = bytearray()
        # On Linux the end of a terminal that nobody writes to any more is an error.
        with contextlib.suppress(OSError):
            while chunk := os.read(leader, 65536):
                written += chunk
        os.close(leader)
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)", "", written.decode("utf-8"))
        return process.wait(60), text.replace("\r\n", "\n").replace("\r", "")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command in a process of its own, to be interrupted."""
        return subprocess.Popen(
            [sys.executable, "-m", "llm_vcr.cli", *with_store(arguments, self.url)], cwd=self.root, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, text=True, start_new_session=True,
        )  # fmt: skip

    def pytest(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A run of the project's tests over its store."""
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--llm-vcr-store", self.url, *arguments], cwd=self.root,
            capture_output=True, text=True, encoding="utf-8", check=False, timeout=120,
        )  # fmt: skip

    def load(self, cassette_id: str) -> CassetteRecord:
        record = self.store.load(cassette_id)
        assert record is not None
        return record
