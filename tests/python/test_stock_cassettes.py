"""Cassettes and vcrpy's own: what stock vcrpy wrote replays unchanged through `install`, and what we write stock vcrpy reads."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import llm_vcr
import pytest
import requests
import vcr as vcrpy
import yaml
from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.persisters.filesystem import FilesystemPersister
from vcr.serializers import yamlserializer

from tests.fake_provider import FakeProvider

HEADERS = {"Authorization": "Bearer sk-of-the-session"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


def chat(text: str) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}


def over_httpx(library: Any) -> Callable[[str], list[bytes]]:
    def calls(url: str) -> list[bytes]:
        with library.Client(headers=HEADERS) as client:
            return [
                client.post(f"{url}/v1/chat/completions", json=chat("first")).content,
                client.post(f"{url}/v1/chat/completions", json=chat("second")).content,
                client.get(f"{url}/v1/models").content,
            ]

    return calls


def over_requests(url: str) -> list[bytes]:
    with requests.Session() as session:
        session.headers.update(HEADERS)
        return [
            session.post(f"{url}/v1/chat/completions", json=chat("first"), timeout=10).content,
            session.post(f"{url}/v1/chat/completions", json=chat("second"), timeout=10).content,
            session.get(f"{url}/v1/models", timeout=10).content,
        ]


def over_aiohttp(url: str) -> list[bytes]:
    async def calls() -> list[bytes]:
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            answers = []
            for text in ("first", "second"):
                async with session.post(f"{url}/v1/chat/completions", json=chat(text)) as response:
                    answers.append(await response.read())
            async with session.get(f"{url}/v1/models") as response:
                answers.append(await response.read())
            return answers

    return asyncio.run(calls())


CLIENTS: dict[str, Callable[[str], list[bytes]]] = {
    "httpx": over_httpx(httpx),
    "httpx2": over_httpx(httpx2),
    "requests": over_requests,
    "aiohttp": over_aiohttp,
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_cassette_of_stock_vcrpy_replays_unchanged(client: str, tmp_path: Path) -> None:
    path = tmp_path / "stock.yaml"
    calls = CLIENTS[client]
    with FakeProvider() as provider:
        url = provider.url
        with vcrpy.VCR().use_cassette(str(path)):
            first = calls(url)
        assert provider.count == 3
    before = path.read_bytes()
    with llm_vcr.install(vcrpy.VCR(record_mode="none")).use_cassette(str(path)) as cassette:
        assert calls(url) == first
    assert (cassette.counts.played, cassette.counts.live, cassette.counts.refused) == (3, 0, 0)
    assert path.read_bytes() == before


@pytest.mark.parametrize("client", CLIENTS)
def test_a_cassette_of_ours_replays_through_stock_vcrpy(client: str, tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    calls = CLIENTS[client]
    with FakeProvider() as provider:
        url = provider.url
        with llm_vcr.VCR().use_cassette(str(path)):
            first = calls(url)
        assert provider.count == 3
    match_on = ("method", "scheme", "host", "port", "path", "query", "body")
    with vcrpy.VCR(record_mode="none", match_on=match_on).use_cassette(str(path)) as cassette:
        # aiohttp's request has no type, so stock vcrpy compares its dict with our bytes and finds them different.
        if client == "aiohttp":
            cassette._match_on = [one for one in cassette._match_on if one.__name__ != "body"]
        assert calls(url) == first
    assert cassette.play_count == 3


def upload(url: str) -> bytes:
    files = {"image": ("a.png", io.BytesIO(PNG), "image/png")}
    return httpx.post(f"{url}/v1/images/edits", files=files, data={"prompt": "a hat", "model": "gpt-image-1"}, headers=HEADERS).content


def test_a_multipart_upload_that_stock_vcrpy_recorded_replays(tmp_path: Path) -> None:
    path = tmp_path / "upload.yaml"
    with FakeProvider() as provider:
        url = provider.url
        with vcrpy.VCR().use_cassette(str(path)):
            first = upload(url)
    with llm_vcr.install(vcrpy.VCR(record_mode="none")).use_cassette(str(path)):
        assert upload(url) == first


def test_a_plain_vcr_with_our_configuration_replays_uploads_and_refuses_other_prompts(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    with FakeProvider() as provider:
        url = provider.url
        with vcrpy.VCR(**llm_vcr.vcr_config()).use_cassette(str(path)):
            first = upload(url)
            httpx.post(f"{url}/v1/chat/completions", json=chat("first"), headers=HEADERS)
    assert b"sk-of-the-session" not in path.read_bytes()
    with vcrpy.VCR(**llm_vcr.vcr_config(record_mode="none")).use_cassette(str(path)):
        assert len(upload(url)) < len(first), "the picture of the answer is kept as a small one"
        with pytest.raises(vcrpy.errors.CannotOverwriteExistingCassetteException):
            httpx.post(f"{url}/v1/chat/completions", json=chat("another"), headers=HEADERS)


OLD_HTTPX = """\
version: 1
interactions:
- request:
    method: GET
    uri: http://127.0.0.1:1/old
    body: ''
    headers:
      host: ['127.0.0.1:1']
  response:
    status_code: 200
    http_version: HTTP/1.1
    headers:
      content-type: [text/plain]
    content: an answer of httpx from before vcrpy 6
"""

OLD_BODIES = """\
interactions:
- request:
    body: !!python/object/new:_io.BytesIO
      state: !!python/tuple
      - !!binary |
        YWJj
      - 0
      - null
    headers:
      Accept: ['*/*']
    method: !!python/unicode POST
    uri: http://127.0.0.1:1/file
  response:
    body: {string: !!python/unicode one}
    headers: {}
    status: {code: 200, message: OK}
- request:
    body: !!python/object/apply:builtins.iter
      args:
      - [abc, def]
    headers: {}
    method: POST
    uri: http://127.0.0.1:1/generator
  response:
    body: {string: two}
    headers: {}
    status: {code: 200, message: OK}
version: 1
"""


def test_old_layouts_are_read_as_vcrpy_reads_them(tmp_path: Path) -> None:
    (tmp_path / "httpx.yaml").write_text(OLD_HTTPX)
    with llm_vcr.install(vcrpy.VCR(record_mode="none")).use_cassette(str(tmp_path / "httpx.yaml")):
        assert httpx.get("http://127.0.0.1:1/old").text == "an answer of httpx from before vcrpy 6"
    (tmp_path / "bodies.yaml").write_text(OLD_BODIES)
    with llm_vcr.install(vcrpy.VCR(record_mode="none")).use_cassette(str(tmp_path / "bodies.yaml")):
        assert requests.post("http://127.0.0.1:1/file", data=io.BytesIO(b"abc"), timeout=5).text == "one"
        assert requests.post("http://127.0.0.1:1/generator", data=iter([b"abc", b"def"]), timeout=5).text == "two"


def test_what_we_write_reads_the_same_through_vcrpys_own_persister(tmp_path: Path) -> None:
    path = tmp_path / "both.yaml"
    with FakeProvider() as provider, llm_vcr.VCR().use_cassette(str(path)) as cassette:
        over_requests(provider.url)
        upload(provider.url)
    read_requests, read_responses = FilesystemPersister.load_cassette(path, yamlserializer)
    assert [(one.method, one.uri, one.body, dict(one.headers.items())) for one in read_requests] == [
        (one.method, one.uri, one.body, dict(one.headers.items())) for one in cassette.requests
    ]
    assert [one["body"]["string"] for one in read_responses] == [one["body"]["string"] for one in cassette.responses]


def test_vcrpys_metadata_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "metadata.yaml"
    with FakeProvider() as provider:
        url = provider.url
        with vcrpy.VCR().use_cassette(str(path)) as cassette:
            cassette.get_metadata("seed", 7)
            httpx.get(f"{url}/v1/models", headers=HEADERS)
        with llm_vcr.install(vcrpy.VCR(record_mode="new_episodes")).use_cassette(str(path)) as ours:
            assert ours.get_metadata("seed", 8) == 7
            httpx.post(f"{url}/v1/chat/completions", json=chat("more"), headers=HEADERS)
    assert yaml.safe_load(path.read_text())["metadata"] == {"seed": 7}


def test_install_twice_is_once() -> None:
    vcr = vcrpy.VCR()
    once = dict(vars(llm_vcr.install(vcr)))
    assert vars(llm_vcr.install(vcr)) == once


NESTED = """
import sys
import llm_vcr, requests, vcr

url, folder = sys.argv[1:]
with llm_vcr.VCR().use_cassette(f"{folder}/ours.yaml") as ours:
    requests.get(f"{url}/v1/models", timeout=10)
    with vcr.use_cassette(f"{folder}/stock.yaml") as stock:
        requests.get(f"{url}/v1/models?inner=1", timeout=10)
    requests.get(f"{url}/v1/models?after=1", timeout=10)
print(ours.counts.live, len(stock))
"""


def test_a_stock_cassette_opens_inside_of_ours(provider: FakeProvider, tmp_path: Path) -> None:
    # In a fresh interpreter: which of vcrpy's stubs are imported when is what matters.
    done = subprocess.run([sys.executable, "-c", NESTED, provider.url, tmp_path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2", "1"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_stock_cassette_inside_of_ours_refuses_as_ever(client: str, provider: FakeProvider, tmp_path: Path) -> None:
    inner = vcrpy.VCR(record_mode="none")
    with (
        llm_vcr.VCR().use_cassette(tmp_path / "ours.yaml"),
        inner.use_cassette(tmp_path / "stock.yaml"),
        pytest.raises(CannotOverwriteExistingCassetteException, match="the cassette doesn't exist"),
    ):
        CLIENTS[client](provider.url)
    assert provider.count == 0
