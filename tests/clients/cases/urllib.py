"""urllib3 by itself, and urllib.request of the standard library."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import urllib3

from tests.clients.case import Client
from tests.clients.cases.pictures import other_pixel, picture
from tests.clients.seen import headers

client = Client("urllib")


def pool(url: str, path: str = "echo", method: str = "POST", **request: Any) -> Any:
    response = urllib3.PoolManager().request(method, f"{url}/plain/{path}", **request)
    return [response.status, response.reason, headers(response.headers.items()), response.data]


plain = client.case("urllib3.json.sync")(lambda url: pool(url, json={"a": 1}))
plain.but("another value", cause="number")(lambda url: pool(url, json={"a": 1.5}))
plain.but("another method", cause="method")(lambda url: pool(url, method="PUT", json={"a": 1}))
plain.but("another path", cause="url")(lambda url: pool(url, "form", json={"a": 1}))


def parts(url: str, data: bytes, name: str = "a.png") -> Any:
    return pool(url, fields={"k": "v", "file": (name, data, "image/png")})


uploaded = client.case("urllib3.multipart.sync")(lambda url: parts(url, picture()))
uploaded.but("another pixel", cause="media")(lambda url: parts(url, other_pixel()))
uploaded.but("another name", cause="file-name")(lambda url: parts(url, picture(), "b.png"))
client.case("urllib3.generator.sync")(lambda url: pool(url, body=iter([b"one", b"two"])))
client.case("urllib3.redirect.sync")(lambda url: pool(url, "moved", "GET"))

for coding in ("gzip", "deflate", "br", "zstd"):
    client.case(f"urllib3.json.sync.{coding}")(lambda url, c=coding: pool(url, json={"a": 1}, headers={"x-answer-encoding": c}))


@client.case("urllib3.events.sync")
def events(url: str) -> Any:
    response = urllib3.PoolManager().request("POST", f"{url}/plain/events", json={"a": 1}, preload_content=False)
    return [*response.stream()]


@client.case("urllib3.json.sync.threads_8")
def threads(url: str) -> Any:
    api = urllib3.PoolManager(maxsize=8)
    with ThreadPoolExecutor(8) as workers:
        return [*workers.map(lambda number: api.request("POST", f"{url}/plain/echo", json={"n": number}).json(), range(40))]


def opened(url: str, data: Any = None, path: str = "echo", method: str | None = None, **extra: str) -> Any:
    body = json.dumps(data).encode() if data is not None else None
    request = urllib.request.Request(f"{url}/plain/{path}", body, {"content-type": "application/json", **extra}, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        return [response.status, response.reason, headers(response.headers.items()), response.read(), response.url]


standard = client.case("urllib.request.json.sync")(lambda url: opened(url, {"a": 1}))
standard.but("another value", cause="number")(lambda url: opened(url, {"a": 2}))
standard.but("another type", cause="content-type")(lambda url: opened(url, {"a": 1}, **{"content-type": "text/plain"}))
standard.but("another method", cause="method")(lambda url: opened(url, {"a": 1}, method="PUT"))
client.case("urllib.request.redirect.sync")(lambda url: opened(url, path="moved"))
client.case("urllib.request.get.sync")(lambda url: opened(url, path="landed")).but("another query", cause="url")(
    lambda url: opened(url, path="landed?" + urllib.parse.urlencode({"a": 1}))
)
client.case("urllib.request.json.sync.gzip")(lambda url: opened(url, {"a": 1}, **{"x-answer-encoding": "gzip"}))


@client.case("urllib.request.json.sync.threads_8")
def standard_threads(url: str) -> Any:
    with ThreadPoolExecutor(8) as workers:
        return [*workers.map(lambda number: opened(url, {"n": number})[3], range(40))]
