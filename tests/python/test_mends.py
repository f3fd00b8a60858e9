"""The mends of vcrpy: each does what it says, fits or is left out with a warning, and is gone when the last cassette closes.

What they are for is shown client by client in tests/clients.
"""

from __future__ import annotations

import asyncio
import http.client
import http.server
import importlib
import io
import json
import pickle
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import llm_vcr
import pytest
import requests
import vcr.patch
import vcr.stubs
from hypothesis import given
from hypothesis import strategies as st
from llm_vcr import mends
from llm_vcr.encoding import decoded
from llm_vcr.errors import LlmVcrWarning
from llm_vcr.mends import aiohttp_bodies, aiohttp_events, aiohttp_responses, events, threads
from vcr.filters import decode_response
from vcr.stubs import aiohttp_stubs, httpx_stubs

from tests.fake_provider import FakeProvider
from tests.fake_provider.encoding import encode


@pytest.fixture
def cassette(tmp_path: Path) -> Iterator[Any]:
    with llm_vcr.VCR().use_cassette(str(tmp_path / "a.yaml")) as opened:
        yield opened


def places() -> list[object]:
    """Whatever a mend puts something in place of, and what vcrpy does."""
    replaced = [getattr(owner, name) for mend in mends.fitting() for owner, name, _ in mend.patches()]
    return [*replaced, httpx.HTTPTransport.handle_request, aiohttp.ClientSession._request, http.client.HTTPConnection]


def test_they_are_in_place_until_the_last_cassette_closes(tmp_path: Path) -> None:
    before, reset = places(), vcr.patch.force_reset
    made = llm_vcr.VCR()
    with made.use_cassette(str(tmp_path / "a.yaml")):
        mended = vcr.patch.force_reset
        assert mended is not reset
        with made.use_cassette(str(tmp_path / "b.yaml")):
            assert vcr.patch.force_reset is mended
        assert vcr.patch.force_reset is mended
    assert places() == before


def test_no_two_mends_replace_the_same() -> None:
    # Each would be made on top of vcrpy's own, and the later one would undo the earlier.
    places = [(owner, name) for mend in mends.fitting() for owner, name, _ in mend.patches()]
    assert len(places) == len({(id(owner), name) for owner, name in places}) > 10


def test_they_are_gone_after_an_exception(tmp_path: Path) -> None:
    before = places()
    with pytest.raises(ZeroDivisionError), llm_vcr.VCR().use_cassette(str(tmp_path / "a.yaml")):
        raise ZeroDivisionError
    assert places() == before


@pytest.mark.parametrize("name", mends.MENDS)
def test_every_mend_fits_the_vcrpy_we_test_with(name: str) -> None:
    assert f"llm_vcr.mends.{name}" in [one.__name__ for one in mends.fitting()]


@pytest.mark.parametrize("name", mends.MENDS)
def test_a_mend_that_does_not_fit_is_left_out_with_a_warning(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"llm_vcr.mends.{name}")
    monkeypatch.setattr(module, "NEEDS", (*module.NEEDS, "vcr.stubs:NoSuchThing.anywhere"))
    mends._fitting.cache_clear()
    try:
        with pytest.warns(LlmVcrWarning, match=rf"vcr\.stubs:NoSuchThing\.anywhere.*'{name}'"):
            left = mends.fitting()
        assert [one.__name__.rpartition(".")[2] for one in left] == [one for one in mends.MENDS if one != name]
    finally:
        mends._fitting.cache_clear()


def test_what_is_missing_is_named() -> None:
    assert mends.missing(["vcr.stubs:VCRConnection.connect", "vcr.nothing:a", "vcr.patch:nothing.at_all"]) == [
        "vcr.nothing:a",
        "vcr.patch:nothing.at_all",
    ]


# --- threads


def test_a_live_call_takes_no_patch_off(cassette: Any) -> None:
    patched = httpx.HTTPTransport.handle_request
    with vcr.patch.force_reset():
        assert httpx.HTTPTransport.handle_request is patched


def test_httplib2_still_gets_what_it_needs(cassette: Any) -> None:
    class Base:
        __module__ = "httplib2.connection"

    class Connection:
        _baseclass = Base

    patched = httpx.HTTPTransport.handle_request

    def during(connection: Any) -> bool:
        with vcr.patch.force_reset():
            return httpx.HTTPTransport.handle_request is patched

    assert not threads._on_behalf_of(during)(Connection())
    assert during(Connection())


def test_https_connections_can_be_made(cassette: Any) -> None:
    connection: Any = http.client.HTTPSConnection("localhost", timeout=3)
    assert isinstance(connection, vcr.stubs.VCRHTTPSConnection)
    assert isinstance(connection.real_connection, vcr.patch._HTTPSConnection)
    assert (connection.real_connection.host, connection.real_connection.timeout) == ("localhost", 3)


def fetch_with_requests(url: str) -> bytes:
    return requests.post(url, json={"a": 1}, timeout=30).content


def fetch_with_urllib(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as response:
        data: bytes = response.read()
        return data


@pytest.mark.parametrize("fetch", [fetch_with_requests, fetch_with_urllib])
def test_every_call_of_every_thread_is_recorded(fetch: Any, provider: FakeProvider, cassette: Any) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(fetch, [f"{provider.url}/plain/landed?n={number}" for number in range(24)])]
    assert provider.count == cassette.counts.live == cassette.counts.recorded == len(set(answers)) == 24


# --- the same response


def test_urllib_sends_a_body_without_a_length_whole(provider: FakeProvider, cassette: Any) -> None:
    request = urllib.request.Request(f"{provider.url}/plain/echo", iter([b"one", b"two"]), {"content-type": "text/plain"})
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.status == 200
    assert [call.length for call in provider.calls] == [6]
    [(stored, _)] = cassette.data
    assert stored.body == b"onetwo"


def test_a_form_that_is_sent_again_is_recorded_again(provider: FakeProvider, cassette: Any) -> None:
    async def send() -> None:
        async with aiohttp.ClientSession() as client, client.post(f"{provider.url}/plain/kept", data={"a": io.BytesIO(b"1")}) as response:
            assert response.status == 200

    asyncio.run(send())
    assert len({call.sha256 for call in provider.calls}) == 1
    (first, _), (second, _) = cassette.data
    assert second.uri.endswith("/plain/echo")
    assert second.body == first.body
    assert second.headers["content-type"] == first.headers["content-type"]


def test_what_is_played_is_used_up_as_if_it_was_sent(provider: FakeProvider, tmp_path: Path) -> None:
    async def send(file: Any) -> int:
        async with aiohttp.ClientSession() as client, client.post(f"{provider.url}/plain/echo", data=file) as response:
            return response.status

    left = []
    for _ in range(2):
        file = io.BytesIO(b"one two")
        with llm_vcr.VCR().use_cassette(str(tmp_path / "a.yaml")):
            assert asyncio.run(send(file)) == 200
        left.append("closed" if file.closed else file.read())
    assert provider.count == 1
    assert left[0] == left[1] != b"one two"


def test_an_answer_that_is_not_kept_is_seen_as_it_came(provider: FakeProvider, cassette: Any) -> None:
    provider.fail(500)
    response = httpx2.post(f"{provider.url}/plain/echo", json={"a": 1}, headers={"x-answer-encoding": "gzip"})
    assert (response.status_code, response.headers["content-encoding"], response.headers["x-served-by"]) == (500, "gzip", "stand-in")
    assert "error" in response.json()


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_headers_that_no_longer_fit_are_not_seen(library: Any, provider: FakeProvider, cassette: Any) -> None:
    response = library.post(f"{provider.url}/plain/echo", json={"a": 1}, headers={"x-answer-encoding": "zstd"})
    assert "content-encoding" not in response.headers
    assert response.headers["content-length"] == str(len(response.content))
    assert response.json()["type"] == "application/json"


class _Named(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the base class asks for this name
        self.send_response(200)
        for header in (("X-Team", "Zoë"), ("X-Team", "plain"), ("Content-Length", "0")):
            self.send_header(*header)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_header_values_that_are_not_ascii_are_played(library: Any, tmp_path: Path) -> None:
    seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Named) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for _ in range(2):
            with llm_vcr.VCR().use_cassette(tmp_path / "a.yaml"):
                seen.append(library.get(f"http://127.0.0.1:{server.server_port}/").headers.get_list("x-team"))
        server.shutdown()
    assert seen == [["Zoë", "plain"]] * 2


def test_cookies_are_seen_live_and_not_kept(provider: FakeProvider, cassette: Any) -> None:
    with httpx2.Client() as client:
        client.post(f"{provider.url}/plain/echo", json={"a": 1})
        assert "visit" in client.cookies
    assert "Set-Cookie" not in str(cassette.responses)


def test_without_aiohttps_stubs_httpx_is_mended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for mend in (aiohttp_bodies, aiohttp_events, aiohttp_responses):
        monkeypatch.setattr(mend, "NEEDS", ("vcr.stubs.aiohttp_stubs:gone",))
    mends._fitting.cache_clear()
    try:
        with pytest.warns(LlmVcrWarning, match="gone: left out the mend"):
            owners = [owner for mend in mends.fitting() for owner, _, _ in mend.patches()]
    finally:
        mends._fitting.cache_clear()
    assert httpx_stubs in owners
    assert aiohttp_stubs not in owners


# --- what aiohttp sends


async def post(url: str, **request: Any) -> None:
    async with aiohttp.ClientSession() as session, session.post(url, **request) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("request_", "body", "content_type"),
    [
        ({"json": {"a": "1"}}, b'{"a": "1"}', "application/json"),
        ({"data": {"a": "1"}}, b"a=1", "application/x-www-form-urlencoded"),
        ({"data": [("a", "1"), ("a", "2")]}, b"a=1&a=2", "application/x-www-form-urlencoded"),
        ({"data": "a=1"}, b"a=1", None),
    ],
)
def test_what_is_recorded_is_what_aiohttp_sends(
    request_: dict[str, Any], body: bytes, content_type: str | None, provider: FakeProvider, cassette: Any
) -> None:
    asyncio.run(post(f"{provider.url}/plain/form", **request_))
    recorded = cassette.requests[0]
    assert recorded.body == body
    assert recorded.headers.get("content-type") == content_type
    if content_type is not None:
        assert provider.calls[0].content_type == content_type
    assert provider.calls[0].length == len(body)


# --- encodings


def answer(body: bytes, coding: str) -> dict[str, Any]:
    headers = {"Content-Encoding": [coding], "Content-Length": [str(len(body))], "X": ["y"]}
    return {"status": {"code": 200, "message": "OK"}, "headers": headers, "body": {"string": body}}


def test_zstd_is_decoded() -> None:
    result = decoded(answer(encode(b"one two", "zstd"), "zstd"))
    assert result["body"]["string"] == b"one two"
    assert result["headers"] == {"X": ["y"], "content-length": ["7"]}


def test_what_the_client_has_decoded_is_not_decoded_again() -> None:
    assert decoded(answer(b"one two", "zstd"))["body"]["string"] == b"one two"


def test_zstd_stays_as_it_came_where_nobody_can_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = answer(encode(b"one two", "zstd"), "zstd")
    for name in ("compression.zstd", "backports.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    assert decoded(raw) == raw


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_so_are_the_other_codings(coding: str) -> None:
    assert decoded(answer(encode(b"one two", coding), coding))["body"]["string"] == b"one two"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@given(body=st.dictionaries(st.text(max_size=9), st.integers() | st.text(max_size=20)).map(json.dumps).map(str.encode))
def test_it_is_decoded_as_vcrpy_does(coding: str, body: bytes) -> None:
    for sent in (encode(body, coding), body, encode(body, coding)[:-1]):
        assert decoded(answer(sent, coding)) == decode_response(answer(sent, coding))


def test_all_members_of_gzip_are_decoded() -> None:
    members = encode(b"one ", "gzip") + encode(b"two", "gzip")
    assert decoded(answer(members, "gzip"))["body"]["string"] == b"one two"
    assert decoded(answer(members + bytes(8), "gzip"))["body"]["string"] == b"one two"


def test_deflated_without_an_envelope_is_decoded() -> None:
    assert decoded(answer(encode(b"one two" * 9, "deflate")[2:-4], "deflate"))["body"]["string"] == b"one two" * 9


# --- events


@given(st.lists(st.sampled_from([b"data: 1", b"event: a", b":", b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", "ü".encode()])).map(b"".join))
def test_events_joined_are_the_body(body: bytes) -> None:
    found = events.pieces(body, "text/event-stream; charset=utf-8") or []
    assert b"".join(found) == body
    assert all(found)


def test_an_event_ends_with_its_blank_line() -> None:
    body = b"data: 1\n\nevent: a\r\ndata: 2\r\n\r\n\r\ndata: 3"
    assert events.pieces(body, "text/event-stream") == [b"data: 1\n\n", b"event: a\r\ndata: 2\r\n\r\n\r\n", b"data: 3"]


def test_messages_of_aws_are_cut_by_their_length() -> None:
    one, two = (16).to_bytes(4) + bytes(12), (17).to_bytes(4) + bytes(13)
    assert events.pieces(one + two + b"rest", "application/vnd.amazon.eventstream") == [one, two, b"rest"]


@given(st.binary())
def test_no_bytes_of_an_aws_stream_are_lost(body: bytes) -> None:
    assert b"".join(events.pieces(body, "application/vnd.amazon.eventstream") or []) == body


@pytest.mark.parametrize("content_type", [None, "", "application/json", "text/plain"])
def test_other_bodies_stay_in_one_piece(content_type: str | None) -> None:
    assert events.pieces(b"data: 1\n\n", content_type) is None


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda one: one.__name__)
def test_a_stream_is_the_same_in_one_piece_and_in_events(library: Any) -> None:
    body = b"data: 1\n\nevent: a\ndata: 2\n\ndata: 3"
    stored = {"status": {"code": 200, "message": "OK"}, "headers": {"content-type": ["text/event-stream"]}, "body": {"string": body}}

    def played() -> Any:
        return events._httpx_response(httpx_stubs._deserialize_response, stored, library)

    assert [*played().iter_raw()] == [*played().iter_bytes()] == [b"data: 1\n\n", b"event: a\ndata: 2\n\n", b"data: 3"]
    whole = played()
    assert (whole.read(), whole.num_bytes_downloaded, whole.is_closed) == (body, len(body), True)
    assert [*whole.iter_bytes()] == [body], "as httpx does with what was read"

    async def read() -> tuple[bytes, list[bytes]]:
        return await played().aread(), [event async for event in played().aiter_raw()]

    assert asyncio.run(read()) == (body, [b"data: 1\n\n", b"event: a\ndata: 2\n\n", b"data: 3"])
    again = pickle.loads(pickle.dumps(whole))
    assert (type(again), again.content) == (library.Response, body)
    with library.Client(transport=library.MockTransport(lambda _: played())) as client:
        assert client.get("https://h/").content == body
        with client.stream("GET", "https://h/") as streamed:
            assert next(streamed.iter_raw()) == b"data: 1\n\n"


# --- logs


def test_no_secret_of_a_url_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    key = "AIza" + "SyB-1234567890abcdefghijklmnopqrstuv"
    with FakeProvider() as provider, caplog.at_level("DEBUG"), llm_vcr.VCR().use_cassette(str(tmp_path / "a.yaml")):
        url = f"{provider.url}/v1/models?key={key}"
        for _ in range(2):
            requests.get(url, headers={"authorization": f"Bearer {key}"}, timeout=10)
        with urllib.request.urlopen(urllib.request.Request(url, headers={"authorization": f"Bearer {key}"})) as answer:
            answer.read()
    told = [record.getMessage() for record in caplog.records if record.name.startswith("vcr")]
    assert any("Absolute URI: http://127.0.0.1" in one for one in told)
    assert any("Invoking Request http://127.0.0.1" in one for one in told)
    assert [one for one in told if key in one] == []
    # As vcrpy's own line, and not as ours.
    assert {record.filename for record in caplog.records if "Absolute URI" in record.getMessage()} == {"__init__.py"}


def test_no_secret_of_a_url_is_logged_by_the_other_clients(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    key = "AIza" + "SyB-1234567890abcdefghijklmnopqrstuv"
    headers = {"authorization": f"Bearer {key}"}
    with FakeProvider() as provider, caplog.at_level("DEBUG"), llm_vcr.VCR().use_cassette(str(tmp_path / "a.yaml")):
        url = f"{provider.url}/v1/models?key={key}"
        httpx.get(url, headers=headers, verify=False)
        httpx2.get(url, headers=headers, verify=False)

        async def ask() -> None:
            async with aiohttp.ClientSession() as client, client.get(url, headers=headers) as answer:
                await answer.read()

        asyncio.run(ask())
    told = [record.getMessage() for record in caplog.records if record.name.startswith(("vcr", "llm_vcr"))]
    assert len(told) > 3
    assert [one for one in told if key in one] == []
