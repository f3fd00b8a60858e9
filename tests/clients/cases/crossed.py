"""A cassette recorded through one client and replayed through another: whoever changes transports need not record anew."""

from __future__ import annotations

import os
from typing import Any

import aiohttp
import httpx
import httpx2
import requests
import urllib3

from tests.clients.case import Client
from tests.clients.cases.pictures import other_pixel, picture

client = Client("crossed")

CODED = {"x-answer-encoding": "gzip"}
# Which of two clients is meant: the first one records. The runner tells its processes what they are for.
REPLAYING = os.environ.get("CLIENTS_PHASE") == "replay"


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


FORMS: dict[str, Any] = {
    "httpx": lambda url, data: httpx.post(f"{url}/plain/echo", files={"file": ("a.png", data, "image/png")}).json()["answer"],
    "requests": lambda url, data: requests.post(f"{url}/plain/echo", files={"file": ("a.png", data, "image/png")}, timeout=30).json()[
        "answer"
    ],
}
for one, other in (("httpx", "requests"), ("requests", "httpx")):
    client.case(f"{one}.to_{other}.multipart")(lambda url, pair=(one, other): FORMS[pair[REPLAYING]](url, picture())).but(
        "another pixel", cause="media"
    )(lambda url, pair=(one, other): FORMS[pair[1]](url, other_pixel()))
