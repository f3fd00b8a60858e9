"""httpx and httpx2, which differ in name only."""

from __future__ import annotations

import asyncio
import io
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.clients.case import REPLAYING, Client
from tests.clients.cases.pictures import other_pixel, picture, sized
from tests.clients.cases.pipe import Pipe
from tests.clients.seen import headers


def whole(response: Any) -> Any:
    """Everything that can be asked of a response."""
    return [response.status_code, response.reason_phrase, response.http_version, headers(response.headers.multi_items()), response.content]


def cases(name: str, lib: Any) -> Client:
    """The cases of one of the two."""
    client = Client(name)

    def post(url: str, **request: Any) -> Any:
        return whole(lib.post(f"{url}/plain/echo", **request))

    async def post_async(url: str, **request: Any) -> Any:
        async with lib.AsyncClient() as api:
            return whole(await api.post(f"{url}/plain/echo", **request))

    plain = client.case(f"{name}.json.sync")(lambda url: post(url, json={"a": 1, "b": [True, None]}))
    plain.but("another value", cause="number")(lambda url: post(url, json={"a": 2, "b": [True, None]}))
    plain.but("a form", cause="content-type")(lambda url: post(url, data={"a": "1", "b": "2"}))
    plain.but("another type", cause="content-type")(
        lambda url: post(url, content=b'{"a":1,"b":[true,null]}', headers={"content-type": "text/plain"})
    )
    plain.but("no body", cause="empty-body")(lambda url: post(url))
    client.case(f"{name}.json.async")(lambda url: post_async(url, json={"a": 1})).but("another value", cause="type")(
        lambda url: post_async(url, json={"a": "1"})
    )
    client.case(f"{name}.text.sync.not_json")(
        lambda url: post(url, content=b'{"model": broken', headers={"content-type": "application/json"})
    ).but("mended", cause="not-json")(lambda url: post(url, content=b'{"model": "gpt"}', headers={"content-type": "application/json"}))
    client.case(f"{name}.form.sync")(lambda url: post(url, data={"a": "1", "b": "x y"})).but("another value", cause="text")(
        lambda url: post(url, data={"a": "1", "b": "x z"})
    )

    def files(data: bytes | None = None, name: str = "a.png") -> Any:
        return {"file": (name, picture() if data is None else data, "image/png")}

    parts = client.case(f"{name}.multipart.sync")(lambda url: post(url, files=files(), data={"k": "v"}))
    parts.but("another pixel", cause="media")(lambda url: post(url, files=files(other_pixel()), data={"k": "v"}))
    parts.but("another name", cause="file-name")(lambda url: post(url, files=files(name="b.png"), data={"k": "v"}))
    parts.but("another field", cause="text")(lambda url: post(url, files=files(), data={"k": "w"}))
    parts.but("emptied", cause="empty-body")(lambda url: post(url, files=files(b""), data={"k": "v"}))
    client.case(f"{name}.multipart.async")(lambda url: post_async(url, files=files())).but("another name", cause="file-name")(
        lambda url: post_async(url, files=files(name="b.png"))
    )
    client.case(f"{name}.multipart.sync.200kb")(lambda url: post(url, files=files(sized(200_000)))).but("another image", cause="media")(
        lambda url: post(url, files=files(sized(200_000, 1)))
    )

    def twice(url: str, file: Any) -> Any:
        return [post(url, files={"file": ("a.txt", file)}), post(url, files={"file": ("a.txt", file)})]

    # It rewinds what can be rewound; of a pipe, the second upload is empty, live and on replay.
    for kind, made in (("bytesio", io.BytesIO), ("unseekable", Pipe)):
        client.case(f"{name}.multipart.sync.{kind}_twice")(lambda url, m=made: twice(url, m(b"one two"))).but("other bytes", cause="text")(
            lambda url, m=made: twice(url, m(b"one six"))
        )

    def insistent(url: str, data: bytes) -> Any:
        """A retry of the caller's own making, which opens the pipe again."""
        for _ in range(3):
            answer = lib.post(f"{url}/plain/echo", files={"file": ("a.txt", Pipe(data))})
            if answer.status_code == 200:
                return whole(answer)
        raise TimeoutError

    for status in (500, 429):
        failing = f"fail twice with {status}".encode()
        client.case(f"{name}.multipart.sync.retry_{status}.reopened")(lambda url, d=failing: insistent(url, d)).but(
            "other bytes", cause="text"
        )(lambda url, d=failing: insistent(url, b"two: " + d))

    def with_boundary(url: str, text: str = "v") -> Any:
        return post(url, files={"k": (None, text)}, headers={"content-type": "multipart/form-data; boundary=fixed"})

    client.case(f"{name}.multipart.sync.fixed_boundary")(with_boundary).but("another field", cause="text")(
        lambda url: with_boundary(url, "w")
    )

    def compound(url: str, kind: str, text: str = "two") -> Any:
        """As Google's and Azure's batch endpoints take it: parts without names, under a boundary of the caller's own making."""
        boundary = secrets.token_hex(16)
        sections = ("", "\r\nContent-Type: application/json\r\n\r\n{}\r\n", f"\r\nContent-Type: text/plain\r\n\r\n{text}\r\n", "--\r\n")
        body = f"--{boundary}".join(sections)
        return post(url, content=body.encode(), headers={"content-type": f'multipart/{kind}; boundary="{boundary}"'})

    for kind in ("mixed", "related"):
        client.case(f"{name}.multipart_{kind}.sync")(lambda url, k=kind: compound(url, k)).but("another part", cause="text")(
            lambda url, k=kind: compound(url, k, "three")
        )

    def generated(*chunks: bytes) -> Iterator[bytes]:
        yield from chunks

    async def generated_async(*chunks: bytes) -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    client.case(f"{name}.generator.sync")(lambda url: post(url, content=generated(b"one", b"two"))).but("another chunk", cause="text")(
        lambda url: post(url, content=generated(b"one", b"three"))
    )
    client.case(f"{name}.generator.async")(lambda url: post_async(url, content=generated_async(b"one", b"two"))).but(
        "another chunk", cause="text"
    )(lambda url: post_async(url, content=generated_async(b"one", b"six")))

    def from_file(url: str, data: bytes) -> Any:
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.seek(0)
            return post(url, content=file)

    client.case(f"{name}.file.sync")(lambda url: from_file(url, picture())).but("another pixel", cause="media")(
        lambda url: from_file(url, other_pixel())
    )

    for coding in ("gzip", "deflate", "br", "zstd"):
        for decoded in (True, False):
            client.case(f"{name}.json.sync.{coding}{'' if decoded else '.kept'}", decode_compressed_response=decoded)(
                lambda url, c=coding: post(url, json={"a": 1}, headers={"x-answer-encoding": c})
            ).but("another value", cause="number")(lambda url, c=coding: post(url, json={"a": 2}, headers={"x-answer-encoding": c}))
    client.case(f"{name}.json.async.zstd")(lambda url: post_async(url, json={"a": 1}, headers={"x-answer-encoding": "zstd"})).but(
        "another value", cause="number"
    )(lambda url: post_async(url, json={"a": 2}, headers={"x-answer-encoding": "zstd"}))

    def chunks(url: str, path: str = "events") -> Any:
        with lib.stream("POST", f"{url}/plain/{path}", json={"a": 1}) as response:
            return [headers(response.headers.multi_items()), [*response.iter_raw()]]

    async def chunks_async(url: str, value: int = 1) -> Any:
        async with lib.AsyncClient() as api, api.stream("POST", f"{url}/plain/named-events", json={"a": value}) as response:
            return [[chunk async for chunk in response.aiter_bytes()], response.status_code]

    client.case(f"{name}.events.sync")(chunks).but("other events", cause="url")(lambda url: chunks(url, "named-events"))
    client.case(f"{name}.events.async")(chunks_async).but("another value", cause="number")(lambda url: chunks_async(url, 2))
    client.case(f"{name}.lines.sync")(lambda url: [*lib.post(f"{url}/plain/events", json={"a": 1}).iter_lines()]).but(
        "another value", cause="number"
    )(lambda url: [*lib.post(f"{url}/plain/events", json={"a": 2}).iter_lines()])

    client.case(f"{name}.latin1.sync")(lambda url: lib.post(f"{url}/plain/text").text).but("a body", cause="empty-body")(
        lambda url: lib.post(f"{url}/plain/text", json={}).text
    )

    def followed(url: str, path: str, **request: Any) -> Any:
        return [whole(one) for one in _history(lib.request(url=f"{url}/plain/{path}", follow_redirects=True, **request))]

    client.case(f"{name}.redirect.sync")(lambda url: followed(url, "moved", method="GET")).but("another method", cause="method")(
        lambda url: followed(url, "moved", method="POST")
    )
    client.case(f"{name}.redirect.sync.multipart_307")(lambda url: followed(url, "kept", method="POST", files=files())).but(
        "another pixel", cause="media"
    )(lambda url: followed(url, "kept", method="POST", files=files(other_pixel())))

    def poll(url: str) -> Any:
        """Until it is done: the recorded order must not be lost, or it never is. The second run asks once more."""
        states: list[Any] = []
        with lib.Client() as api:
            while not states or (states[-1]["state"] != "done" and len(states) < 10):
                states.append(api.get(f"{url}/plain/job", params={"id": name}).json())
            if REPLAYING:
                states[-1] = api.get(f"{url}/plain/job", params={"id": name}).json()
        return states

    client.case(f"{name}.poll.sync")(poll).but("another job", cause="url")(
        lambda url: lib.get(f"{url}/plain/job", params={"id": "x"}).status_code
    )

    def methods(url: str) -> Any:
        with lib.Client() as api:
            return [whole(api.request(method, f"{url}/plain/echo", json={"a": 1})) for method in ("POST", "PUT", "PATCH", "post")]

    client.case(f"{name}.methods.sync")(methods).but("another method", cause="method")(
        lambda url: lib.request("DELETE", f"{url}/plain/echo", json={"a": 1}).status_code
    )

    def threads(url: str) -> Any:
        with lib.Client() as api, ThreadPoolExecutor(8) as pool:
            return [*pool.map(lambda number: api.post(f"{url}/plain/echo", json={"n": number}).json(), range(40))]

    client.case(f"{name}.json.sync.threads_8")(threads).but("another one", cause="number")(lambda url: post(url, json={"n": 40}))

    async def gathered(url: str, numbers: list[int]) -> Any:
        async with lib.AsyncClient() as api:
            asked = [api.post(f"{url}/plain/echo", json={"n": number}) for number in numbers]
            answers = [one.json()["answer"] for one in await asyncio.gather(*asked)]
        return answers if len(set(numbers)) > 1 else sorted(answers)

    client.case(f"{name}.json.async.gather_50")(lambda url: gathered(url, [*range(50)])).but("one more", cause="number")(
        lambda url: gathered(url, [*range(51)])
    )
    client.case(f"{name}.json.async.gather_50_equal")(lambda url: gathered(url, [0] * 50)).but("another value", cause="number")(
        lambda url: gathered(url, [1] * 50)
    )
    return client


def _history(response: Any) -> list[Any]:
    return [*response.history, response]
