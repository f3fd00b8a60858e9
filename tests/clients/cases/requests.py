"""requests, and urllib3 below it."""

from __future__ import annotations

import io
import secrets
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
import urllib3

from tests.clients.case import REPLAYING, Client
from tests.clients.cases.pictures import other_pixel, picture, sized
from tests.clients.cases.pipe import Pipe
from tests.clients.seen import attempted, headers

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
client.case("requests.multipart.sync.200kb")(lambda url: post(url, files=files(sized(200_000)))).but("another image", cause="media")(
    lambda url: post(url, files=files(sized(200_000, 1)))
)


def related(url: str, name: str = "a.png") -> Any:
    """As Google's upload endpoints take it, whose clients build it by hand."""
    boundary = secrets.token_hex(8)
    json = f'\r\nContent-Type: application/json\r\n\r\n{{"name":"{name}"}}\r\n'.encode()
    body = f"--{boundary}".encode().join([b"", json, b"\r\nContent-Type: image/png\r\n\r\n" + picture() + b"\r\n", b"--\r\n"])
    return post(url, data=body, headers={"content-type": f"multipart/related; boundary={boundary}"})


client.case("requests.multipart_related.sync")(related).but("another name", cause="text")(lambda url: related(url, "b.png"))


def generated(*chunks: bytes) -> Iterator[bytes]:
    yield from chunks


client.case("requests.generator.sync")(lambda url: post(url, data=generated(b"one", b"two"))).but("another chunk", cause="text")(
    lambda url: post(url, data=generated(b"one", b"six"))
)
client.case("requests.file.sync.bytesio")(lambda url: post(url, data=io.BytesIO(b"one two"))).but("other bytes", cause="text")(
    lambda url: post(url, data=io.BytesIO(b"one six"))
)


def open_file(url: str, data: bytes) -> Any:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        return post(url, data=file)


client.case("requests.file.sync")(lambda url: open_file(url, picture())).but("another pixel", cause="media")(
    lambda url: open_file(url, other_pixel())
)


def twice(url: str, data: bytes = b"one two") -> Any:
    """requests does not rewind: the second upload is empty, live and on replay."""
    file = io.BytesIO(data)
    return [post(url, files={"file": ("a.txt", file)}), post(url, files={"file": ("a.txt", file)})]


client.case("requests.file.sync.twice")(twice).but("other bytes", cause="text")(lambda url: twice(url, b"one six"))
client.case("requests.file.sync.unseekable")(lambda url: post(url, data=Pipe(b"one two"))).but("other bytes", cause="text")(
    lambda url: post(url, data=Pipe(b"one six"))
)


for coding in ("gzip", "deflate", "br", "zstd"):
    for decoded in (True, False):
        client.case(f"requests.json.sync.{coding}{'' if decoded else '.kept'}", decode_compressed_response=decoded)(
            lambda url, c=coding: post(url, json={"a": 1}, headers={"x-answer-encoding": c})
        ).but("another value", cause="number")(lambda url, c=coding: post(url, json={"a": 2}, headers={"x-answer-encoding": c}))


def streamed(url: str, value: int = 1) -> Any:
    return requests.post(f"{url}/plain/named-events", json={"a": value}, stream=True, timeout=30)


READ: dict[str, Any] = {
    "events.sync": lambda response: [*response.iter_content(None)],
    "events.sync.seven": lambda response: [*response.iter_content(7)],
    "lines.sync": lambda response: [*response.iter_lines()],
}
for how, read in READ.items():
    client.case(f"requests.{how}")(lambda url, r=read: r(streamed(url))).but("another value", cause="number")(
        lambda url, r=read: r(streamed(url, 2))
    )

client.case("requests.latin1.sync")(lambda url: requests.post(f"{url}/plain/text", timeout=30).text).but("a body", cause="empty-body")(
    lambda url: requests.post(f"{url}/plain/text", json={}, timeout=30).text
)


def followed(url: str, path: str, method: str, **request: Any) -> Any:
    response = requests.request(method, f"{url}/plain/{path}", timeout=30, **request)
    return [whole(one) for one in (*response.history, response)]


client.case("requests.redirect.sync")(lambda url: followed(url, "moved", "GET")).but("another method", cause="method")(
    lambda url: followed(url, "moved", "POST")
)
client.case("requests.redirect.sync.multipart_307")(lambda url: followed(url, "kept", "POST", files=files())).but(
    "another pixel", cause="media"
)(lambda url: followed(url, "kept", "POST", files=files(other_pixel())))
client.case("requests.redirect.sync.file_307")(lambda url: followed(url, "kept", "POST", data=io.BytesIO(b"one two"))).but(
    "other bytes", cause="text"
)(lambda url: followed(url, "kept", "POST", data=io.BytesIO(b"one six")))


def poll(url: str, ident: str = "requests") -> Any:
    """Until it is done; the second run asks once more."""
    states: list[Any] = []
    with requests.Session() as api:
        while not states or (states[-1]["state"] != "done" and len(states) < 10):
            states.append(api.get(f"{url}/plain/job", params={"id": ident}, timeout=30).json())
        if REPLAYING:
            states[-1] = api.get(f"{url}/plain/job", params={"id": ident}, timeout=30).json()
    return states


client.case("requests.poll.sync")(poll).but("another job", cause="url")(lambda url: poll(url, "another"))


def retried(url: str, **request: Any) -> Any:
    """urllib3's own retries, which requests leaves to whoever mounts them."""
    retries = urllib3.Retry(3, status_forcelist=[500, 429], allowed_methods=None, respect_retry_after_header=False)
    with requests.Session() as api:
        api.mount("http://", requests.adapters.HTTPAdapter(max_retries=retries))
        return whole(api.post(f"{url}/plain/echo", timeout=30, **request))


RETRIED: dict[str, Any] = {
    "bytes": lambda data: {"data": data},
    "bytesio": lambda data: {"data": io.BytesIO(data)},
    "multipart": lambda data: {"files": {"file": ("a.txt", data)}},
    "multipart_unseekable": lambda data: {"files": {"file": ("a.txt", Pipe(data))}},
}
for status in (500, 429):
    for kind, made in RETRIED.items():
        failing = f"{kind}: fail twice with {status}".encode()
        client.case(f"requests.retry_{status}.sync.{kind}")(lambda url, m=made, d=failing: retried(url, **m(d))).but(
            "other bytes", cause="text"
        )(lambda url, m=made, d=failing: retried(url, **m(b"two: " + d)))
    # What cannot be rewound urllib3 does not send again: the answer that was had is the only one there is.
    client.case(f"requests.retry_{status}.sync.unseekable", settings={"status": [status]})(
        lambda url, s=status: attempted(
            lambda: retried(url, data=Pipe(f"fail once with {s}".encode())), urllib3.exceptions.UnrewindableBodyError
        )
    ).but("other bytes", cause="text")(lambda url, s=status: retried(url, data=Pipe(f"two: fail once with {s}".encode())))


def threads(url: str, session: bool) -> Any:
    with requests.Session() as shared, ThreadPoolExecutor(8) as pool:
        api: Any = shared if session else requests
        return [*pool.map(lambda number: api.post(f"{url}/plain/echo", json={"n": number}, timeout=30).json(), range(40))]


for way, session in (("", False), (".session", True)):
    client.case(f"requests.json.sync.threads_8{way}")(lambda url, s=session: threads(url, session=s)).but("another one", cause="number")(
        lambda url: post(url, json={"n": 40})
    )


def threads_equal(url: str, value: int = 0) -> Any:
    with ThreadPoolExecutor(8) as pool:
        asked = pool.map(lambda _: requests.post(f"{url}/plain/echo", json={"n": value}, timeout=30).json()["answer"], range(40))
        return sorted(asked)


client.case("requests.json.sync.threads_8_equal")(threads_equal).but("another value", cause="number")(lambda url: threads_equal(url, 1))
