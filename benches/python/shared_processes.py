"""The shared store under several processes at once: what is kept, and what is paid for.

Usage: ``python -m benches.python.shared_processes [--runs 20]``. Each row is checked as it is made: a lost episode, or a call that was paid
for once too often, ends it with an error. A redis-server is started on a free port of 127.0.0.1 and stopped again.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benches.python.shared_store import row
from tests.python.stores.processes import SlowProvider, record_at_once, save_at_once
from tests.redis_server import RedisServer

PROCESSES = 8
QUESTIONS = 20


def saves(runs: int) -> None:
    """16 processes, 200 episodes in one cassette; then with a server that is killed on the way."""
    for durable in (False, True):
        for _ in range(runs):
            with RedisServer(durable=durable) as server:
                save_at_once(server, 16, 200, restarts=2 if durable else 0)
        what = "the same, the server killed twice by SIGKILL" if durable else "16 processes save 200 episodes into one cassette"
        row(what, f"200 kept in {runs} of {runs} runs", "200, in 20 of 20")


def calls() -> None:
    """Eight processes that ask the same 20 questions, with answers that take up to five seconds."""
    for manner, how in (("sequential", "one after the other"), ("gather", "all at once, in any order")):
        alone = 0.0
        for processes, kill in ((1, False), (PROCESSES, False), (PROCESSES, True)):
            slow = SlowProvider(5.0)
            with RedisServer() as server, tempfile.TemporaryDirectory() as folder:
                took = record_at_once(server, slow, Path(folder), manner, kill=kill, processes=processes, questions=QUESTIONS)
            slow.stop()
            alone = alone or took
            if processes > 1:
                what = f"8 processes, the same 20 calls of 1 to 5 s {how}" + (", the recording one killed" if kill else "")
                row(what, f"{slow.paid} paid calls, {took / alone:.1f} × the time of one", f"≤ {40 if kill else 20} calls, 3 ×")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="how often processes save at once")
    saves(parser.parse_args().runs)
    calls()


if __name__ == "__main__":
    main()
