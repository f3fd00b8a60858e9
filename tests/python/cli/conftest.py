"""A project with recordings, over each kind of store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from llm_vcr.stores import open_store

from tests.python.cli.place import HELLO, IMAGE, SSE, STREAM, Place, episode


@pytest.fixture(params=["file"])
def empty(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty store. Another kind of store is another parameter here."""
    for name in [name for name in os.environ if name.startswith(("LLM_VCR_", "PYTEST_"))]:
        monkeypatch.delenv(name)
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").write_text('[tool.pytest.ini_options]\nllm_vcr = "auto"\n')
    monkeypatch.chdir(root)
    url = {"file": "file"}[request.param]
    return Place(root, url, open_store(url))


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
