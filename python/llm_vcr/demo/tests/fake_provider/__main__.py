"""The stand-in as a process of its own: announces its port, logs its calls, ends on SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import threading
from pathlib import Path

from tests.fake_provider.server import FakeProvider


def main() -> None:
    """Serves until it is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m tests.fake_provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 picks a free one")
    parser.add_argument("--announce", type=Path, help="file that gets the port, written in one step when it listens")
    parser.add_argument("--log", type=Path, help="file that gets one JSON line per call")
    parser.add_argument("--gzip", action="store_true", help="answer in gzip to clients that take it")
    options = parser.parse_args()

    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with FakeProvider(options.port, log=options.log, compress=options.gzip) as provider:
        if options.announce:
            draft = options.announce.with_name(options.announce.name + ".part")
            draft.write_text(f"{provider.port}\n", encoding="utf-8")
            os.replace(draft, options.announce)
        else:
            print(provider.url, flush=True)
        # A wait without a limit would not see Ctrl-C on Windows.
        with contextlib.suppress(KeyboardInterrupt):
            while not stopped.wait(0.5):
                pass


if __name__ == "__main__":
    main()
