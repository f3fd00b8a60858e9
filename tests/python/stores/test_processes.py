"""Several processes on one cassette: nothing is lost, and nothing is paid for twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from llm_vcr.stores import lease
from llm_vcr.stores.lease import Leases
from llm_vcr.stores.redis import RedisStore

from tests.python.stores.processes import SlowProvider, record_at_once, save_at_once
from tests.redis_server import RedisServer


@pytest.fixture
def slow() -> Iterator[SlowProvider]:
    made = SlowProvider(0.3)
    yield made
    made.stop()


def test_processes_that_save_at_once_lose_nothing(server: RedisServer) -> None:
    save_at_once(server, 8, 60)


def test_what_was_told_to_be_saved_survives_a_killed_server() -> None:
    with RedisServer(durable=True) as server:
        save_at_once(server, 4, 48, restarts=2)


@pytest.mark.parametrize("manner", ["sequential", "gather"])
def test_one_records_and_the_others_play(server: RedisServer, slow: SlowProvider, tmp_path: Path, manner: str) -> None:
    record_at_once(server, slow, tmp_path, manner, kill=False, processes=4, questions=6)


@pytest.mark.parametrize("manner", ["sequential", "gather"])
def test_when_the_holder_is_killed_another_one_records(server: RedisServer, slow: SlowProvider, tmp_path: Path, manner: str) -> None:
    record_at_once(server, slow, tmp_path, manner, kill=True, processes=4, questions=6)


def test_a_lease_is_renewed_while_it_is_held_and_gone_when_given_back(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE", 0.5)
    monkeypatch.setattr(lease, "HEARTBEAT", 0.1)
    leases = Leases.of(store)
    assert leases is not None
    assert leases.take("a")
    assert not leases.take("a")
    renewed = threading.Event()
    renew = store.renew
    monkeypatch.setattr(store, "renew", lambda *arguments: (renew(*arguments), renewed.set()))
    for _ in range(8):
        renewed.clear()
        assert renewed.wait(10)
    assert store.is_leased("a"), "held for longer than it lasts by itself"
    leases.give_back("a")
    assert not store.is_leased("a")


def test_nobody_gives_back_what_another_one_has(store: RedisStore) -> None:
    assert store.acquire("a", "me", 5)
    assert not store.acquire("a", "you", 5)
    store.release("a", "you")
    store.renew(["a"], "you", 500)
    assert store._client.pttl("llm-vcr:lease:p/a") <= 5000
    assert store.is_leased("a")
    store.release("a", "me")
    assert not store.is_leased("a")


def test_who_holds_a_lease_never_waits(store: RedisStore) -> None:
    leases = Leases.of(store)
    assert leases is not None
    assert store.acquire("b", "somebody", 60)
    mine, theirs = leases.flight("a", 1000), leases.flight("b", 1000)
    assert mine.must_look_again(), "it is mine now; somebody may have recorded before"
    assert not mine.must_look_again()
    assert not theirs.must_look_again(), "two that wait for each other would wait for ever"
    mine.land()
    assert not store.is_leased("a")
    assert store.is_leased("b")


def test_patience_ends(store: RedisStore) -> None:
    assert store.acquire("a", "somebody", 60)
    leases = Leases.of(store)
    assert leases is not None
    waiting = leases.flight("a", 0.2)
    assert waiting.must_look_again(), "after the wait, what others stored is looked at once more"
    assert not waiting.must_look_again()
    waiting.land()
    assert store.is_leased("a")
