"""Cassettes as files: whole or not there, never overwritten when they cannot be read, and nothing lost among writers."""

from __future__ import annotations

import errno
import gc
import math
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import llm_vcr
import pytest
import vcr
import vcr.serializers.jsonserializer
from hypothesis import example, given
from hypothesis import strategies as st
from llm_vcr import CassetteFileError, ConfigError, NotSavedWarning, Persister, codec, open_store
from llm_vcr.stores import CassetteRecord, Episode, Store
from llm_vcr.stores.file import FileStore
from llm_vcr.vcr_request import Request
from vcr.persisters.filesystem import CassetteNotFoundError, FilesystemPersister
from vcr.record_mode import RecordMode
from vcr.serializers import yamlserializer


def episode(text: str, answer: str = "answer") -> Episode:
    request = {"method": "POST", "uri": "https://h/v1", "headers": {}, "body": text.encode()}
    return Episode(request, {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": answer.encode()}})


def record(*texts: str, base: CassetteRecord | None = None) -> CassetteRecord:
    return CassetteRecord(tuple(episode(text) for text in texts), base=base)


def save(store: Store, cassette_id: str, *texts: str, base: CassetteRecord | None = None) -> Any:
    return store.merge(cassette_id, record(*texts, base=base), ttl=math.inf, keep=math.inf)


def bodies(store: Store, cassette_id: str = "a.yaml") -> list[str]:
    loaded = store.load(cassette_id)
    return [] if loaded is None else [one.request["body"].decode() for one in loaded.episodes]


def keep(cassette: Any, *texts: str) -> None:
    for text in texts:
        cassette.append(Request("POST", "https://h/v1", text.encode(), {}), dict(episode(text).response))


# --- one writer


@pytest.mark.parametrize("stock", [False, True], ids=["ours", "stock vcrpy with our persister"])
def test_what_was_read_is_let_go_with_its_cassette(tmp_path: Path, stock: bool) -> None:
    persister = Persister(root=tmp_path)
    library = vcr.VCR(record_mode=RecordMode.NEW_EPISODES) if stock else llm_vcr.VCR(record_mode="new_episodes")
    library.register_persister(persister)
    save(persister.store, "a.yaml", "one", "two")
    with library.use_cassette(str(tmp_path / "a.yaml")) as cassette:
        gc.collect()
        held = persister._loaded["a.yaml"]()
        assert held is not None
        assert len(cassette) == len(held.episodes) == 2
        keep(cassette, "three")
    # It was the base of what was saved, so nothing was dropped and nothing is there twice.
    assert bodies(persister.store) == ["one", "two", "three"]
    left = weakref.ref(held)
    del cassette, held
    gc.collect()
    assert left() is None


def test_a_base_that_is_gone_is_not_taken_for_an_empty_cassette(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    save(store, "a.yaml", "one")
    assert bodies(store) == ["one"]  # loaded, and let go at once
    save(store, "a.yaml", "two")
    assert bodies(store) == ["two", "one"]


def test_it_is_a_store(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    assert isinstance(store, Store)
    assert store.load("a.yaml") is None
    assert save(store, "deep/er/a.yaml", "one").kept == 1
    assert save(store, "b.json", "two").kept == 1
    assert [*store.scan()] == ["b.json", "deep/er/a.yaml"]
    assert [*store.scan("deep/")] == ["deep/er/a.yaml"]
    assert store.delete("b.json")
    assert not store.delete("b.json")
    assert store.load("b.json") is None
    assert store.capacity() is None


def test_it_is_opened_by_its_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(open_store("file"), "a.yaml", "one")
    save(open_store("file:sub"), "a.yaml", "two")
    save(open_store(f"file://{tmp_path}/abs"), "a.yaml", "three")
    assert [(tmp_path / name / "a.yaml").is_file() for name in ("", "sub", "abs")] == [True] * 3
    with pytest.raises(ConfigError, match="expected a store"):
        open_store("s3://bucket")


@pytest.mark.parametrize(
    "name",
    [
        "a b.yaml",
        "Zürich-☀.yaml",
        "con.yaml",
        "a[b-c].yaml",
        "-rf.yaml",
        "a.b.c",
        "%41.yaml",
        "a'b\"c.yaml",
        "文" * 80 + ".yaml",
        "x" * 250 + ".yaml",
    ],
    ids=lambda name: ascii(name)[:20],
)
def test_any_name_a_file_may_have(tmp_path: Path, name: str) -> None:
    store = FileStore(tmp_path)
    save(store, name, "one")
    assert bodies(store, name) == ["one"]
    assert [one.name for one in tmp_path.iterdir()] == [name], "something was left beside it"


def test_what_was_not_played_is_dropped_only_where_it_was_known(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    save(store, "a.yaml", "one", "two")
    base = store.load("a.yaml")
    save(FileStore(tmp_path), "a.yaml", "one", "two", "three", base=base)
    assert save(store, "a.yaml", "two", base=base).from_others == 1
    assert bodies(store) == ["two", "three"]


def test_equal_requests_are_told_apart_by_their_order(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    save(store, "a.yaml", "one", "one", "one")
    save(FileStore(tmp_path), "a.yaml", "two", "one")
    assert sorted(bodies(store)) == ["one", "one", "one", "two"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "a.yaml").symlink_to(tmp_path / "real" / "b.yaml")
    save(FileStore(tmp_path), "a.yaml", "one")
    assert (tmp_path / "a.yaml").is_symlink()
    assert (tmp_path / "real" / "b.yaml").is_file()


# --- many writers


WRITER = """
import sys, llm_vcr
from llm_vcr.vcr_request import Request
path, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
for number in range(rounds):
    with llm_vcr.VCR(record_mode="new_episodes").use_cassette(path) as cassette:
        request = Request("POST", "https://h/v1", f"{name}-{number}".encode(), {})
        cassette.append(request, {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": b"answer"}})
"""


def writer(path: Path, name: str, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), name, str(rounds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_it_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    code = "import locale; print(locale.getpreferredencoding())" + WRITER.replace("{name}", "Z\\u00fcrich \\u2600 ")
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", code, str(tmp_path / "a.yaml"), "", "2"]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert "UTF-8" not in told.stdout, "this is no test of another locale"
    assert bodies(FileStore(tmp_path)) == ["Zürich ☀ -0", "Zürich ☀ -1"]


def test_writers_in_several_processes_lose_nothing(tmp_path: Path) -> None:
    running = [writer(tmp_path / "a.yaml", name, 8) for name in "ab"]
    for one in running:
        one.communicate(timeout=60)
        assert one.returncode == 0
    assert sorted(bodies(FileStore(tmp_path))) == sorted(f"{name}-{number}" for name in "ab" for number in range(8))
    assert [one.name for one in tmp_path.iterdir()] == ["a.yaml"]


def test_writers_in_several_threads_lose_nothing(tmp_path: Path) -> None:
    ours = llm_vcr.VCR(record_mode="new_episodes")
    path = tmp_path / "a.yaml"
    start = threading.Barrier(8)
    from llm_vcr.playback.cassette import Cassette

    def write(name: int) -> None:
        arguments = {**ours.get_merged_config(path=str(path)), "policy": ours._llm_vcr_policy}
        for unknown in ("path_transformer", "func_path_generator", "record_on_exception"):
            arguments.pop(unknown)
        start.wait()
        for number in range(4):
            cassette = Cassette.load(**arguments)
            keep(cassette, f"{name}-{number}")
            cassette._save()

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert sorted(bodies(FileStore(tmp_path))) == sorted(f"{name}-{number}" for name in range(8) for number in range(4))


def test_two_cassettes_open_at_once_lose_nothing(tmp_path: Path) -> None:
    ours = llm_vcr.VCR(record_mode="new_episodes")
    with ours.use_cassette(tmp_path / "a.yaml") as first:
        keep(first, "first")
        with ours.use_cassette(tmp_path / "a.yaml") as second:
            keep(second, "second")
        with ours.use_cassette(tmp_path / "a.yaml") as third:
            assert len(third) == 1
    assert sorted(bodies(FileStore(tmp_path))) == ["first", "second"]


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
def test_whatever_kills_a_writer_the_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with llm_vcr.VCR().use_cassette(path) as cassette:
        keep(cassette, "first " + "x" * 300_000)
    store = FileStore(tmp_path)
    seen = 1
    for attempt in range(4):
        running = writer(path, str(attempt), 1000)
        before = path.stat().st_mtime_ns
        # Killed as soon as it has saved once: in the middle of the next round, wherever that is by now.
        for _ in range(3000):
            if path.stat().st_mtime_ns != before:
                break
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=30)
        now = bodies(store)
        assert len(now) > seen
        assert now[0].startswith("first")
        seen = len(now)


# --- what cannot be read, or written


BAD: list[tuple[str, bytes, int | None]] = [
    ("not UTF-8", b"version: 1\ninteractions: \xff\n", 2),
    ("binary", bytes(range(256)), None),
    ("no YAML", b"version: 1\n  interactions: [\n", 2),
    ("no cassette", b"hello\n", 1),
    ("a later version", b"version: 2\ninteractions: []\n", 1),
    ("cut off", b"version: 1\nrecorded_by: llm-vcr\ninteractions: []\n", 3),
]


@pytest.mark.parametrize("mode", ["once", "new_episodes", "none", "all"])
@pytest.mark.parametrize(("what", "data", "line"), BAD, ids=[one[0] for one in BAD])
def test_a_bad_file_is_told_and_left_as_it_is(tmp_path: Path, what: str, data: bytes, line: int | None, mode: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    with pytest.raises(CassetteFileError) as caught, llm_vcr.VCR(record_mode=mode).use_cassette(path):
        pytest.fail("a cassette that cannot be read was opened")
    assert caught.value.path == str(path)
    assert line is None or caught.value.line == line
    assert path.read_bytes() == data
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("nothing", [b"", b" \n\t\n"])
def test_an_empty_file_is_recorded_into_as_if_there_were_none(tmp_path: Path, nothing: bytes) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(nothing)
    with llm_vcr.VCR(record_mode="none").use_cassette(path) as cassette:
        assert len(cassette) == 0
    assert path.read_bytes() == nothing
    with llm_vcr.VCR(record_mode="once").use_cassette(path) as cassette:
        keep(cassette, "one")
    with vcr.VCR(record_mode="none").use_cassette(str(path)) as stock:
        assert [one.body for one in stock.requests] == [b"one"]


def test_a_file_that_went_bad_meanwhile_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    opened = llm_vcr.VCR().use_cassette(path)
    cassette = opened.__enter__()
    keep(cassette, "one")
    path.write_bytes(b"somebody's notes")
    with pytest.warns(NotSavedWarning, match=r"a\.yaml was not saved.*CassetteFileError.*line 1"):
        opened.__exit__(None, None, None)
    assert path.read_bytes() == b"somebody's notes"
    assert not cassette.saved


def test_a_directory_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").mkdir()
    with pytest.raises(CassetteFileError, match="cannot be read"), llm_vcr.VCR().use_cassette(tmp_path / "a.yaml"):
        pytest.fail("a directory was opened")
    (tmp_path / "b").write_text("a file where a folder should be")
    opened = llm_vcr.VCR().use_cassette(tmp_path / "b" / "c.yaml")
    keep(opened.__enter__(), "one")
    with pytest.warns(NotSavedWarning, match="was not saved"):
        opened.__exit__(None, None, None)


def test_a_byte_order_mark_is_no_defect(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    save(store, "a.yaml", "one")
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert bodies(store) == ["one"]


# --- as a persister of anybody's


def test_vcrpy_reads_what_the_persister_wrote_and_the_other_way_round(tmp_path: Path) -> None:
    persister = Persister(root=tmp_path)
    path = str(tmp_path / "a.yaml")
    with pytest.raises(CassetteNotFoundError):
        persister.load_cassette(path)
    requests, responses = [Request("POST", "https://h/v1", b"one", {"A": "1"})], [dict(episode("one").response)]
    persister.save_cassette(path, {"requests": requests, "responses": responses})
    stock_requests, stock_responses = FilesystemPersister.load_cassette(path, yamlserializer)
    assert [(one.method, one.uri, one.body, dict(one.headers)) for one in stock_requests] == [("POST", "https://h/v1", b"one", {"A": "1"})]
    assert stock_responses == responses
    FilesystemPersister.save_cassette(str(tmp_path / "b.yaml"), {"requests": stock_requests, "responses": stock_responses}, yamlserializer)
    (again,), answers, metadata = persister.load_cassette(str(tmp_path / "b.yaml"))
    assert (again.body, again.stored, answers, metadata) == (b"one", True, responses, {})


def test_json_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    persister = Persister(root=tmp_path)
    requests, responses = [Request("POST", "https://h/v1", b"one", {})], [dict(episode("one").response)]
    for _ in range(2):
        persister.save_cassette("a.json", {"requests": requests, "responses": responses}, vcr.serializers.jsonserializer)
    loaded, *_ = persister.load_cassette("a.json", vcr.serializers.jsonserializer)
    assert [one.body for one in loaded] == [b"one"]
    assert (tmp_path / "a.json").read_text().startswith("{")
    assert codec.decode((tmp_path / "a.json").read_text(), "a.json", vcr.serializers.jsonserializer).recorded_at is not None


def test_an_id_is_the_same_from_any_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    persister = Persister(root=tmp_path)
    expected = "tests/cassettes/a.yaml"
    for folder in (tmp_path, tmp_path.parent):
        monkeypatch.chdir(folder)
        for path in ("tests/cassettes/a.yaml", tmp_path / "tests/cassettes/a.yaml", "tests/../tests/./cassettes/a.yaml"):
            assert persister.cassette_id(path) == expected
    assert persister.cassette_id("/elsewhere/a.yaml") == "/elsewhere/a.yaml"


@given(st.text("/.ab", min_size=1))
@example("/r/a")
def test_an_id_is_what_the_whole_way_to_it_says(path: str) -> None:
    for root in ("/r", "/r/../r"):
        for one in (path, f"{root}/{path}"):
            whole = Path(os.path.abspath(os.path.join(root, one)))
            expected = whole.relative_to("/r").as_posix() if whole.is_relative_to("/r") else whole.as_posix()
            assert Persister(root=root).cassette_id(one) == expected


def test_the_persister_never_raises_on_saving(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Full(FileStore):
        def merge(self, *arguments: Any, **more: Any) -> Any:
            raise OSError(28, "No space left on device")

    persister = Persister(Full(tmp_path))
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        persister.save_cassette("a.yaml", {"requests": [], "responses": []})
    assert persister.failures == ["a.yaml was not saved: OSError: [Errno 28] No space left on device"]
    assert "No space left" in caplog.text


def test_only_what_takes_the_place_of_something_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bool] = []
    write = codec.write_file

    def told(*arguments: Any, sync: bool) -> None:
        synced.append(sync)
        write(*arguments, sync=sync)

    monkeypatch.setattr(codec, "write_file", told)
    store = FileStore(tmp_path)
    save(store, "a.yaml", "one")
    save(store, "a.yaml", "two", base=store.load("a.yaml"))
    # It goes, and another one takes its place.
    save(store, "a.json", "three", base=store.load("a.json"))
    assert synced == [False, True, True]
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]
    store.overwrite("a.json", record("four"))
    store.overwrite("b.json", record("five"))
    assert synced[3:] == [True, False]


@pytest.mark.skipif(sys.platform == "win32", reason="no limit for files")
@pytest.mark.parametrize("text", ["short lines\n" * 50_000, "x" * 500_000])
def test_a_disk_that_is_full_leaves_what_was_there(tmp_path: Path, text: str) -> None:
    import resource

    store = FileStore(tmp_path)
    save(store, "a.yaml", "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            save(store, "a.yaml", "old", text, base=store.load("a.yaml"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    assert [one.name for one in tmp_path.iterdir()] == ["a.yaml"]
    assert bodies(store) == ["old"]


def test_what_a_killed_writer_left_goes_after_a_while(tmp_path: Path) -> None:
    old, new, other = tmp_path / ".llm-vcr-1-ab.tmp", tmp_path / ".llm-vcr-2-cd.tmp", tmp_path / ".somebody-elses.tmp"
    for path in (old, new, other):
        path.write_bytes(b"half a cass")
    for path in (old, other):
        os.utime(path, (time.time() - 7200,) * 2)
    FileStore(tmp_path).merge("a.yaml", CassetteRecord(()), ttl=math.inf, keep=math.inf)
    assert sorted(path.name for path in tmp_path.iterdir()) == [new.name, other.name, "a.yaml"]
