"""One process of the matrix: all cases of one client, in one phase. Run by `run`; answers with a JSON file."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import inspect
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import vcr as vcrpy
from vcr.cassette import Cassette as VcrCassette
from vcr.errors import CannotOverwriteExistingCassetteException

from tests.clients.case import Case, Client, Function, Negative
from tests.clients.seen import seen

BODY = ("method", "scheme", "host", "port", "path", "query", "body")
"""What a careful user of stock vcrpy matches on."""


class Watch:
    """What happened beneath the client: connections, refusals, calls that the stand-in answered."""

    def __init__(self, log: Path, port: int) -> None:
        self.connects = 0
        self.refusals: list[dict[str, Any]] = []
        self._log = log
        self._port = port
        sys.addaudithook(self._audit)
        inner = CannotOverwriteExistingCassetteException.__init__

        def noted(error: Any, *arguments: Any, **keywords: Any) -> None:
            inner(error, *arguments, **keywords)
            closest = error.similar_requests[0][2] if error.similar_requests else []
            self.refusals.append({"message": str(error), "differs": [[name, text or ""] for name, text in closest]})

        CannotOverwriteExistingCassetteException.__init__ = noted

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        # A name is looked up before a connection to another host is made; an address is only connected to.
        if event == "socket.connect" and isinstance(arguments[1], tuple) and arguments[1][1] == self._port:
            self.connects += 1

    def answered(self) -> int:
        """How many calls the stand-in has answered so far, by its own log."""
        return len(self._log.read_bytes().splitlines())


def main() -> None:
    """Run the cases, write what came of each."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients.child", description=__doc__)
    parser.add_argument("--client", required=True)
    parser.add_argument("--layer", choices=("ours", "stock", "none"), required=True)
    parser.add_argument("--phase", choices=("record", "replay"), required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    client: Client = importlib.import_module(f"tests.clients.cases.{options.client}").client
    watch = Watch(options.log, options.port)
    results: dict[str, Any] = {}
    with asyncio.Runner() as runner:

        def call(function: Function, url: str) -> Any:
            answer = function(url)
            return seen(runner.run(answer) if inspect.iscoroutine(answer) else answer)

        for case in client.cases.values():
            if options.only and options.only not in case.name:
                continue
            results[case.name] = one(case, watch, call, options)
    options.folder.joinpath(f"{options.phase}.json").write_text(json.dumps(results, indent=1), "utf-8")
    # Some SDKs keep threads that would wait for a provider that is gone.
    sys.stdout.flush()
    os._exit(0)


def one(case: Case, watch: Watch, call: Callable[[Function, str], Any], options: argparse.Namespace) -> dict[str, Any]:
    """One case, and on replay its negatives: with us in the same cassette."""
    url = f"http://127.0.0.1:{options.port}"
    connects, answered = watch.connects, watch.answered()
    watch.refusals.clear()
    result: dict[str, Any] = {"negatives": {}}
    try:
        with cassette(case, options) as (opened, missed):
            try:
                with limit(60):
                    result["answer"] = call(case.function, url)
            finally:
                result["missed"] = missed()
                result["answered"] = watch.answered() - answered
                result["connects"] = watch.connects - connects
                result["refusals"] = list(watch.refusals)
            if options.phase == "replay" and options.layer == "ours":
                for negative in case.negatives:
                    told = refused(negative, url, watch, call)
                    result["negatives"][negative.name] = {**told, "misses": [one.cause for one in opened.misses[-1:]]}
    except BaseException as error:  # noqa: BLE001 - whatever it is, the next case is another one
        result["error"] = "".join(traceback.format_exception_only(error))[-2000:]
        result["trace"] = "".join(traceback.format_exception(error))[-6000:]
    if options.phase == "replay" and options.layer == "stock":
        for negative in case.negatives:
            # Afresh: stock vcrpy would refuse whatever matches an episode that it has played, and look as if it saw the difference.
            with cassette(case, options):
                result["negatives"][negative.name] = refused(negative, url, watch, call)
    return result


def refused(negative: Negative, url: str, watch: Watch, call: Callable[[Function, str], Any]) -> dict[str, Any]:
    """What came of a call that must not be answered."""
    connects = watch.connects
    watch.refusals.clear()
    result: dict[str, Any] = {"cause": negative.cause}
    try:
        with limit(60):
            result["answer"] = call(negative.function, url)
    except BaseException as error:  # noqa: BLE001 - what a refusal becomes is the client's choice
        result["error"] = "".join(traceback.format_exception_only(error))[-500:]
    result["refusals"] = list(watch.refusals)
    result["connects"] = watch.connects - connects
    return result


@contextlib.contextmanager
def cassette(case: Case, options: argparse.Namespace) -> Iterator[tuple[Any, Callable[[], int]]]:
    """The case's cassette in this layer and phase, and how to ask how many calls it had no answer for."""
    path = str(options.folder / "cassettes" / f"{case.name}.yaml")
    mode = "once" if options.phase == "record" else "none"
    match options.layer:
        case "none":
            yield None, lambda: 0
        case "ours":
            import llm_vcr

            configured = llm_vcr.VCR(record_mode=mode, **{**case.options, **case.settings})
            with configured.use_cassette(path) as opened:
                yield opened, lambda: opened.counts.live + opened.counts.refused
        case "stock":
            missed: set[int] = set()
            kept: list[Any] = []
            asked = VcrCassette.can_play_response_for

            def can_play_response_for(self: Any, request: Any) -> bool:
                found: bool = asked(self, request)
                if not found:
                    # Kept, so that no other request gets the same id.
                    kept.append(request)
                    missed.add(id(request))
                return found

            VcrCassette.can_play_response_for = can_play_response_for
            try:
                with vcrpy.VCR(record_mode=mode, match_on=BODY, **case.options).use_cassette(path) as opened:
                    yield opened, lambda: len(missed)
            finally:
                VcrCassette.can_play_response_for = asked


@contextlib.contextmanager
def limit(seconds: int) -> Iterator[None]:
    """End a case that hangs, so that the others still run."""

    def late(*_: object) -> None:
        raise TimeoutError(f"no end after {seconds} s")

    previous = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


if __name__ == "__main__":
    main()
