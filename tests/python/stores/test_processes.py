"""Several processes on one cassette: nothing is lost, and nothing is paid for twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from llm_vcr import open_store
from llm_vcr.stores import lease
from llm_vcr.stores.lease import Leases
from llm_vcr.stores.redis import RedisStore

from tests.python.stores.conftest import answers
from tests.redis_server import RedisServer

REPOSITORY = Path(__file__).parents[3]


class SlowProvider:
    """Answers every question after a while, and counts what it was asked: a paid call each."""

    def __init__(self, seconds: float) -> None:
        self.asked: Counter[str] = Counter()
        self.begun = threading.Event()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["content-length"])))["messages"][0]["content"]
                provider.asked[said] += 1
                provider.begun.set()
                # As different as real answers are, and the same in every run.
                time.sleep(seconds * (0.2 + 0.8 * (sum(said.encode()) % 10) / 9))
                answer = json.dumps({"answer": said}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_: object) -> None:
                """A client that was killed in the middle of its call."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def paid(self) -> int:
        return sum(self.asked.values())

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def slow() -> Iterator[SlowProvider]:
    made = SlowProvider(0.3)
    yield made
    made.stop()


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.python.stores.record_process", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"NO_PROXY": "127.0.0.1"}
    )


def go(processes: list[subprocess.Popen[str]]) -> None:
    """Let processes begin once all are ready."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def told(processes: list[subprocess.Popen[str]]) -> list[list[str]]:
    """What each process said; one that was killed may have said nothing."""
    return [process.communicate(timeout=300)[0].splitlines() for process in processes]


def check_saves(server: RedisServer, processes: int, episodes: int, *, restarts: int = 0) -> None:
    """So many processes save so many episodes into one cassette: every one that was told to be saved is there."""
    shares = [episodes // processes + (number < episodes % processes) for number in range(processes)]
    running = [start("save", server.url, number * 1000, share) for number, share in enumerate(shares)]
    for _ in range(restarts):
        # Only once there is something to lose.
        store = open_store(server.url, root=REPOSITORY)
        before = len(answers(store.load("shared.yaml")))
        while len(answers(store.load("shared.yaml"))) < before + 5 and any(one.poll() is None for one in running):
            time.sleep(0.02)
        server.kill()
        server.start()
    said = [int(line) for lines in told(running) for line in lines]
    assert all(one.returncode == 0 for one in running)
    assert len(said) == len(set(said)) == episodes
    found = answers(open_store(server.url, root=REPOSITORY).load("shared.yaml"))
    assert sorted(found) == sorted(b'{"answer": %d}' % number for number in said)


def test_processes_that_save_at_once_lose_nothing(server: RedisServer) -> None:
    check_saves(server, 8, 60)


def test_what_was_told_to_be_saved_survives_a_killed_server() -> None:
    with RedisServer(durable=True) as server:
        check_saves(server, 4, 48, restarts=2)


def check_single_flight(
    server: RedisServer, slow: SlowProvider, folder: Path, manner: str, *, kill: bool, processes: int, questions: int
) -> None:
    running = [start("ask", server.url, slow.url, folder, manner, seed, *range(questions)) for seed in range(processes)]
    go(running)
    if kill:
        assert slow.begun.wait(60)
        (holder,) = server.client().keys("llm-vcr:lease:*")
        owner = int(server.client().get(holder).split(b"-")[0])
        assert owner in [one.pid for one in running]
        (killed,) = (one for one in running if one.pid == owner)
        os.kill(owner, signal.SIGKILL)
        killed.communicate()
        running.remove(killed)
    counts = [json.loads(lines[0]) for lines in told(running)]
    assert all(one["live"] + one["played"] == questions for one in counts)
    assert [one["live"] for one in counts if one["live"]] == [questions], "one process recorded, the others played"
    assert slow.paid <= questions * (2 if kill else 1)
    assert server.client().keys("llm-vcr:lease:*") == []


@pytest.mark.parametrize("manner", ["sequential", "gather"])
def test_one_records_and_the_others_play(server: RedisServer, slow: SlowProvider, tmp_path: Path, manner: str) -> None:
    check_single_flight(server, slow, tmp_path, manner, kill=False, processes=4, questions=6)


@pytest.mark.parametrize("manner", ["sequential", "gather"])
def test_when_the_holder_is_killed_another_one_records(server: RedisServer, slow: SlowProvider, tmp_path: Path, manner: str) -> None:
    check_single_flight(server, slow, tmp_path, manner, kill=True, processes=4, questions=6)


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
