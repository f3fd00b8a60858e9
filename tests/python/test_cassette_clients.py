"""Real clients over our cassettes: each caller gets its own answer, every call is counted, and everything is put back at the end."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import httpx
import httpx2
import llm_vcr
import pytest
import requests
import urllib3.connectionpool
import vcr.stubs
import vcr.stubs.aiohttp_stubs
import vcr.stubs.httpx_stubs
from openai import AsyncOpenAI, InternalServerError, OpenAI
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from vcr.errors import CannotOverwriteExistingCassetteException

from tests.fake_provider import FakeProvider

KEY = "sk-proj-v0XKHD5xIFxUYA5oiXdYlu2FG" + "_2CgDgkWSn3NZ71"
HEADERS = {"Authorization": f"Bearer {KEY}"}

PATCHED: list[tuple[Any, str]] = [
    *((http.client, name) for name in ("HTTPConnection", "HTTPSConnection")),
    *((urllib3.connectionpool, name) for name in ("HTTPConnection", "HTTPSConnection")),
    *((urllib3.connectionpool.HTTPConnectionPool, "ConnectionCls"), (urllib3.connectionpool.HTTPSConnectionPool, "ConnectionCls")),
    (aiohttp.ClientSession, "_request"),
    *((library.HTTPTransport, "handle_request") for library in (httpx, httpx2)),
    *((library.AsyncHTTPTransport, "handle_async_request") for library in (httpx, httpx2)),
    *((library.MockTransport, "handle_request") for library in (httpx, httpx2)),
    (vcr.stubs, "Request"),
    (vcr.stubs, "CannotOverwriteExistingCassetteException"),
    (vcr.stubs.aiohttp_stubs, "Request"),
    (vcr.stubs.aiohttp_stubs, "CannotOverwriteExistingCassetteException"),
    (vcr.stubs.httpx_stubs, "VcrRequest"),
    (vcr.stubs.httpx_stubs, "CannotOverwriteExistingCassetteException"),
]


@pytest.fixture(autouse=True)
def _nothing_stays_patched() -> Iterator[None]:
    """Whatever a test does, everything is as it was."""
    before = [getattr(owner, name) for owner, name in PATCHED]
    yield
    left = [f"{owner}.{name}" for (owner, name), one in zip(PATCHED, before, strict=True) if getattr(owner, name) is not one]
    assert not left


def chat(prompt: str) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": prompt}]}


def counted(cassette: Any) -> tuple[int, int, int, int]:
    return cassette.counts.live, cassette.counts.recorded, cassette.counts.played + cassette.counts.repeated, cassette.counts.refused


# --- many callers at once


async def fifty_with_openai(url: str, prompts: list[str]) -> list[str]:
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY) as client:

        async def ask(prompt: str) -> str:
            made = await client.chat.completions.create(**chat(prompt))
            return made.choices[0].message.content or ""

        return await asyncio.gather(*(ask(one) for one in prompts))


async def fifty_with_httpx(url: str, prompts: list[str]) -> list[str]:
    async with httpx.AsyncClient(headers=HEADERS, timeout=30) as client:
        return [one.text for one in await asyncio.gather(*(client.post(f"{url}/v1/chat/completions", json=chat(one)) for one in prompts))]


async def fifty_with_aiohttp(url: str, prompts: list[str]) -> list[str]:
    async with aiohttp.ClientSession(headers=HEADERS) as client:

        async def ask(prompt: str) -> str:
            async with client.post(f"{url}/v1/chat/completions", json=chat(prompt)) as answer:
                return await answer.text()

        return await asyncio.gather(*(ask(one) for one in prompts))


@pytest.mark.parametrize("client", [fifty_with_openai, fifty_with_httpx, fifty_with_aiohttp], ids=lambda one: one.__name__)
@pytest.mark.parametrize(
    "prompts", [[f"question {number}" for number in range(50)], ["the same question"] * 50], ids=["different", "equal"]
)
def test_fifty_at_once_each_get_their_own_answer(provider: FakeProvider, tmp_path: Path, client: Any, prompts: list[str]) -> None:
    path = tmp_path / "a.yaml"
    with llm_vcr.VCR().use_cassette(path) as cassette:
        first = asyncio.run(client(provider.url, prompts))
        assert counted(cassette) == (50, 50, 0, 0)
    assert provider.count == len({*first}) == 50
    provider.stop()
    with llm_vcr.VCR(record_mode="none").use_cassette(path) as cassette:
        second = asyncio.run(client(provider.url, prompts))
        assert counted(cassette) == (0, 0, 50, 0)
        assert cassette.counts.repeated == 0
    # Equal questions have no order among themselves: all that counts is that every answer is given to one of them.
    assert second == first or (len({*prompts}) == 1 and sorted(second) == sorted(first))


def test_eight_threads_each_get_their_own_answer(provider: FakeProvider, tmp_path: Path) -> None:
    prompts = [f"question {number % 12}" for number in range(48)]

    def ask_all(mode: str, counts: tuple[int, int, int, int]) -> list[tuple[str, str]]:
        """Which question was given which answer; equal questions have no order among themselves."""
        with (
            llm_vcr.VCR(record_mode=mode).use_cassette(tmp_path / "a.yaml") as cassette,
            httpx2.Client(headers=HEADERS, timeout=30) as client,
            ThreadPoolExecutor(8) as pool,
        ):
            answers = pool.map(lambda one: client.post(f"{provider.url}/v1/chat/completions", json=chat(one)).text, prompts)
            told = sorted(zip(prompts, answers, strict=True))
        assert counted(cassette) == counts
        return told

    assert ask_all("once", (48, 48, 0, 0)) == ask_all("none", (0, 0, 48, 0))
    assert provider.count == 48


def test_a_retry_is_not_answered_by_the_failure_just_seen(provider: FakeProvider, tmp_path: Path) -> None:
    with OpenAI(base_url=f"{provider.url}/v1", api_key=KEY, max_retries=2) as client:
        with llm_vcr.VCR().use_cassette(tmp_path / "a.yaml") as cassette:
            first = client.chat.completions.create(**chat("fail once with 500"))
            assert counted(cassette) == (2, 1, 0, 0)
        with llm_vcr.VCR(record_mode="none").use_cassette(tmp_path / "a.yaml") as cassette:
            assert client.chat.completions.create(**chat("fail once with 500")) == first
            assert counted(cassette) == (0, 0, 1, 0)
        with llm_vcr.VCR().use_cassette(tmp_path / "b.yaml") as cassette, pytest.raises(InternalServerError):
            client.chat.completions.create(**chat("fail always with 503"))
        assert counted(cassette) == (3, 0, 0, 0)
    assert not (tmp_path / "b.yaml").exists()


def test_a_call_that_finds_nobody_is_counted(tmp_path: Path) -> None:
    with FakeProvider() as gone:
        url = gone.url
    with llm_vcr.VCR().use_cassette(tmp_path / "a.yaml") as cassette, pytest.raises(httpx2.ConnectError):
        httpx2.post(f"{url}/v1/chat/completions", json={})
    assert counted(cassette) == (1, 0, 0, 0)


# --- redirects


class Redirecting(BaseHTTPRequestHandler):
    """`/a` leads over `/b` to `/c`; `/lost` to an error; `/kept` with its body to `/d`."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[tuple[str, str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.seen.append((self.command, self.path, body))
        location = {"/a": "/b", "/b": "/c?x=1#end", "/lost": "/nowhere", "/kept": "/d"}.get(self.path.partition("?")[0])
        status = {"/kept": 307, "/nowhere": 500}.get(self.path, 302 if location else 200)
        text = f"{self.command} {self.path} {len(self.seen)} {body.decode()}".encode()
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def redirecting() -> Iterator[str]:
    Redirecting.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(10)


def follow_with_aiohttp(method: str, url: str, body: Any) -> str:
    async def ask() -> str:
        async with aiohttp.ClientSession() as client, client.request(method, url, json=body) as answer:
            return await answer.text()

    return asyncio.run(ask())


def follow_with_httpx(method: str, url: str, body: Any) -> str:
    return httpx.request(method, url, json=body, follow_redirects=True).text


def follow_with_requests(method: str, url: str, body: Any) -> str:
    return requests.request(method, url, json=body, timeout=10).text


FOLLOWERS = pytest.mark.parametrize("follow", [follow_with_aiohttp, follow_with_httpx, follow_with_requests], ids=lambda one: one.__name__)


@FOLLOWERS
@pytest.mark.parametrize(
    ("method", "path", "body", "hops"), [("GET", "/a", None, 3), ("POST", "/a", {"a": 1}, 3), ("POST", "/kept", {"a": 1}, 2)]
)
def test_redirects_are_followed_counted_and_replayed(
    redirecting: str, tmp_path: Path, follow: Any, method: str, path: str, body: Any, hops: int
) -> None:
    with llm_vcr.VCR().use_cassette(tmp_path / "a.yaml") as cassette:
        first = follow(method, redirecting + path, body)
        assert counted(cassette) == (hops, hops, 0, 0)
    assert len(Redirecting.seen) == hops
    with llm_vcr.VCR(record_mode="none").use_cassette(tmp_path / "a.yaml") as cassette:
        assert follow(method, redirecting + path, body) == first
        assert counted(cassette) == (0, 0, hops, 0)
    assert len(Redirecting.seen) == hops


@FOLLOWERS
def test_a_redirect_never_leads_to_another_calls_answer(redirecting: str, tmp_path: Path, follow: Any) -> None:
    with llm_vcr.VCR(status=[500]).use_cassette(tmp_path / "a.yaml"):
        follow("GET", redirecting + "/lost", None)
        follow("GET", redirecting + "/other", None)
    # As after an edit by hand: the redirect is there, what it leads to is not.
    text = (tmp_path / "a.yaml").read_text()
    assert "      - /nowhere\n" in text
    (tmp_path / "a.yaml").write_text(text.replace("      - /nowhere\n", "      - /elsewhere\n"))
    with llm_vcr.VCR(record_mode="none").use_cassette(tmp_path / "a.yaml"), pytest.raises((Exception,), match="elsewhere"):
        follow("GET", redirecting + "/lost", None)
    assert len(Redirecting.seen) == 3


# --- what a user is told


@pytest.mark.parametrize("client", ["httpx", "httpx2", "requests", "aiohttp"])
@pytest.mark.parametrize("match_on", [None, ["uri", "body"], ["headers", "raw_body", "uri"]], ids=["ours", "body", "headers"])
def test_no_secret_in_the_error_of_a_refused_call(provider: FakeProvider, tmp_path: Path, client: str, match_on: Any, caplog: Any) -> None:
    url = f"{provider.url}/v1/chat/completions?key={KEY}"
    body = chat(f"my key is {KEY}")
    with llm_vcr.VCR().use_cassette(tmp_path / "a.yaml"):
        httpx2.post(url, json=chat("other"), headers=HEADERS)
    more = {} if match_on is None else {"match_on": match_on}
    caplog.set_level("INFO", logger="vcr")
    with (
        llm_vcr.VCR(record_mode="none", **more).use_cassette(tmp_path / "a.yaml"),
        pytest.raises(CannotOverwriteExistingCassetteException) as caught,
    ):
        send(client, url, body)
    told = f"{caught.value} {caught.value!r} {caught.value.failed_request} {caught.value.failed_request.uri} {caplog.text}"
    assert KEY not in told
    assert "/v1/chat/completions" in told
    assert caught.value.similar_requests
    assert provider.count == 1


def send(client: str, url: str, body: Any) -> Any:
    if client == "aiohttp":
        return follow_with_aiohttp("POST", url, body)
    return {"httpx": httpx, "httpx2": httpx2, "requests": requests}[client].post(url, json=body, headers=HEADERS, timeout=10)


# --- what happens when something goes wrong


def test_an_exception_in_the_block_is_not_saved(provider: FakeProvider, tmp_path: Path) -> None:
    cassette = None

    def fail() -> None:
        nonlocal cassette
        with llm_vcr.VCR().use_cassette(tmp_path / "a.yaml") as cassette:
            send("httpx2", f"{provider.url}/v1/chat/completions", chat("hello"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert cassette is not None
    assert cassette.counts.recorded == 1
    assert not cassette.saved
    assert not (tmp_path / "a.yaml").exists()


@pytest.mark.parametrize("broken", ["store", "folder", "user's hook", "unwritable"])
def test_a_failing_save_leaves_nothing_patched(provider: FakeProvider, tmp_path: Path, broken: str) -> None:
    def explode(request: Any, response: Any) -> Any:
        raise RuntimeError("a defect of the user's")

    path = tmp_path / "b" / "a.yaml"
    more: dict[str, Any] = {}
    if broken == "folder":
        path.parent.write_text("a file where a folder should be")
    elif broken == "user's hook":
        more["before_save_interaction"] = explode
    ours = llm_vcr.VCR(**more)
    opened = ours.use_cassette(path)
    cassette = opened.__enter__()
    send("httpx2", f"{provider.url}/v1/chat/completions", chat("hello"))
    if broken == "store":
        cassette._persister.store = None
    elif broken == "unwritable":
        # Nobody can write an answer of such a type.
        cassette.data.append((cassette.data[0][0], {"status": {"code": 200}, "body": {"string": object()}, "headers": {}}))
    if broken == "user's hook":
        opened.__exit__(None, None, None)
    else:
        with pytest.warns(llm_vcr.NotSavedWarning, match="was not saved"):
            opened.__exit__(None, None, None)
    assert not cassette.saved
    assert "not saved" in cassette.why_not_kept()[0]
    assert not path.exists()


def test_what_becomes_of_the_users_object_meanwhile_leaves_nothing_patched(provider: FakeProvider, tmp_path: Path) -> None:
    ours = llm_vcr.VCR()
    opened = ours.use_cassette(tmp_path / "a.yaml")
    with opened:
        send("httpx2", f"{provider.url}/v1/chat/completions", chat("hello"))
        ours.match_on = ["no such matcher"]
    assert (tmp_path / "a.yaml").exists()
    with pytest.raises(KeyError, match="no such matcher"):
        opened.__enter__()
    ours.match_on = ["uri", "llm_body"]
    with opened as cassette:
        assert [one.__name__ for one in cassette._match_on] == ["uri", "llm_body"]


def test_nested_cassettes_keep_to_themselves(provider: FakeProvider, tmp_path: Path) -> None:
    url = f"{provider.url}/v1/chat/completions"
    with llm_vcr.VCR().use_cassette(tmp_path / "outer.yaml") as outer:
        send("httpx2", url, chat("outer"))
        with llm_vcr.VCR().use_cassette(tmp_path / "inner.yaml") as inner:
            send("httpx2", url, chat("inner"))
        send("httpx2", url, chat("outer again"))
    assert (counted(outer), counted(inner)) == ((2, 2, 0, 0), (1, 1, 0, 0))
    told = {path.stem: re.findall('"content": ?"([^"]*)"}]', path.read_text()) for path in tmp_path.iterdir()}
    assert told == {"outer": ["outer", "outer again"], "inner": ["inner"]}


def test_a_call_after_the_cassette_is_nobodys(provider: FakeProvider, tmp_path: Path) -> None:
    with llm_vcr.VCR().use_cassette(tmp_path / "a.yaml") as cassette, httpx2.Client(headers=HEADERS) as client:
        client.post(f"{provider.url}/v1/chat/completions", json=chat("hello"))
    assert httpx2.post(f"{provider.url}/v1/chat/completions", json=chat("hello"), headers=HEADERS).status_code == 200
    assert counted(cassette) == (1, 1, 0, 0)
    assert provider.count == 2


def over_tornado(url: str, prompt: str) -> bytes:
    async def call() -> bytes:
        request = HTTPRequest(f"{url}/v1/chat/completions", method="POST", body=json.dumps(chat(prompt)), headers=HEADERS)
        answer = await AsyncHTTPClient(force_instance=True).fetch(request)
        return bytes(answer.body)

    return asyncio.run(asyncio.wait_for(call(), 20))


def test_tornado_replays_and_reads_what_stock_wrote(provider: FakeProvider, tmp_path: Path) -> None:
    # Its stub gives headers as pairs, and a callback that raises would leave the client waiting for ever.
    path = str(tmp_path / "tornado.yaml")
    with llm_vcr.VCR().use_cassette(path) as recorded:
        body = over_tornado(provider.url, "ours")
    with vcr.VCR().use_cassette(path, record_mode="new_episodes", match_on=["method", "uri", "body"]):
        stock = over_tornado(provider.url, "stock")
    with llm_vcr.VCR().use_cassette(path, record_mode="none") as replayed:
        assert over_tornado(provider.url, "ours") == body
        assert over_tornado(provider.url, "stock") == stock
    assert recorded.counts.recorded == 1
    assert replayed.counts.played == 2
    assert provider.count == 2
