"""urllib3 by itself, and urllib.request of the standard library."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import urllib3

from tests.clients.case import Client
from tests.clients.cases.pictures import other_pixel, picture
from tests.clients.cases.pipe import Pipe
from tests.clients.seen import attempted, headers

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
client.case("urllib3.generator.sync")(lambda url: pool(url, body=iter([b"one", b"two"]))).but("another chunk", cause="text")(
    lambda url: pool(url, body=iter([b"one", b"six"]))
)
client.case("urllib3.file.sync.unseekable")(lambda url: pool(url, body=Pipe(b"one two"))).but("other bytes", cause="text")(
    lambda url: pool(url, body=Pipe(b"one six"))
)
client.case("urllib3.redirect.sync")(lambda url: pool(url, "moved", "GET")).but("another method", cause="method")(
    lambda url: pool(url, "moved", "PUT")
)
client.case("urllib3.redirect.sync.multipart_307")(lambda url: pool(url, "kept", fields={"file": ("a.png", picture(), "image/png")})).but(
    "another pixel", cause="media"
)(lambda url: pool(url, "kept", fields={"file": ("a.png", other_pixel(), "image/png")}))

for coding in ("gzip", "deflate", "br", "zstd"):
    client.case(f"urllib3.json.sync.{coding}")(lambda url, c=coding: pool(url, json={"a": 1}, headers={"x-answer-encoding": c})).but(
        "another value", cause="number"
    )(lambda url, c=coding: pool(url, json={"a": 2}, headers={"x-answer-encoding": c}))

RETRIES = urllib3.Retry(3, status_forcelist=[500, 429], allowed_methods=None, respect_retry_after_header=False)
for status in (500, 429):
    for kind, made in (("bytes", bytes), ("bytesio", io.BytesIO)):
        failing = f"{kind}: fail twice with {status}".encode()
        client.case(f"urllib3.retry_{status}.sync.{kind}")(lambda url, m=made, d=failing: pool(url, body=m(d), retries=RETRIES)).but(
            "other bytes", cause="text"
        )(lambda url, m=made, d=failing: pool(url, body=m(b"two: " + d), retries=RETRIES))
    # What cannot be rewound is not sent again: the answer that was had is the only one there is.
    client.case(f"urllib3.retry_{status}.sync.unseekable", settings={"status": [status]})(
        lambda url, s=status: attempted(
            lambda: pool(url, body=Pipe(f"fail once with {s}".encode()), retries=RETRIES), urllib3.exceptions.UnrewindableBodyError
        )
    ).but("other bytes", cause="text")(lambda url, s=status: pool(url, body=Pipe(f"two: fail once with {s}".encode()), retries=RETRIES))


def events(url: str, value: int = 1) -> Any:
    response = urllib3.PoolManager().request("POST", f"{url}/plain/events", json={"a": value}, preload_content=False)
    return [*response.stream()]


client.case("urllib3.events.sync")(events).but("another value", cause="number")(lambda url: events(url, 2))


def threads(url: str, count: int = 40) -> Any:
    api = urllib3.PoolManager(maxsize=8)
    with ThreadPoolExecutor(8) as workers:
        return [*workers.map(lambda number: api.request("POST", f"{url}/plain/echo", json={"n": number}).json(), range(count))]


client.case("urllib3.json.sync.threads_8")(threads).but("one more", cause="number")(lambda url: threads(url, 41))


def opened(url: str, data: Any = None, path: str = "echo", method: str | None = None, **extra: str) -> Any:
    body = json.dumps(data).encode() if data is not None else None
    request = urllib.request.Request(f"{url}/plain/{path}", body, {"content-type": "application/json", **extra}, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        return [response.status, response.reason, headers(response.headers.items()), response.read(), response.url]


standard = client.case("urllib.request.json.sync")(lambda url: opened(url, {"a": 1}))
standard.but("another value", cause="number")(lambda url: opened(url, {"a": 2}))
standard.but("another type", cause="content-type")(lambda url: opened(url, {"a": 1}, **{"content-type": "text/plain"}))
standard.but("another method", cause="method")(lambda url: opened(url, {"a": 1}, method="PUT"))
client.case("urllib.request.redirect.sync")(lambda url: opened(url, path="moved")).but("another path", cause="url")(
    lambda url: opened(url, path="landed")
)
client.case("urllib.request.get.sync")(lambda url: opened(url, path="landed")).but("another query", cause="url")(
    lambda url: opened(url, path="landed?" + urllib.parse.urlencode({"a": 1}))
)
client.case("urllib.request.json.sync.gzip")(lambda url: opened(url, {"a": 1}, **{"x-answer-encoding": "gzip"})).but(
    "another value", cause="number"
)(lambda url: opened(url, {"a": 2}, **{"x-answer-encoding": "gzip"}))


def sent(url: str, body: Any) -> Any:
    """A retry of the caller's own making, which makes the body anew: urllib has none of its own."""
    for _ in range(3):
        request = urllib.request.Request(f"{url}/plain/echo", body(), {"content-type": "text/plain"})
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return [response.status, response.read()]
        except urllib.error.HTTPError as error:
            error.close()
    raise TimeoutError


for status in (500, 429):
    for kind, made in (("bytes", bytes), ("bytesio", io.BytesIO), ("unseekable", Pipe)):
        failing = f"urllib {kind}: fail twice with {status}".encode()
        client.case(f"urllib.request.retry_{status}.sync.{kind}")(lambda url, m=made, d=failing: sent(url, lambda: m(d))).but(
            "other bytes", cause="text"
        )(lambda url, m=made, d=failing: sent(url, lambda: m(b"two: " + d)))


def standard_threads(url: str, count: int = 40) -> Any:
    with ThreadPoolExecutor(8) as workers:
        return [*workers.map(lambda number: opened(url, {"n": number})[3], range(count))]


client.case("urllib.request.json.sync.threads_8")(standard_threads).but("one more", cause="number")(lambda url: standard_threads(url, 41))
