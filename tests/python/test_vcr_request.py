"""vcrpy's request with its body read once: what vcrpy, the user's filters and the clients do to one leaves it right."""

from __future__ import annotations

import asyncio
import copy
import http.client
import io
import json
import pickle
import urllib.request
from collections.abc import Callable
from contextlib import closing
from typing import Any

import aiohttp
import llm_vcr
import pytest
import requests
import urllib3
from hypothesis import example, given
from hypothesis import strategies as st
from llm_vcr import _core, codec
from llm_vcr.request import first, header
from llm_vcr.request import text as as_text
from llm_vcr.vcr_request import AiohttpRequest, Request
from vcr.request import HeadersDict
from vcr.request import Request as VcrRequest

from tests.fake_provider import FakeProvider

URL = "https://api.openai.com/v1/chat/completions"
CHUNKS = [b'{"a":', b" 1}"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: b'{"a": 1}',
        lambda: bytearray(b'{"a": 1}'),
        lambda: '{"a": 1}',
        lambda: {"a": 1},
        lambda: io.BytesIO(b'{"a": 1}'),
        lambda: io.StringIO('{"a": 1}'),
        lambda: iter(CHUNKS),
        lambda: (chunk for chunk in CHUNKS),
        lambda: (chunk.decode() for chunk in CHUNKS),
        lambda: iter(b'{"a": 1}'),
        lambda: (one for one in b'{"a": 1}'),
    ],
)
def test_the_body_is_bytes_whatever_was_handed_over(make: Callable[[], Any]) -> None:
    for request in (Request("POST", URL, make(), {}), Request.of(VcrRequest("POST", URL, make(), {}))):
        assert request.body == b'{"a": 1}'
        assert request.body_bytes == b'{"a": 1}'
        assert copy.deepcopy(request).body == b'{"a": 1}'
        assert request._to_dict()["body"] == b'{"a": 1}'
        request.body = make()
        assert request.body == b'{"a": 1}'


@given(st.dictionaries(st.text(), st.lists(st.text(), min_size=1, max_size=2)))
@example({"É": ["a"], "é": ["b"]})
@example({"X-A": ["a"], "x-a": ["b"]})
@example({"X-A": ["a", "b"]})
def test_stored_headers_are_kept_as_vcrpys(headers: dict[str, list[str]]) -> None:
    twin = {name.lower(): (name, values[0]) for name, values in headers.items()}
    plain = len(twin) == len(headers) and all(len(values) == 1 for values in headers.values())
    assert _core.header_store(headers) == (twin if plain else None)
    request = Request.loaded("GET", URL, headers, None)
    assert [*request.headers._store.items()] == [*twin.items()]
    if (store := _core.header_store(headers)) is not None:
        again = Request.loaded("GET", URL, headers, None, store)
        assert again.headers == request.headers
        again.headers["x-more"] = "more"
        assert store == twin
    if plain:
        assert request.headers == HeadersDict({name: values[0] for name, values in headers.items()})


NAMES = st.sampled_from(["Content-Type", "content-type", "CONTENT-TYPE", "\u212aey", "key", "É"]) | st.text(max_size=3)
VALUES = st.text() | st.binary() | st.integers()


@given(st.dictionaries(NAMES | NAMES.map(lambda one: one.encode()), VALUES | st.lists(VALUES) | st.lists(VALUES).map(tuple)), NAMES)
def test_a_header_is_found_whatever_its_case(headers: dict[Any, Any], name: str) -> None:
    name = name.lower()
    twin = next((as_text(first(value)) for key, value in headers.items() if as_text(key).lower() == name), None)
    assert header(headers, name) == twin
    # Nobody looks into this one but Python.
    assert header(headers.items(), name) == twin


@given(st.lists(st.tuples(st.binary(max_size=4) | st.sampled_from([b"Accept", b"accept"]), st.binary(max_size=4))))
@example([(b"A", b"a")])
def test_the_pairs_of_httpx_are_kept_as_vcrpys(raw: list[tuple[bytes, bytes]]) -> None:
    plain = all(part.isascii() for pair in raw for part in pair)
    twin = {name.decode().lower(): (name.decode().lower(), value.decode()) for name, value in raw} if plain else {}
    assert _core.raw_header_store(raw) == (twin if plain and len(twin) == len(raw) else None)


@pytest.mark.parametrize("raw", [[("a", "b")], [(b"a",)], [b"ab"], [[b"a", b"b"]], [(b"a", None)]])
def test_other_pairs_are_left_to_others(raw: Any) -> None:
    assert _core.raw_header_store(raw) is None


@pytest.mark.parametrize("headers", [{"a": "b"}, {"a": ()}, {b"a": ["b"]}, {"a": []}, [], {1: ["b"]}, None])
def test_other_headers_are_left_to_others(headers: Any) -> None:
    assert _core.header_store(headers) is None


@pytest.mark.parametrize("body", [None, b""])
def test_no_body_and_an_empty_one(body: Any) -> None:
    assert Request("GET", URL, body, {}).body == body
    assert Request.of(VcrRequest("GET", URL, body, {})).body == body


def test_an_empty_generator_is_no_empty_list() -> None:
    assert Request.of(VcrRequest("POST", URL, (chunk for chunk in ()), {})).body == b""


def test_a_request_of_vcrpys_is_not_changed() -> None:
    theirs = VcrRequest("POST", URL, iter(CHUNKS), {"Content-Type": "application/json"})
    ours = Request.of(theirs)
    ours.headers["content-type"] = "text/plain"
    ours.body = b"other"
    assert theirs.headers["content-type"] == "application/json"
    assert list(theirs.body) == CHUNKS
    assert Request.of(ours) is ours


def test_a_copy_has_headers_of_its_own_and_shares_the_body() -> None:
    first = Request("POST", URL, b"body" * 10, {"A": "1"})
    second = copy.deepcopy(first)
    second.headers["A"] = "2"
    second.uri = URL + "?b"
    assert (first.headers["a"], first.uri) == ("1", URL)
    assert second.body is first.body


def test_a_body_that_cannot_be_read_is_left_to_vcrpy() -> None:
    chunks = [b"a", 1.5]
    request = Request("POST", URL, (chunk for chunk in chunks), {})
    assert request.unsupported is not None
    assert "float" in request.unsupported
    assert list(request.body) == chunks, "what is to be sent is gone"
    with pytest.raises(TypeError):
        request.body_bytes  # noqa: B018 - a property
    request.body = b"mended by a filter"
    assert request.unsupported is None


def test_nothing_of_aiohttps_is_used_up() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    pipe = Pipe(b"abc")
    request = AiohttpRequest("POST", URL, pipe, {})
    assert request.unsupported is not None
    assert pipe.read() == b"abc"


def test_no_secret_in_what_is_logged() -> None:
    request = Request("POST", "https://h/v1?key=AIzaSySecretSecretSecret&alt=sse", b"", {})
    for text in (str(request), repr(request), f"{request}", "%s" % request):  # noqa: UP031 - as logging does it
        assert "AIza" not in text
        assert "alt=sse" in text


def test_an_error_can_be_pickled_with_its_request() -> None:
    request = Request("POST", URL, b"body", {"A": "1"})
    again = pickle.loads(pickle.dumps(request))
    assert (again.method, again.uri, again.body, dict(again.headers)) == ("POST", URL, b"body", {"A": "1"})


# --- what the clients of http.client do with one, against the stand-in: what is sent is what would have been sent without us


BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello ☀"}]}, ensure_ascii=False).encode()
HEADERS = {"Authorization": "Bearer sk-any", "Content-Type": "application/json"}


def with_requests(url: str, body: Any) -> bytes:
    return requests.post(url, data=body, headers=HEADERS, timeout=10).content


def with_urllib3(url: str, body: Any) -> bytes:
    return urllib3.PoolManager().request("POST", url, body=body, headers=HEADERS).data


def with_urllib(url: str, body: Any) -> bytes:
    asked = urllib.request.Request(url, data=body, headers={**HEADERS, "Content-Length": str(len(BODY))}, method="POST")
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return answer.read()


def with_http_client(url: str, body: Any) -> bytes:
    host, path = url.removeprefix("http://").split("/", 1)
    with closing(http.client.HTTPConnection(host, timeout=10)) as connection:
        connection.request("POST", "/" + path, body=body, headers={**HEADERS, "Content-Length": str(len(BODY))})
        return connection.getresponse().read()


def with_http_client_by_hand(url: str, body: Any) -> bytes:
    host, path = url.removeprefix("http://").split("/", 1)
    with closing(http.client.HTTPConnection(host, timeout=10)) as connection:
        connection.putrequest("POST", "/" + path)
        for name, value in {**HEADERS, "Content-Length": str(len(BODY))}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(body)
        return connection.getresponse().read()


CLIENTS = [with_requests, with_urllib3, with_urllib, with_http_client, with_http_client_by_hand]
BODIES = {
    "bytes": lambda: BODY,
    "file": lambda: io.BytesIO(BODY),
    "half a file": lambda: half_a_file(),
    "generator": lambda: (BODY[at : at + 7] for at in range(0, len(BODY), 7)),
    "iterator": lambda: iter([BODY[:5], BODY[5:]]),
    "bytearray": lambda: bytearray(BODY),
}


def half_a_file() -> io.BytesIO:
    file = io.BytesIO(b"before" + BODY)
    file.seek(6)
    return file


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
@pytest.mark.parametrize("make", BODIES.values(), ids=list(BODIES))
def test_every_client_sends_its_body_whole_and_replays(
    provider: FakeProvider, tmp_path: Any, client: Callable[[str, Any], bytes], make: Callable[[], Any]
) -> None:
    url = f"{provider.url}/v1/chat/completions"
    with llm_vcr.VCR().use_cassette(tmp_path / "a.yaml") as cassette:
        first = client(url, make())
        assert (cassette.counts.live, cassette.counts.recorded) == (1, 1)
    (call,) = provider.calls
    assert call.status == 200
    assert call.length == len(BODY)
    provider.stop()
    with llm_vcr.VCR(record_mode="none").use_cassette(tmp_path / "a.yaml") as cassette:
        assert client(url, make()) == first
        assert (cassette.counts.played, cassette.counts.live, cassette.counts.refused) == (1, 0, 0)


@pytest.mark.asyncio
async def test_aiohttp_sends_what_it_was_given(provider: FakeProvider, tmp_path: Any) -> None:
    url = f"{provider.url}/v1/chat/completions"

    async def ask(**body: Any) -> bytes:
        async with aiohttp.ClientSession() as session, session.post(url, headers=HEADERS, **body) as answer:
            return await answer.read()

    async def stream() -> Any:
        for at in range(0, len(BODY), 7):
            yield BODY[at : at + 7]

    ways: list[Callable[[], dict[str, Any]]] = [
        lambda: {"data": BODY},
        lambda: {"data": io.BytesIO(BODY)},
        lambda: {"data": BODY.decode()},
        lambda: {"data": stream()},
    ]
    for number, way in enumerate(ways):
        with llm_vcr.VCR().use_cassette(tmp_path / f"{number}.yaml") as cassette:
            first = await ask(**way())
            assert (cassette.counts.live, cassette.counts.recorded) == (1, 1)
        assert provider.calls[-1].length == len(BODY)
        with llm_vcr.VCR(record_mode="none").use_cassette(tmp_path / f"{number}.yaml"):
            assert await ask(**way()) == first
    assert provider.count == len(ways)


def test_a_body_nobody_can_read_is_counted_live_and_not_stored(provider: FakeProvider, tmp_path: Any) -> None:
    async def ask() -> bytes:
        form = aiohttp.FormData()
        form.add_field("model", "whisper-1")
        form.add_field("file", speech(), filename="a.wav", content_type="audio/wav")
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{provider.url}/v1/audio/transcriptions", data=form, headers={"Authorization": "Bearer sk-any"}) as answer,
        ):
            return await answer.read()

    async def speech() -> Any:
        yield b"RIFF\0\0\0\0WAVEfmt "
        await asyncio.sleep(0)
        yield bytes(100)

    for attempt in (1, 2):
        with llm_vcr.VCR().use_cassette(tmp_path / "a.yaml") as cassette:
            assert b"text" in asyncio.run(ask())
            assert (cassette.counts.live, cassette.counts.recorded, len(cassette)) == (1, 0, 0)
            (reason,) = cassette.why_not_kept()
            assert reason.startswith("unsupported body")
        assert provider.count == attempt
    assert provider.calls[-1].status == 200
    assert not (tmp_path / "a.yaml").exists()


_NAMES = st.text(st.sampled_from("aAkK\u212aiI\u0130\xe9-"), max_size=4)
_VALUES = st.text(max_size=3) | st.binary(max_size=3) | st.integers()


_KEYS = _NAMES | _NAMES.map(str.encode) | st.integers()


@given(st.dictionaries(_KEYS, _VALUES | st.lists(_VALUES, max_size=2)), st.text(st.sampled_from("aki-"), max_size=4))
def test_a_header_is_found_by_its_name_in_any_case(headers: dict[Any, Any], name: str) -> None:
    found = [value for key, value in headers.items() if as_text(key).lower() == name]
    one = found[0][0] if found and isinstance(found[0], list) and found[0] else (found or [None])[0]
    assert header(headers, name) == (as_text(one) if found else None)
    assert header(list(headers.items()), name) == header(headers, name)


def test_names_that_differ_in_case_only_are_one_header() -> None:
    episode = {
        "request": {"method": "GET", "uri": "http://h/", "headers": {"Accept": ["a"], "accept": ["b"]}, "body": None},
        "response": {"status": {"code": 200}, "headers": {}, "body": {}},
    }
    assert codec._plain_episode(episode) is None
    episode["request"]["headers"] = {"Accept": ["a"], "Accept-Encoding": ["b"]}
    assert codec._plain_episode(episode) is not None
