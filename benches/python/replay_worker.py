"""``python -m benches.python.replay_worker IMPLEMENTATION FOLDER PORT``: records and replays cases with one implementation.

Reads one JSON object a line (``do``, ``case``, ``repeats``) and answers each with one of CPU seconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx

from benches.python.replay_cases import CASES, exchange

STOCK_MATCH = ("method", "scheme", "host", "port", "path", "query", "body")
Use = Callable[[Path, str, str], AbstractContextManager[Any]]


def _ours(store: str = "file") -> Use:
    import llm_vcr

    made = {
        (mode, media): llm_vcr.VCR(record_mode=mode, media=media, store=store, max_episodes=10_000, ignore_localhost=False)
        for mode in ("none", "all")
        for media in ("keep", "shrink")
    }
    return lambda path, mode, media: made[mode, media].use_cassette(str(path))


def _stock() -> Use:
    import vcr

    made = {mode: vcr.VCR(record_mode=mode, match_on=STOCK_MATCH) for mode in ("none", "all")}
    return lambda path, mode, _: made[mode].use_cassette(str(path))


def _cassetter() -> Use:
    import cassetter

    return lambda path, mode, _: cassetter.use_cassette(path, record_mode=mode, match_on=["method", "uri", "body"])


def _redis() -> Use:
    return _ours(os.environ["LLM_VCR_BENCH_REDIS"])


def _bare() -> Use:
    return lambda *_: contextlib.nullcontext()


IMPLEMENTATIONS = {"ours": _ours, "stock": _stock, "cassetter": _cassetter, "redis": _redis, "bare": _bare}


def _forget_file(path: Path) -> None:
    path.unlink(missing_ok=True)


def _forget_key(path: Path) -> None:
    from llm_vcr.persister import Persister
    from llm_vcr.stores import open_store

    store = open_store(os.environ["LLM_VCR_BENCH_REDIS"])
    store.delete(Persister(store).cassette_id(path))
    store.close()


FORGET = {"redis": _forget_key}
"""How an implementation is made to record anew, where it does not take removing the file."""


class Worker:
    """One implementation, a folder for its cassettes, and a client."""

    def __init__(self, implementation: str, folder: Path, port: int) -> None:
        self.implementation = implementation
        self.use = IMPLEMENTATIONS[implementation]()
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}/v1/chat/completions"
        self.client = httpx.Client(timeout=60, trust_env=False)

    def record(self, case: str, mode: str = "all") -> dict[str, float]:
        """CPU seconds of a recording: all of it, and its end alone, where the cassette is saved."""
        path = self._path(case)
        FORGET.get(self.implementation, _forget_file)(path)
        start = time.process_time()
        with self.use(path, mode, CASES[case].media):
            self._send(case)
            before = time.process_time()
        end = time.process_time()
        return {"all": end - start, "save": end - before}

    def replay(self, case: str, folder: str | None = None) -> dict[str, float]:
        """CPU seconds of a replay: all of it, and a request's share without entry and exit."""
        path = self._path(case) if folder is None else Path(folder) / self._path(case).name
        start = time.process_time()
        with self.use(path, "none", CASES[case].media):
            before = time.process_time()
            answers = self._send(case)
            after = time.process_time()
        end = time.process_time()
        self._check(case, answers)
        return {"all": end - start, "request": (after - before) / len(answers)}

    def peak(self, case: str) -> dict[str, float]:
        """Megabytes that a replay needs at most, above what the process held before."""
        self.replay("a")
        for number in range(CASES[case].episodes):
            exchange(case, number)
        gc.collect()
        # Or what was freed a moment ago would be used again, and nothing would be needed on top.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before = _status("VmRSS")
        with self.use(self._path(case), "none", CASES[case].media):
            for number in range(CASES[case].episodes):
                found = exchange(case, number)
                headers = {"content-type": found.request_type, "x-episode": f"{case}/{number}"}
                self.client.post(self.url, content=found.body, headers=headers)
        return {"all": (_status("VmHWM") - before) / 1024}

    def _send(self, case: str) -> list[httpx.Response]:
        answers = []
        for number in range(CASES[case].episodes):
            found = exchange(case, number)
            headers = {"content-type": found.request_type, "x-episode": f"{case}/{number}"}
            answers.append(self.client.post(self.url, content=found.body, headers=headers))
        return answers

    def _check(self, case: str, answers: list[httpx.Response]) -> None:
        for number, answer in enumerate(answers):
            assert answer.status_code == 200, answer
            if CASES[case].media == "keep":
                found = exchange(case, number)
                # Cassetter writes JSON anew: what it replays is equal, but not the bytes that were recorded.
                same = answer.content == found.answer or answer.json() == json.loads(found.answer)
                assert same, f"{case}: a wrong answer to request {number}"

    def _path(self, case: str) -> Path:
        return self.folder / f"{case.replace(chr(39), '-shrunk')}.yaml"


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Answer orders until standard input ends."""
    implementation, folder, port = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    worker = Worker(implementation, Path(folder), int(port))
    for line in sys.stdin:
        order = json.loads(line)
        what, repeats = order.pop("do"), order.pop("repeats", 1)
        for number in range(CASES[order["case"]].episodes):
            exchange(order["case"], number)
        # Once, not before each: a full collection leaves nothing of the work in the processor's caches.
        gc.collect()
        results = [getattr(worker, what)(**order) for _ in range(repeats)]
        print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main()
