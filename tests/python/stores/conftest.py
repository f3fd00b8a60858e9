"""A redis-server for the tests of this folder, and episodes to keep in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from llm_vcr.stores.base import CassetteRecord, Episode
from llm_vcr.stores.packed import HEADER, Stamps
from llm_vcr.stores.redis import RedisStore
from redis import Redis

from tests.redis_server import RedisServer


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def server(redis_server: RedisServer) -> RedisServer:
    """The shared one, empty."""
    redis_server.client().flushall()
    return redis_server


@pytest.fixture
def store(server: RedisServer) -> Iterator[RedisStore]:
    made = RedisStore(server.url, project="p")
    yield made
    made.close()


def episode(number: int = 0, *, answer: bytes | str = b"", body: bytes | None = b"", **more: Any) -> Episode:
    request = {
        "method": "POST",
        "uri": "https://api.example.com/v1/chat",
        "headers": {"content-type": ["application/json"]},
        "body": body if body != b"" else b'{"n": %d}' % number,
    }
    response = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"Content-Type": ["application/json"]},
        "body": {"string": answer or b'{"answer": %d}' % number},
        **more,
    }
    return Episode(request, response)


def record(*numbers: int, **more: Any) -> CassetteRecord:
    return CassetteRecord(tuple(episode(number) for number in numbers), **more)


def answers(found: CassetteRecord | None) -> list[bytes]:
    return [one.response["body"]["string"] for one in found.episodes] if found is not None else []


def is_episode(field: bytes) -> bool:
    """Whether a field of a cassette in Redis is an episode's."""
    return field != b"meta" and not field.startswith((b"aside:", b"pack:"))


def age(client: Redis, key: str | bytes, seconds: float) -> None:
    """Let all episodes of a cassette be recorded so long ago."""
    for field, value in client.hgetall(key).items():
        if is_episode(field):
            stamps = Stamps.unpack(value)
            older = Stamps(*(one - int(seconds) for one in (stamps.fresh_until, stamps.keep_until, stamps.played)), stamps.order)
            client.hset(key, field, older.pack() + value[HEADER:])
