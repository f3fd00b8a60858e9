"""The shared store against a real redis-server."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from llm_vcr import ConfigError, StoreUnavailableError, config, open_store
from llm_vcr.matchers import Matchers
from llm_vcr.persister import _episode
from llm_vcr.stores import packed
from llm_vcr.stores.base import CassetteRecord, Episode, MergeResult, Store
from llm_vcr.stores.packed import HEADER, LAYOUT, MANY, Stamps
from llm_vcr.stores.redis import RedisStore, _wired
from llm_vcr.vcr_request import Request

from tests.python.stores import conftest
from tests.python.stores.conftest import answers, episode, record
from tests.redis_server import RedisServer

HOUR = 3600.0
ID = "tests/cassettes/test_a/test_b.yaml"


def merge(store: Store, what: CassetteRecord, cassette_id: str = ID, *, ttl: float = HOUR, cap: int | None = 50) -> MergeResult:
    return store.merge(cassette_id, what, ttl=ttl, keep=7 * ttl, cap=cap)


def age(store: RedisStore, seconds: float) -> None:
    """Let all episodes of the cassette be recorded so long ago."""
    conftest.age(store._client, store.key(ID), seconds)


def places(store: RedisStore) -> dict[bytes, bytes]:
    """Where each episode of the cassette lies."""
    fields = store._client.hgetall(store.key(ID))
    return {field: value[HEADER:] for field, value in fields.items() if conftest.is_episode(field)}


def packs(store: RedisStore) -> set[bytes]:
    return {field for field in store._client.hkeys(store.key(ID)) if field.startswith(b"pack:")}


def test_what_is_stored_comes_back_in_recorded_order(store: RedisStore) -> None:
    assert store.load(ID) is None
    what = record(3, 1, 2, metadata={"by": "me"})
    assert merge(store, what) == MergeResult(kept=3)
    found = store.load(ID)
    assert found is not None
    assert found.episodes == what.episodes
    assert found.metadata == {"by": "me"}
    assert not found.unreadable
    assert not any(one.is_stale() for one in found.episodes)
    assert list(found.keyed()) == list(what.keyed())


ARGUMENTS = st.lists(st.one_of(st.text(max_size=20), st.binary(max_size=20), st.integers(), st.just(b"x" * 9000)), max_size=4)


@given(st.lists(ARGUMENTS, max_size=4))
def test_commands_are_sent_as_redis_py_sends_them(several: list[list[Any]]) -> None:
    commands = [("SET", *arguments) for arguments in several]
    assert b"".join(_wired(commands)) == b"".join(redis.Connection().pack_commands(commands))


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.sampled_from(["\0bytes", "a", "b"]), st.integers()), inner, max_size=3),
    ),
)


@given(VALUES)
def test_what_counts_as_plain_comes_back_from_json(value: Any) -> None:
    if packed._is_plain(value):
        assert json.loads(packed._encoder.encode(value), object_hook=packed._untagged) == packed._lists(value)


@given(st.binary(max_size=60), st.sampled_from([{}, {"content-type": ["application/json"]}]))
def test_a_fingerprint_that_is_known_gives_the_same_key(body: bytes, headers: dict[str, list[str]]) -> None:
    asked = Request("POST", "https://h/v1", body, {name: values[0] for name, values in headers.items()})
    Matchers().fingerprint(asked)
    plain, ignoring = (_episode(asked, {}, plain_rules=one) for one in (True, False))
    assert plain.body_print is not None and ignoring.body_print is None  # noqa: PT018
    assert CassetteRecord((plain,)).keyed().keys() == CassetteRecord((ignoring,)).keyed().keys()


@pytest.mark.parametrize(
    "exotic",
    [
        episode(1, answer="text, not bytes: ü \udc80"),
        episode(1, http_version="HTTP/2", extra={"n": [1, 2.5, None, True], "raw": b"\xff\0"}),
        episode(1, body=None),
        Episode({"method": "GET", "uri": "https://x/ü?q=*", "headers": {"X": ["a", "b"]}, "body": b"\xff\xfe"}, {"status_code": 200}),
        Episode({"method": "GET", "uri": "https://x", "headers": {}, "body": None}, {"status": {"message": None}, "body": {"string": b""}}),
    ],
)  # fmt: skip
def test_nothing_of_an_episode_is_lost(store: RedisStore, exotic: Episode) -> None:
    merge(store, CassetteRecord((exotic,)))
    found = store.load(ID)
    assert found is not None
    assert found.episodes == (exotic,)
    assert type(found.episodes[0].response.get("body", {}).get("string")) is type(exotic.response.get("body", {}).get("string"))


def test_what_cannot_come_back_as_it_was_is_not_stored(store: RedisStore) -> None:
    with pytest.raises(Exception, match="cannot be stored"):
        merge(store, CassetteRecord((episode(1, extra={1: 2}),)))
    with pytest.raises(Exception, match=r"cannot be stored: .*object"):
        merge(store, CassetteRecord((episode(1, extra=object()),)))
    assert store.load(ID) is None


def test_equal_requests_keep_their_order(store: RedisStore) -> None:
    first, second = episode(1, answer=b"first"), episode(1, answer=b"second")
    merge(store, CassetteRecord((first, second)))
    found = store.load(ID)
    assert answers(found) == [b"first", b"second"]
    assert found is not None
    # The first is stale and was recorded anew: it takes the ordinal that is free, and the second keeps its own.
    anew = episode(1, answer=b"first again")
    age(store, 2 * HOUR)
    stale = store.load(ID)
    assert stale is not None
    kept = replace(stale.episodes[1])
    merge(store, CassetteRecord((kept, anew), base=stale))
    assert answers(store.load(ID)) == [b"second", b"first again"]


def test_a_fresh_episode_stays_and_a_stale_one_is_replaced(store: RedisStore) -> None:
    merge(store, CassetteRecord((episode(1, answer=b"mine"),)))
    theirs = CassetteRecord((episode(1, answer=b"theirs"), episode(2)))
    assert merge(store, theirs) == MergeResult(kept=2, from_others=1)
    assert answers(store.load(ID)) == [b"mine", b'{"answer": 2}']
    age(store, 1.2 * HOUR)
    found = store.load(ID)
    assert found is not None
    assert all(one.is_stale() for one in found.episodes)
    assert merge(store, CassetteRecord((episode(1, answer=b"new"),), base=found)) == MergeResult(kept=2)
    again = store.load(ID)
    assert sorted(answers(again)) == [b"new", b'{"answer": 2}']
    assert again is not None
    assert {one.response["body"]["string"]: one.is_stale() for one in again.episodes} == {b"new": False, b'{"answer": 2}': True}


def test_a_rewrite_takes_the_place_of_what_its_writer_saw_and_of_nothing_else(store: RedisStore) -> None:
    merge(store, record(1, 2))
    base = store.load(ID)
    merge(store, record(3))
    what = CassetteRecord((episode(1, answer=b"rewritten"),), base=base, replace=True)
    assert merge(store, what).kept == 2
    assert sorted(answers(store.load(ID))) == [b"rewritten", b'{"answer": 3}']


def test_two_writers_that_know_nothing_of_each_other_lose_nothing(store: RedisStore) -> None:
    merge(store, record(1))
    base = store.load(ID)
    assert base is not None
    for number in (2, 3):
        merge(store, CassetteRecord((*base.episodes, episode(number)), base=base))
    assert len(answers(store.load(ID))) == 3


def test_a_repeated_save_is_one(store: RedisStore) -> None:
    what = record(1, 2)
    merge(store, what)
    assert merge(store, what) == MergeResult(kept=2)


def test_ttl_has_jitter_and_keep_is_when_redis_forgets(store: RedisStore) -> None:
    spread = set()
    for number in range(20):
        merge(store, record(1), f"c{number}")
        (value,) = (value for field, value in store._client.hgetall(store.key(f"c{number}")).items() if conftest.is_episode(field))
        spread.add(Stamps.unpack(value).fresh_until - int(time.time()))
        assert 7 * HOUR - 10 <= store._client.ttl(store.key(f"c{number}")) <= 7.01 * HOUR
    assert min(spread) >= 0.9 * HOUR - 5
    assert max(spread) <= 1.1 * HOUR + 5
    assert len(spread) > 5


def test_reading_extends_nothing(store: RedisStore) -> None:
    merge(store, record(1))
    before = store._client.hgetall(store.key(ID))
    store._client.expire(store.key(ID), 100)
    store.load(ID)
    store.load(ID)
    assert store._client.hgetall(store.key(ID)) == before
    assert store._client.ttl(store.key(ID)) <= 100


def test_what_never_expires(store: RedisStore) -> None:
    noise = os.urandom(9000)
    merge(store, CassetteRecord((episode(1, answer=noise),)), ttl=math.inf)
    assert [store._client.ttl(key) for key in store._client.keys("*")] == [-1, -1]
    found = store.load(ID)
    assert found is not None
    assert found.episodes[0].fresh_until == math.inf


def test_large_payloads_are_shared_and_live_as_long_as_the_last_that_needs_them(store: RedisStore) -> None:
    noise = os.urandom(50_000)
    merge(store, CassetteRecord((episode(1, answer=noise),)), "a", ttl=10 * HOUR)
    merge(store, CassetteRecord((episode(2, answer=noise),)), "b", ttl=HOUR)
    (blob,) = store._client.keys("llm-vcr:blob:*")
    assert len(noise) < store._client.strlen(blob) < len(noise) + 40
    assert store._client.ttl(blob) > 70 * HOUR
    assert store._client.memory_usage(store.key("b")) < 2000
    assert answers(store.load("a")) == answers(store.load("b")) == [noise]
    store.delete("a")
    assert answers(store.load("b")) == [noise]


def test_a_payload_that_no_episode_needs_expires(store: RedisStore) -> None:
    # What a writer leaves that dies, or is refused, between its payloads and its episodes.
    store._client.set(store.key(ID), "not ours")
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        merge(store, CassetteRecord((episode(1, answer=os.urandom(9000)),)))
    (blob,) = store._client.keys("llm-vcr:blob:*")
    assert 0 < store._client.ttl(blob) < 9 * HOUR


def test_a_fork_has_connections_of_its_own(store: RedisStore) -> None:
    merge(store, record(1))
    child = os.fork()
    if child == 0:
        loaded = all(answers(store.load(ID)) == [b'{"answer": 1}'] for _ in range(200))
        os._exit(0 if loaded else 1)
    assert all(answers(store.load(ID)) == [b'{"answer": 1}'] for _ in range(200))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_payload_that_is_gone_costs_its_episode_only(store: RedisStore) -> None:
    merge(store, CassetteRecord((episode(1, answer=os.urandom(9000)), episode(2))))
    store._client.delete(*store._client.keys("llm-vcr:blob:*"))
    found = store.load(ID)
    assert answers(found) == [b'{"answer": 2}']
    assert found is not None
    assert "payload" in next(iter(found.unreadable.values()))
    again = CassetteRecord((*found.episodes, episode(1, answer=b"new")), base=found)
    assert merge(store, again).kept == 2
    assert answers(store.load(ID)) == [b'{"answer": 2}', b"new"]


@pytest.mark.parametrize("damage", ["cut", "newer layout", "older layout", "text", "of no pack", "beyond its pack"])
def test_what_cannot_be_read_is_kept_aside_and_never_destroyed(store: RedisStore, damage: str) -> None:
    merge(store, record(1, 2))
    found = store.load(ID)
    assert found is not None
    field = found.episodes[0].key
    assert field is not None
    whole = store._client.hget(store.key(ID), field)
    damaged = {
        "cut": whole[:-9],
        "newer layout": b"\x09" + whole[1:],
        "older layout": b"\x01" + whole[1:],
        "text": b"a text of somebody else's, long enough",
        "of no pack": whole[:HEADER] + b"nopack\0\0",
        "beyond its pack": whole[:-2] + b"\x01\0",
    }[damage]
    store._client.hset(store.key(ID), field, damaged)
    seen = store.load(ID)
    assert answers(seen) == [b'{"answer": 2}']
    assert seen is not None
    assert set(seen.unreadable) == {field}
    assert store._client.hget(store.key(ID), field) == damaged
    merge(store, CassetteRecord((*seen.episodes, episode(1, answer=b"new")), base=seen))
    assert sorted(answers(store.load(ID))) == [b"new", b'{"answer": 2}']
    assert damaged in store._client.hvals(store.key(ID))
    assert merge(store, CassetteRecord((episode(3),))).kept == 3


@pytest.mark.parametrize("damage", ["cut", "flipped", "newer", "gone"])
def test_a_damaged_pack_is_kept_aside_with_all_that_lies_in_it(store: RedisStore, damage: str) -> None:
    merge(store, record(1, 2))
    (pack,) = packs(store)
    whole = store._client.hget(store.key(ID), pack)
    flipped = whole[:-20] + bytes([whole[-20] ^ 0xFF]) + whole[-19:]
    damaged = {"cut": whole[:-9], "flipped": flipped, "newer": b"\x09" + whole[1:]}.get(damage)
    if damaged is None:
        store._client.hdel(store.key(ID), pack)
    else:
        store._client.hset(store.key(ID), pack, damaged)
    merge(store, record(3))
    seen = store.load(ID)
    assert answers(seen) == [b'{"answer": 3}']
    assert seen is not None
    assert set(seen.unreadable) == set(record(1, 2).keyed())
    merge(store, CassetteRecord((*seen.episodes, episode(1, answer=b"new"), episode(2)), base=seen))
    assert sorted(answers(store.load(ID))) == [b"new", b'{"answer": 2}', b'{"answer": 3}']
    assert store._client.hget(store.key(ID), pack) == damaged


def test_a_pack_goes_with_the_last_episode_in_it(store: RedisStore) -> None:
    merge(store, record(1, 2, 3))
    (first,) = packs(store)
    age(store, 2 * HOUR)
    merge(store, CassetteRecord((episode(1, answer=b"new"), episode(2, answer=b"new")), base=store.load(ID)))
    assert len(packs(store)) == 2
    found = store.load(ID)
    assert found is not None
    assert sorted(answers(found)) == [b"new", b"new", b'{"answer": 3}']
    # Two thirds of the first pack are of no use any more: with the next save the third one leaves it, as old as it is.
    merge(store, CassetteRecord((*found.episodes, episode(4)), base=found))
    assert len(packs(store)) == 3
    assert first not in packs(store)
    again = store.load(ID)
    assert again is not None
    assert sorted(answers(again)) == [b"new", b"new", b'{"answer": 3}', b'{"answer": 4}']
    assert [one.is_stale() for one in again.episodes if one.response["body"]["string"] == b'{"answer": 3}'] == [True]


def test_many_packs_become_one(store: RedisStore) -> None:
    for number in range(30):
        base = store.load(ID)
        merge(store, CassetteRecord((*(base.episodes if base is not None else ()), episode(number)), base=base))
        assert len(packs(store)) <= MANY + 1
    assert answers(store.load(ID)) == [b'{"answer": %d}' % number for number in range(30)]


def test_what_somebody_else_has_replaced_is_not_moved(store: RedisStore) -> None:
    merge(store, record(1, 2, 3))
    age(store, 2 * HOUR)
    merge(store, CassetteRecord((episode(1), episode(2))))
    ours = store.load(ID)
    assert ours is not None
    assert len(ours.scattered) == 1
    merge(store, CassetteRecord((episode(3, answer=b"theirs"),)))
    merge(store, CassetteRecord((*ours.episodes, episode(4)), base=ours))
    assert sorted(answers(store.load(ID))) == [b"theirs", b'{"answer": 1}', b'{"answer": 2}', b'{"answer": 4}']


def test_damaged_meta_is_no_reason_to_lose_anything(store: RedisStore) -> None:
    merge(store, record(1))
    store._client.hset(store.key(ID), "meta", "{oops")
    assert len(answers(store.load(ID))) == 1
    assert merge(store, record(2)).kept == 2
    assert answers(store.load(ID)) == [b'{"answer": 1}', b'{"answer": 2}']


def test_a_key_of_somebody_elses_is_left_alone(store: RedisStore) -> None:
    store._client.set(store.key(ID), "not ours")
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        store.load(ID)
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        merge(store, record(1))
    assert store._client.get(store.key(ID)) == b"not ours"


def test_at_the_cap_what_no_run_played_for_longest_makes_room(store: RedisStore) -> None:
    for number in (1, 2, 3):
        merge(store, record(number), ttl=100 * HOUR)
    age(store, 50 * HOUR)
    keys = list(record(1, 2, 3).keyed())
    # A run has played the first one, and says so at its end.
    store.played(ID, [keys[0]])
    store.note_played()
    assert merge(store, record(4), cap=3) == MergeResult(kept=3, dropped=1)
    assert answers(store.load(ID)) == [b'{"answer": %d}' % number for number in (1, 3, 4)]


def test_at_the_cap_what_was_recorded_or_played_of_late_stays_and_the_rest_is_refused(store: RedisStore) -> None:
    assert merge(store, record(1, 2, 3, 4), cap=3) == MergeResult(kept=3, refused=1)
    assert merge(store, record(5), cap=3) == MergeResult(kept=3, refused=1)
    assert answers(store.load(ID)) == [b'{"answer": %d}' % number for number in (1, 2, 3)]
    age(store, 90 * 60)
    base = store.load(ID)
    assert base is not None
    what = CassetteRecord((*base.episodes, episode(6)), base=base, played=frozenset(base.keyed()))
    assert merge(store, what, cap=3, ttl=HOUR) == MergeResult(kept=3, refused=1)


def test_playing_is_noted_and_changes_nothing_else(store: RedisStore) -> None:
    merge(store, record(1))
    age(store, 10 * HOUR)
    key = next(iter(record(1).keyed()))
    before = store._client.hget(store.key(ID), key)
    store.played(ID, [key, "gone:0"])
    store.note_played()
    after = store._client.hget(store.key(ID), key)
    was, now = Stamps.unpack(before), Stamps.unpack(after)
    assert now.played > was.played
    assert replace(now, played=was.played) == was
    assert before[HEADER:] == after[HEADER:]


NAMES = [
    "tests/a*b?[c].yaml",
    "tests/[a-c].yaml",
    "tests/a b.yaml",
    "tests/ünïcode-✓.yaml",
    "../shared/a.yaml",
    "tests\\windows\\a.yaml",
    "tests/^x.yaml",
    "tests/\udc80.yaml",
    "tests/" + "x" * 300 + ".yaml",
    "tests/" + "x" * 299 + "y.yaml",
]


def test_any_name_is_a_key_of_its_own(store: RedisStore) -> None:
    for number, name in enumerate(NAMES):
        merge(store, record(number), name)
    for number, name in enumerate(NAMES):
        assert answers(store.load(name)) == [b'{"answer": %d}' % number]
    assert list(store.scan()) == sorted(NAMES)
    assert list(store.scan("tests/[")) == ["tests/[a-c].yaml"]
    assert store.delete(NAMES[0])
    assert not store.delete(NAMES[0])
    assert list(store.scan()) == sorted(NAMES[1:])


def test_a_decomposed_name_is_the_same(store: RedisStore) -> None:
    merge(store, record(1), "tests/e\u0301.yaml")
    assert answers(store.load("tests/\u00e9.yaml"))


def test_flush_touches_our_prefix_and_project_only(server: RedisServer) -> None:
    client = server.client()
    greedy, plain, other = (
        RedisStore(server.url, prefix=prefix, project=project) for prefix, project in (("v*", "p"), ("vcr", "p"), ("v*", "q"))
    )
    for one in (greedy, plain, other):
        merge(one, record(1), "a.yaml")
        merge(one, record(1), "b.yaml")
    client.set("session:user", "the application's")
    assert [one.cassette_id for one in greedy.flush("a*", dry_run=True)] == ["a.yaml"]
    assert len(list(greedy.scan())) == 2
    assert [(one.cassette_id, one.episodes) for one in greedy.flush("a*")] == [("a.yaml", 1)]
    assert list(greedy.scan()) == ["b.yaml"]
    assert greedy.flush(older_than=HOUR) == []
    assert greedy.flush(overflowed=True) == []
    merge(greedy, record(2), "b.yaml", cap=1)
    assert [one.cassette_id for one in greedy.flush(overflowed=True, dry_run=True)] == ["b.yaml"]
    assert len(greedy.flush()) == 1
    assert list(plain.scan()) == list(other.scan()) == ["a.yaml", "b.yaml"]
    assert client.get("session:user") == b"the application's"
    client.hset(plain.key("a.yaml"), "meta", json.dumps({"saved": int(time.time()) - 7200}))
    assert [one.cassette_id for one in plain.flush(older_than=HOUR)] == ["a.yaml"]


def test_one_round_trip_to_load_and_one_to_save(store: RedisStore) -> None:
    trips = []
    once = store._pipeline
    store._pipeline = lambda commands: (trips.append(len(commands)), once(commands))[1]
    # The server may have to be told the scripts first: that of the merge, and that of blobs.
    merge(store, CassetteRecord((episode(1, answer=os.urandom(9000)),)))
    trips.clear()
    merge(store, CassetteRecord((episode(2, answer=os.urandom(9000)), episode(3, answer=os.urandom(9000)))))
    assert trips == [3]
    trips.clear()
    store.load("another")
    assert trips == [2]


def test_a_server_that_forgot_our_scripts_is_sent_them_again(store: RedisStore) -> None:
    merge(store, record(1))
    store._client.script_flush()
    assert merge(store, record(2)).kept == 2


def test_capacity(server: RedisServer) -> None:
    store = RedisStore(server.url)
    assert store.capacity() is None
    client = server.client()
    used = client.info("memory")["used_memory"]
    client.config_set("maxmemory", used * 2)
    try:
        capacity = store.capacity()
        assert capacity is not None
        assert 0.3 < capacity < 0.8
    finally:
        client.config_set("maxmemory", 0)


def test_a_unix_socket(server: RedisServer) -> None:
    store = open_store(server.socket_url)
    merge(store, record(1))
    assert answers(store.load(ID))


def test_a_password(tmp_path: Path) -> None:
    with RedisServer({"requirepass": "correct-horse"}) as server:
        store = open_store(server.url)
        merge(store, record(1))
        assert answers(store.load(ID))
        wrong = RedisStore(server.url.replace("correct-horse", "battery-staple"))
        with pytest.raises(StoreUnavailableError) as told:
            wrong.load(ID)
        assert "staple" not in f"{told.value} {wrong!r}"
        assert "WRONGPASS" in str(told.value) or "invalid" in str(told.value)


def test_tls(tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    with RedisServer(tls=tmp_path) as server:
        store = open_store(server.url)
        merge(store, record(1))
        assert answers(store.load(ID))


@pytest.mark.parametrize("url", ["redis+cluster://h:1", "redis+sentinel://h:1/s"])
def test_clusters_and_sentinels_are_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(ConfigError, match="not supported yet: name "):
        open_store(url)


def test_a_node_of_a_cluster_is_refused_in_a_sentence() -> None:
    with RedisServer({"cluster-enabled": "yes"}) as server, pytest.raises(StoreUnavailableError, match="this is a cluster node"):
        RedisStore(server.url).open()


def test_which_variables_name_the_store() -> None:
    def chosen(**env: str) -> tuple[str, str | None]:
        settings = config.read(env=env)
        return settings.store, settings.sources.get("store")

    assert chosen(REDIS_URL="redis://app:1", REDIS_HOST="app") == ("file", None)
    assert chosen(CASSETTE_REDIS_URL="redis://c:1") == ("redis://c:1", "CASSETTE_REDIS_URL")
    assert chosen(CASSETTE_REDIS_URL="redis://c:1", LLM_VCR_STORE="file") == ("file", "LLM_VCR_STORE")
    with pytest.raises(ConfigError, match="CASSETTE_REDIS_URL"):
        config.read(env={"CASSETTE_REDIS_URL": "http://c:1"})


def test_the_project_is_what_pyproject_says(tmp_path: Path, server: RedisServer) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "our-suite"\n')
    settings = config.read(env={})
    store = open_store(server.url, settings, root=tmp_path)
    assert isinstance(store, RedisStore)
    assert store.key("a/b.yaml") == "llm-vcr:cassette:our-suite/a/b.yaml"
    assert RedisStore(server.url).key("a") == "llm-vcr:cassette:default/a"


def test_stamps_are_what_the_script_reads(store: RedisStore) -> None:
    stamps = Stamps(1, 2, 3, 4)
    assert struct.unpack(">BxxxxBxxxxBxxxxBI", stamps.pack()) == (LAYOUT, 1, 2, 3, 4)
    assert Stamps.unpack(stamps.pack() + b"a place.") == stamps
