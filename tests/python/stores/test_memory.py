"""Answers that only their own cycles hold make room for the next large cassette."""

from __future__ import annotations

import gc
import math
import os
import weakref
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from llm_vcr.stores import Store
from llm_vcr.stores.base import CassetteRecord
from llm_vcr.stores.file import FileStore
from llm_vcr.stores.memory import _GENERATIONS, LARGE

from tests.python.stores.conftest import episode, record

pytestmark = pytest.mark.skipif(not _GENERATIONS, reason="every collection of a Python without the GIL is a whole one")


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """One that does not come by itself."""
    before = gc.get_threshold()
    gc.set_threshold(0)
    yield
    gc.set_threshold(*before)
    gc.enable()


@pytest.fixture(params=["file", "redis"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store with a small and a large cassette."""
    made: Store = FileStore(tmp_path) if request.param == "file" else request.getfixturevalue("store")
    large = CassetteRecord((episode(answer=os.urandom(LARGE)),))
    for name, what in (("small.yaml", record(1)), ("large.yaml", large)):
        made.merge(name, what, ttl=3600, keep=math.inf)
    return made


def answered() -> weakref.ref[httpx.Response]:
    """An answer that nobody has any more."""
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, text="hello"))) as client:
        return weakref.ref(client.get("https://h/"))


def test_a_large_cassette_takes_the_memory_of_answers_that_nobody_has(filled: Store) -> None:
    answer = answered()
    filled.load("small.yaml")
    assert answer() is not None
    assert filled.load("large.yaml") is not None
    assert answer() is None


def test_an_answer_that_somebody_has_stays(filled: Store) -> None:
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, text="hello"))) as client:
        answer = client.get("https://h/")
    filled.load("large.yaml")
    assert answer.text == "hello"


def test_a_collector_that_was_turned_off_stays_off(filled: Store) -> None:
    gc.disable()
    answer = answered()
    filled.load("large.yaml")
    assert answer() is not None
