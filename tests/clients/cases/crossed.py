"""A cassette recorded through one client and replayed through another: whoever changes transports need not record anew."""

from __future__ import annotations

from typing import Any

import aiohttp
import httpx
import httpx2
import requests
import urllib3

from tests.clients.case import REPLAYING, Client
from tests.clients.cases.pictures import other_pixel, picture

client = Client("crossed")

CODED = {"x-answer-encoding": "gzip"}


async def over_aiohttp(url: str, value: Any) -> Any:
    async with aiohttp.ClientSession() as api, api.post(f"{url}/plain/echo", json=value, headers=CODED) as response:
        return await response.read()


CLIENTS: dict[str, Any] = {
    "httpx": lambda url, value: httpx.post(f"{url}/plain/echo", json=value, headers=CODED).content,
    "httpx2": lambda url, value: httpx2.post(f"{url}/plain/echo", json=value, headers=CODED).content,
    "requests": lambda url, value: requests.post(f"{url}/plain/echo", json=value, headers=CODED, timeout=30).content,
    "urllib3": lambda url, value: urllib3.PoolManager().request("POST", f"{url}/plain/echo", json=value, headers=CODED).data,
    "aiohttp": over_aiohttp,
}

for one, first in CLIENTS.items():
    for other, second in CLIENTS.items():
        if one == other:
            continue
        client.case(f"{one}.to_{other}.gzip", decode_compressed_response=True)(
            lambda url, first=first, second=second: (second if REPLAYING else first)(url, {"a": 1})
        ).but("another value", cause="number")(lambda url, second=second: second(url, {"a": 2}))


def file(data: bytes) -> Any:
    return {"file": ("a.png", data, "image/png")}


async def form_over_aiohttp(url: str, data: bytes) -> Any:
    form = aiohttp.FormData()
    form.add_field("file", data, filename="a.png", content_type="image/png")
    async with aiohttp.ClientSession() as api, api.post(url, data=form) as response:
        return await response.read()


FORMS: dict[str, Any] = {
    "httpx": lambda url, data: httpx.post(url, files=file(data), follow_redirects=True).content,
    "httpx2": lambda url, data: httpx2.post(url, files=file(data), follow_redirects=True).content,
    "requests": lambda url, data: requests.post(url, files=file(data), timeout=30).content,
    "urllib3": lambda url, data: urllib3.PoolManager().request("POST", url, fields=file(data)).data,
    "aiohttp": form_over_aiohttp,
}
# To where it is answered, and to where it is sent on (307), which asks for the form a second time.
for name, path in (("multipart", "echo"), ("multipart_307", "kept")):
    for one, first in FORMS.items():
        for other, second in FORMS.items():
            if one == other:
                continue
            client.case(f"{one}.to_{other}.{name}")(
                lambda url, first=first, second=second, p=path: (second if REPLAYING else first)(f"{url}/plain/{p}", picture())
            ).but("another pixel", cause="media")(lambda url, second=second, p=path: second(f"{url}/plain/{p}", other_pixel()))
