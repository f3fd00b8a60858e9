"""A project with recordings, over each kind of store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from llm_vcr import config
from llm_vcr.stores import open_store

from tests.python.cli.place import HELLO, IMAGE, SSE, STREAM, Place, episode
from tests.redis_server import RedisServer


@pytest.fixture(scope="session")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture
def empty(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A project with an empty store: files (as YAML or as our JSON) or, where `everywhere` says so, a real Redis."""
    for name in [name for name in os.environ if name.startswith(("LLM_VCR_", "CASSETTE_", "PYTEST_")) or name == "CI"]:
        monkeypatch.delenv(name)
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").write_text('[project]\nname = "shop"\n[tool.pytest.ini_options]\nllm_vcr = "auto"\n')
    if getattr(request, "param", "file") == "json":
        with (root / "pyproject.toml").open("a") as file:
            file.write('llm_vcr_format = "json"\n')
    monkeypatch.chdir(root)
    url = "file"
    if getattr(request, "param", "file") == "redis":
        server: RedisServer = request.getfixturevalue("server")
        server.client().flushall()
        url = server.url
    store = open_store(url, root=root) if url == "file" else open_store(url, config.override(config.read(), "test", project="shop"))
    yield Place(root, url, store)
    if hasattr(store, "close"):
        store.close()


@pytest.fixture
def place(empty: Place) -> Place:
    """A store with three cassettes: two answers and a repeated request, a stream, and a form with media."""
    empty.put(HELLO, episode("hi"), episode("how are you?", answer="fine"), episode("hi", answer="hello again"))
    empty.put(STREAM, episode("count", answer_body=SSE, answer_type="text/event-stream"))
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
    form = b"\r\n".join(
        [
            b'--llm-vcr-boundary\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-image-1',
            b'--llm-vcr-boundary\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
            + png,
            b"--llm-vcr-boundary--\r\n",
        ]
    )
    kind = {"content-type": ["multipart/form-data; boundary=llm-vcr-boundary"]}
    uri = "https://api.openai.com/v1/images/edits"
    empty.put(IMAGE, episode(uri=uri, headers=kind, body=form, answer_body=png, answer_type="image/png"))
    return empty
