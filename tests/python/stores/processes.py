"""Several processes on one cassette, for the tests of that and for its figures: what they did is checked, whoever asks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from llm_vcr import open_store

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


def save_at_once(server: RedisServer, processes: int, episodes: int, *, restarts: int = 0) -> None:
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


def record_at_once(
    server: RedisServer, slow: SlowProvider, folder: Path, manner: str, *, kill: bool, processes: int, questions: int
) -> float:
    """So many processes ask the same, one of them records; with ``kill`` it is killed on the way. Tells the seconds that it took."""
    running = [start("ask", server.url, slow.url, folder, manner, seed, *range(questions)) for seed in range(processes)]
    go(running)
    begun = time.monotonic()
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
    took = time.monotonic() - begun
    assert all(one["live"] + one["played"] == questions for one in counts)
    assert [one["live"] for one in counts if one["live"]] == [questions], "one process recorded, the others played"
    assert slow.paid <= questions * (2 if kill else 1)
    assert server.client().keys("llm-vcr:lease:*") == []
    return took
