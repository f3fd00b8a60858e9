"""``llm-vcr record``: run tests so that what they lack is recorded."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

import click

from llm_vcr.cli import owners, screen
from llm_vcr.cli.library import Library, resolved
from llm_vcr.cli.library import command as library_command

_LEAVE = 10.0
"""Seconds for a pytest that is interrupted to end by itself."""


@click.command("record", short_help="Run tests, and record what their cassettes lack.")
@click.argument("pattern")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- PYTEST-ARGUMENTS]")
@library_command
def command(library: Library, pattern: str, pytest_arguments: tuple[str, ...]) -> None:
    """Run the tests whose id has PATTERN in it, and record what their cassettes lack.

    This calls providers, and costs. No other test is run, so no other cassette changes. What is recorded already is replayed; to record
    that anew, use `llm-vcr refresh`. Exit status 1 where a test fails.
    """
    everyone = library.tests()
    chosen = [one.nodeid for one in everyone if owners.matches(one.nodeid, pattern)]
    if not chosen:
        raise click.UsageError(f"no test has {pattern!r} in its id")
    run(library, chosen, "new_episodes", pytest_arguments)


def run(library: Library, nodeids: Sequence[str], mode: str, arguments: Sequence[str]) -> None:
    """Run these tests and no others in a pytest of their own, recording in ``mode``; end with 1 where one fails."""
    out = library.screen
    live = "every call goes" if mode == "rewrite" else "calls that are not recorded yet go"
    out.note(f"running {screen.many(len(nodeids), 'test')} with --record-mode={mode}: {live} to the provider")
    store = ["--llm-vcr-store", _store(library)] if library.project.settings.sources.get("store") == "--store" else []
    mode_of_ours = [] if library.project.settings.mode != "off" else ["--llm-vcr", "auto"]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, and arguments that no shell sees
        [sys.executable, "-m", "pytest", f"--record-mode={mode}", *mode_of_ours, *store, *arguments, *nodeids],
        cwd=library.project.root,
        env={name: value for name, value in os.environ.items() if name != "CI"},
        stdout=subprocess.PIPE if out.as_json else None,
        stderr=subprocess.STDOUT if out.as_json else None,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    try:
        output, _ = process.communicate()
    except KeyboardInterrupt:
        # It puts everything back, and says what it did. A terminal's Ctrl-C has told it as well, and a second one would stop it in that.
        if not sys.stdin.isatty():
            process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_LEAVE)
        process.kill()
        raise
    if out.as_json:
        out.json({"tests": list(nodeids), "mode": mode, "passed": process.returncode == 0, "output": output})
    library.end()
    if process.returncode:
        sys.exit(1 if process.returncode == 1 else 2)


def _store(library: Library) -> str:
    """The store as pytest is to be told of it: it runs in the project's root, wherever the user is."""
    named = library.project.settings.store
    return named if named.removesuffix(":") == "file" else resolved(library.project)
