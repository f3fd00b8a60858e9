"""requests, and urllib3 below it."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
import urllib3

from tests.clients.case import Client
from tests.clients.cases.pictures import other_pixel, picture, sized
from tests.clients.seen import headers

client = Client("requests")


def whole(response: requests.Response) -> Any:
    return [response.status_code, response.reason, headers(response.headers.items()), response.content, response.encoding]


def post(url: str, path: str = "echo", **request: Any) -> Any:
    return whole(requests.post(f"{url}/plain/{path}", timeout=30, **request))


plain = client.case("requests.json.sync")(lambda url: post(url, json={"a": 1}))
plain.but("another value", cause="number")(lambda url: post(url, json={"a": 2}))
plain.but("true for 1", cause="type")(lambda url: post(url, json={"a": True}))
plain.but("as a form", cause="content-type")(lambda url: post(url, data={"a": "1"}))
plain.but("another path", cause="url")(lambda url: post(url, "form", json={"a": 1}))
plain.but("another method", cause="method")(lambda url: requests.put(f"{url}/plain/echo", json={"a": 1}, timeout=30).status_code)
client.case("requests.form.sync")(lambda url: post(url, data={"a": "1"})).but("another value", cause="text")(
    lambda url: post(url, data={"a": "2"})
)


def files(data: bytes | None = None, name: str = "a.png") -> Any:
    return {"file": (name, picture() if data is None else data, "image/png")}


parts = client.case("requests.multipart.sync")(lambda url: post(url, files=files(), data={"k": "v"}))
parts.but("another pixel", cause="media")(lambda url: post(url, files=files(other_pixel()), data={"k": "v"}))
parts.but("another name", cause="file-name")(lambda url: post(url, files=files(name="b.png"), data={"k": "v"}))
parts.but("emptied", cause="empty-body")(lambda url: post(url, files=files(b""), data={"k": "v"}))
client.case("requests.multipart.sync.200kb")(lambda url: post(url, files=files(sized(200_000))))


def generated(*chunks: bytes) -> Iterator[bytes]:
    yield from chunks


client.case("requests.generator.sync")(lambda url: post(url, data=generated(b"one", b"two"))).but("another chunk", cause="text")(
    lambda url: post(url, data=generated(b"one", b"six"))
)
client.case("requests.file.sync.bytesio")(lambda url: post(url, data=io.BytesIO(b"one two"))).but("other bytes", cause="text")(
    lambda url: post(url, data=io.BytesIO(b"one six"))
)


@client.case("requests.file.sync")
def open_file(url: str) -> Any:
    with tempfile.TemporaryFile() as file:
        file.write(picture())
        file.seek(0)
        return post(url, data=file)


@client.case("requests.file.sync.twice")
def twice(url: str) -> Any:
    """requests does not rewind: the second upload is empty, live and on replay."""
    file = io.BytesIO(b"one two")
    return [post(url, files={"file": ("a.txt", file)}), post(url, files={"file": ("a.txt", file)})]


for coding in ("gzip", "deflate", "br", "zstd"):
    for decoded in (True, False):
        client.case(f"requests.json.sync.{coding}{'' if decoded else '.kept'}", decode_compressed_response=decoded)(
            lambda url, c=coding: post(url, json={"a": 1}, headers={"x-answer-encoding": c})
        )


def chunks(url: str, size: int | None) -> Any:
    with requests.post(f"{url}/plain/named-events", json={"a": 1}, stream=True, timeout=30) as response:
        return [*response.iter_content(size)]


client.case("requests.events.sync")(lambda url: chunks(url, None))
client.case("requests.events.sync.seven")(lambda url: chunks(url, 7))


@client.case("requests.lines.sync")
def lines(url: str) -> Any:
    with requests.post(f"{url}/plain/named-events", json={"a": 1}, stream=True, timeout=30) as response:
        return [*response.iter_lines()]


client.case("requests.latin1.sync")(lambda url: requests.post(f"{url}/plain/text", timeout=30).text)


@client.case("requests.redirect.sync")
def redirect(url: str) -> Any:
    response = requests.get(f"{url}/plain/moved", timeout=30)
    return [whole(one) for one in (*response.history, response)]


@client.case("requests.poll.sync")
def poll(url: str) -> Any:
    states: list[Any] = []
    with requests.Session() as api:
        while not states or (states[-1]["state"] != "done" and len(states) < 10):
            states.append(api.get(f"{url}/plain/job", params={"id": "requests"}, timeout=30).json())
    return states


@client.case("requests.retry.sync")
def retried(url: str) -> Any:
    """urllib3's own retries, which requests leaves to whoever mounts them."""
    with requests.Session() as api:
        api.mount("http://", requests.adapters.HTTPAdapter(max_retries=urllib3.Retry(3, status_forcelist=[500], allowed_methods=None)))
        return whole(api.post(f"{url}/plain/echo", data=b"fail twice with 500", timeout=30))


def threads(url: str, session: bool) -> Any:
    with requests.Session() as shared, ThreadPoolExecutor(8) as pool:
        api: Any = shared if session else requests
        return [*pool.map(lambda number: api.post(f"{url}/plain/echo", json={"n": number}, timeout=30).json(), range(40))]


client.case("requests.json.sync.threads_8")(lambda url: threads(url, session=False)).but("another one", cause="number")(
    lambda url: post(url, json={"n": 40})
)
client.case("requests.json.sync.threads_8.session")(lambda url: threads(url, session=True))


@client.case("requests.json.sync.threads_8_equal")
def threads_equal(url: str) -> Any:
    with ThreadPoolExecutor(8) as pool:
        return sorted(pool.map(lambda _: requests.post(f"{url}/plain/echo", json={"n": 0}, timeout=30).json()["answer"], range(40)))
