"""What becomes of a cassette when the store fails: each fault is a real one."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from llm_vcr import Persister, StoreUnavailableError, config
from llm_vcr.config import Settings
from llm_vcr.errors import NotSavedWarning, StoreWarning
from llm_vcr.stores import redis as redis_store
from llm_vcr.stores.base import CassetteRecord
from llm_vcr.stores.mirror import MirrorStore
from llm_vcr.stores.redis import RedisStore
from llm_vcr.vcr_request import Request
from vcr.persisters.filesystem import CassetteNotFoundError

from tests.python.stores.conftest import answers, episode, record
from tests.redis_server import RedisServer

HOUR = 3600.0
ID = "tests/cassettes/a.yaml"


@pytest.fixture
def own() -> Iterator[RedisServer]:
    """A server that the test may maltreat."""
    with RedisServer(durable=True) as server:
        yield server


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_store, "PAUSES", (0.02, 0.05))


def made(server: RedisServer) -> RedisStore:
    return RedisStore(f"{server.url}?socket_timeout=0.3", project="p")


def vcr_dict(*numbers: int) -> dict[str, list[object]]:
    """What vcrpy hands to a persister."""
    several = [episode(number) for number in numbers]
    requests = [
        Request("POST", "https://api.example.com/v1/chat", one.request["body"], {"content-type": "application/json"}) for one in several
    ]
    return {"requests": list(requests), "responses": [dict(one.response) for one in several]}


def stop(server: RedisServer) -> None:
    server.kill()


def freeze(server: RedisServer) -> None:
    server.freeze()


def fill(server: RedisServer) -> None:
    client = server.client()
    client.config_set("maxmemory", client.info("memory")["used_memory"])


def demote(server: RedisServer) -> None:
    server.client().replicaof("127.0.0.1", "1")


def lock(server: RedisServer) -> None:
    server.client().config_set("requirepass", "somebody-set-one")
    client = server.client(password="somebody-set-one")
    client.client_kill_filter(_type="normal", skipme=True)


def occupy(server: RedisServer) -> None:
    """Somebody's script runs and runs: everybody else is told so, until it is killed."""
    client = server.client()
    client.config_set("lua-time-limit", 10)
    threading.Thread(target=lambda: _until_killed(server), daemon=True).start()
    deadline = time.monotonic() + 30
    while not _is_busy(client):
        assert time.monotonic() < deadline


def _is_busy(client: redis.Redis) -> bool:
    try:
        client.ping()
    except redis.ResponseError as error:
        return "BUSY" in str(error)
    return False


def _until_killed(server: RedisServer) -> None:
    with contextlib.suppress(redis.RedisError):
        server.client().eval("while true do end", 0)


def let_go(server: RedisServer) -> None:
    server.client().script_kill()


FAULTS = [
    (stop, "Connection refused|closed", False),
    (freeze, "Timeout", False),
    (fill, "OutOfMemory|OOM|command not allowed", True),
    (demote, "read only|READONLY|ReadOnly", True),
    (lock, "NOAUTH|Authentication required", False),
    (occupy, "BUSY|busy", False),
]


@pytest.mark.parametrize(("fault", "words", "readable"), FAULTS, ids=[fault.__name__ for fault, _, _ in FAULTS])
def test_a_save_that_fails_is_told_and_never_raised(own: RedisServer, fault: object, words: str, readable: bool) -> None:
    store = made(own)
    persister = Persister(store, settings=Settings(store="redis"))
    persister.save_cassette(ID, vcr_dict(1))
    assert not persister.failures
    fault(own)  # type: ignore[operator]
    with pytest.warns(NotSavedWarning, match=f"{ID} was not saved: .*({words})"):
        persister.save_cassette(ID, vcr_dict(1, 2))
    assert len(persister.failures) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        persister.save_cassette(ID, vcr_dict(1, 2))
    undo = {freeze: RedisServer.thaw, occupy: let_go}.get(fault)  # type: ignore[call-overload]
    if undo is not None:
        undo(own)
    if readable:
        assert len(answers(store.load(ID))) == 1
    elif undo is None:
        with pytest.raises(StoreUnavailableError, match=words):
            store.load(ID)


@pytest.mark.parametrize("fault", [stop, freeze, lock, occupy])
def test_what_cannot_be_loaded_is_a_miss_told_or_the_end(own: RedisServer, fault: object) -> None:
    made(own).merge(ID, record(1), ttl=HOUR, keep=HOUR)
    missing, failing = (Persister(made(own), settings=config.read(env={"LLM_VCR_ON_OUTAGE": how})) for how in ("miss", "fail"))
    assert missing.load_cassette(ID)[1] == [episode(1).response]
    assert failing.load_cassette(ID)[1]
    fault(own)  # type: ignore[operator]
    with pytest.warns(StoreWarning, match="cannot be used: .*; calls go live"), pytest.raises(CassetteNotFoundError):
        missing.load_cassette(ID)
    assert len(missing.problems) == 1
    with pytest.raises(StoreUnavailableError, match="cannot be used"):
        failing.load_cassette(ID)
    if fault is occupy:
        let_go(own)


def test_a_store_that_is_down_is_not_asked_for_every_test(own: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    store = made(own)
    own.freeze()
    with pytest.raises(StoreUnavailableError):
        store.load(ID)
    asked = []
    monkeypatch.setattr(store, "_pipeline", asked.append)
    for _ in range(20):
        with pytest.raises(StoreUnavailableError, match="Timeout"):
            store.load(ID)
    assert not asked, "each of these would wait for the whole timeout"


def test_a_dropped_connection_is_made_again(own: RedisServer) -> None:
    store = made(own)
    store.merge(ID, record(1), ttl=HOUR, keep=HOUR)
    for _ in range(5):
        own.client().client_kill_filter(_type="normal", skipme=True)
        assert answers(store.load(ID))


def test_a_restart_is_ridden_out(own: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_store, "PAUSES", (0.1,) * 100)
    store = made(own)
    store.merge(ID, record(1), ttl=HOUR, keep=HOUR)
    own.kill()
    again = threading.Timer(0.5, own.start)
    again.start()
    try:
        assert store.merge(ID, record(2), ttl=HOUR, keep=HOUR).kept == 2
    finally:
        again.join()


def test_damage_is_told_with_its_key(own: RedisServer) -> None:
    store = made(own)
    store.merge(ID, record(1, 2), ttl=HOUR, keep=HOUR)
    (first, *_) = record(1, 2).keyed()
    store._client.hset(store.key(ID), first, store._client.hget(store.key(ID), first)[:20])
    persister = Persister(store)
    with pytest.warns(StoreWarning, match=f"llm-vcr:cassette:p/{ID}, field {first}: .*kept aside"):
        assert len(persister.load_cassette(ID)[0]) == 1


def test_overflow_is_told(own: RedisServer) -> None:
    persister = Persister(made(own), settings=Settings(max_episodes=2))
    with pytest.warns(NotSavedWarning, match=r"OVERFLOW: .* has 2 episodes and may have 2 \(llm_vcr_max_episodes\): 1 not stored"):
        persister.save_cassette(ID, vcr_dict(1, 2, 3))


def test_a_file_has_the_same_cap(tmp_path: Path) -> None:
    persister = Persister(root=tmp_path, settings=Settings(max_episodes=2))
    with pytest.warns(NotSavedWarning, match="OVERFLOW"):
        persister.save_cassette("a.yaml", vcr_dict(1, 2, 3))
    assert len(persister.load_cassette("a.yaml")[0]) == 2


# --- the mirror


def mirrored(server: RedisServer, folder: Path, **more: int | bool) -> MirrorStore:
    return MirrorStore(made(server), folder, **more)  # type: ignore[arg-type]


def test_the_mirror_answers_when_the_store_is_gone(own: RedisServer, tmp_path: Path) -> None:
    noise = os.urandom(9000)
    made(own).merge(ID, CassetteRecord((episode(1, answer=noise), episode(2))), ttl=HOUR, keep=HOUR)
    reader = mirrored(own, tmp_path / "m")
    whole = reader.load(ID)
    assert whole is not None
    own.kill()
    other = mirrored(own, tmp_path / "m")
    found = other.load(ID)
    assert found is not None
    assert found.episodes == whole.episodes
    assert any("answers come from the mirror" in one for one in other.notes())
    assert other.load("never read.yaml") is None
    strict = mirrored(own, tmp_path / "m", replay=False)
    with pytest.raises(StoreUnavailableError):
        strict.load(ID)


def test_what_the_store_did_not_take_waits_in_the_mirror_and_is_merged_once(own: RedisServer, tmp_path: Path) -> None:
    store = mirrored(own, tmp_path)
    store.merge(ID, record(1), ttl=HOUR, keep=7 * HOUR)
    base = store.load(ID)
    assert base is not None
    own.kill()
    noise = bytes(range(256)) * 40
    result = store.merge(ID, CassetteRecord((*base.episodes, episode(2, answer=noise)), base=base), ttl=HOUR, keep=7 * HOUR)
    assert "cannot be used" in result.pending
    assert sorted(answers(store.load(ID))) == sorted([b'{"answer": 1}', noise])
    assert len(list((tmp_path / "pending").iterdir())) == 1
    own.start()
    another = mirrored(own, tmp_path)
    another.open()
    assert list((tmp_path / "pending").iterdir()) == []
    assert sorted(answers(made(own).load(ID))) == sorted([b'{"answer": 1}', noise])
    assert another.merge_pending() == 0


def test_a_persister_tells_what_waits(own: RedisServer, tmp_path: Path) -> None:
    persister = Persister(mirrored(own, tmp_path))
    own.kill()
    with pytest.warns(StoreWarning, match="waits in the mirror to be merged"):
        persister.save_cassette(ID, vcr_dict(1))
    assert not persister.failures


def test_a_claim_of_a_killed_process_is_free_again_after_a_while(own: RedisServer, tmp_path: Path) -> None:
    store = mirrored(own, tmp_path)
    own.kill()
    store.merge(ID, record(1), ttl=HOUR, keep=HOUR)
    (waiting,) = (tmp_path / "pending").iterdir()
    claimed = waiting.rename(waiting.with_name("." + waiting.name))
    own.start()
    fresh = mirrored(own, tmp_path)
    assert fresh.merge_pending() == 0
    os.utime(claimed, (time.time() - 900,) * 2)
    assert fresh.merge_pending() == 1
    assert answers(made(own).load(ID))


def test_the_mirror_is_bounded(own: RedisServer, tmp_path: Path) -> None:
    store = mirrored(own, tmp_path, limit=200_000)
    for number in range(40):
        store.merge(f"{number}.yaml", CassetteRecord((episode(number, answer=os.urandom(10_000)),)), ttl=HOUR, keep=HOUR)
    store._bound()
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert 100_000 < size <= 200_000
    assert len(answers(store.load("0.yaml"))) == 1


def test_what_a_killed_writer_left_in_the_mirror_goes_after_a_while(own: RedisServer, tmp_path: Path) -> None:
    store = mirrored(own, tmp_path)
    store.merge(ID, CassetteRecord((episode(1, answer=os.urandom(9000)),)), ttl=HOUR, keep=HOUR)
    own.kill()
    store.merge(ID, record(2), ttl=HOUR, keep=HOUR)
    left = [tmp_path / kind / f".{number}.tmp" for kind in ("cassettes", "blobs", "pending") for number in (1, 2)]
    for path in left:
        path.write_bytes(b"half")
        os.utime(path, (time.time() - (7200 if path.name == ".1.tmp" else 0),) * 2)
    own.start()
    mirrored(own, tmp_path).open()
    assert sorted(tmp_path.rglob(".*.tmp")) == sorted(path for path in left if path.name == ".2.tmp")


def test_a_damaged_mirror_is_as_none(own: RedisServer, tmp_path: Path) -> None:
    store = mirrored(own, tmp_path)
    store.merge(ID, record(1), ttl=HOUR, keep=HOUR)
    (copy,) = (tmp_path / "cassettes").iterdir()
    copy.write_bytes(copy.read_bytes()[:-5])
    assert answers(store.load(ID))
    copy.write_bytes(b"")
    own.kill()
    assert mirrored(own, tmp_path).load(ID) is None


@contextlib.contextmanager
def no_room(folder: Path) -> Iterator[None]:
    """No file can become longer than 64 bytes: a write fails half way, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """A disk of its own, with not a byte left on it."""
    folder.mkdir(exist_ok=True)
    mounted = not os.path.ismount(folder)
    if mounted:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], check=True)
    try:
        with contextlib.suppress(OSError), (folder / "others").open("ab", buffering=0) as others:
            while others.write(bytes(4096)):
                pass
        yield
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)


def _may_mount() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=False, capture_output=True).returncode == 0
        if done:
            subprocess.run(["umount", folder], check=True)
        return done


@contextlib.contextmanager
def in_the_way(folder: Path) -> Iterator[None]:
    folder.write_text("a file where the folder should be")
    yield


# Only root can fill a disk of its own.
@pytest.mark.parametrize("obstacle", [no_room, in_the_way, *([full_disk] if _may_mount() else [])])
def test_a_mirror_that_cannot_be_written_costs_nothing_else(
    own: RedisServer, tmp_path: Path, obstacle: Callable[[Path], contextlib.AbstractContextManager[None]]
) -> None:
    folder = tmp_path / "mirror"
    store = mirrored(own, folder)
    with obstacle(folder):
        result, found, notes = store.merge(ID, record(1), ttl=HOUR, keep=HOUR), store.load(ID), store.notes()
        left = [path for path in tmp_path.rglob("*") if path.is_file() and path not in (folder, folder / "others")]
        assert not left, "nothing half written is left"
    assert result.kept == 1
    assert answers(found)
    assert any("cannot be written" in one for one in notes)
    with obstacle(folder):
        own.kill()
        with pytest.raises(StoreUnavailableError):
            store.merge(ID, record(2), ttl=HOUR, keep=HOUR)
