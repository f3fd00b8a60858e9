"""``llm-vcr refresh``: record cassettes anew, and no others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import click

from llm_vcr import config
from llm_vcr.cli import screen
from llm_vcr.cli.library import Library, fresh_until
from llm_vcr.cli.library import command as library_command
from llm_vcr.cli.record import run
from llm_vcr.errors import ConfigError


def _as_setting(name: str) -> Any:
    """An option that is checked as the setting of this name is."""

    def check(_: click.Context, option: click.Parameter, value: str | None) -> Any:
        try:
            return None if value is None else config.lookup(name).read(option.opts[0], value)
        except ConfigError as error:
            raise click.UsageError(str(error)) from None

    return check


@click.command("refresh", short_help="Record cassettes anew, and no others.")
@click.argument("pattern", required=False)
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- PYTEST-ARGUMENTS]")
@click.option("--stale", is_flag=True, help="Only cassettes with episodes older than their ttl, and of these only such episodes.")
@click.option("--older-than", metavar="AGE", callback=_as_setting("ttl"), help="Only cassettes recorded longer ago, such as 30d.")
@click.option("--max-live-calls", metavar="N", callback=_as_setting("max_live_calls"), help="The budget: so many calls.")
@click.option("--max-live-usd", metavar="X", callback=_as_setting("max_live_usd"), help="The budget: no call once X dollars are spent.")
@library_command
def command(
    library: Library,
    pattern: str | None,
    pytest_arguments: tuple[str, ...],
    *,
    stale: bool,
    older_than: float | None,
    max_live_calls: int | None,
    max_live_usd: float | None,
) -> None:
    """Record cassettes anew, those matching PATTERN, the stale or the old ones: run the tests that own them, and only those.

    This calls providers, and costs. A test that fails, or for which the budget is spent, keeps its old recording, and every other cassette
    stays byte for byte what it is. The oldest come first, so a job that runs every night with a budget gets around. A copy of each is put
    aside. Exit status 1 where a test fails.
    """
    if pattern is not None and pattern.startswith("-"):
        # All of it stood behind `--`.
        pytest_arguments, pattern = (pattern, *pytest_arguments), None
    if pattern is None and not stale and older_than is None:
        raise click.UsageError("name a PATTERN, or say --stale or --older-than: without any of them everything would be recorded anew")
    chosen = _chosen(library, pattern, stale=stale, older_than=older_than)
    if not chosen:
        library.screen.note("nothing to record anew")
        if library.screen.as_json:
            library.screen.json({"tests": [], "mode": None, "passed": True, "output": ""})
        library.end()
        return
    tests = _owned(library, chosen)
    limits = {"--llm-vcr-max-live-calls": max_live_calls, "--llm-vcr-max-live-usd": max_live_usd}
    flags = [f"{flag}={limit}" for flag, limit in limits.items() if limit is not None]
    if stale:
        # What is fresh is replayed, and stays.
        run(library, tests, "new_episodes", ["--llm-vcr-stale=rerecord", *flags, *pytest_arguments])
    else:
        run(library, tests, "rewrite", [*flags, *pytest_arguments])


def _chosen(library: Library, pattern: str | None, *, stale: bool, older_than: float | None) -> list[str]:
    """The cassettes in question; where age decides, the longest stale or the oldest first."""
    if not stale and older_than is None:
        return library.ids(pattern)
    now = time.time()
    found = []
    for cassette_id, record in library.records(pattern):
        recorded = record.recorded_at.timestamp() if record.recorded_at is not None else 0.0
        until = fresh_until(record)
        if (not stale or until < now) and (older_than is None or recorded < now - older_than):
            found.append((until if stale else recorded, cassette_id))
    return [cassette_id for _, cassette_id in sorted(found)]


def _owned(library: Library, cassettes: Sequence[str]) -> list[str]:
    """The tests that own them, in their order; a copy of each cassette is put aside."""
    everyone = library.tests()
    tests: dict[str, None] = {}
    kept = 0
    for cassette_id in cassettes:
        own = [one.nodeid for one in everyone if one.owns(cassette_id)]
        if not own:
            library.screen.note(f"{cassette_id}: no test owns it")
            continue
        tests.update(dict.fromkeys(own))
        library.keep_copy(cassette_id, library.load(cassette_id) if library.raw(cassette_id) is None else None)
        kept += 1
    if not tests:
        raise click.UsageError(f"no test owns {', '.join(cassettes[:5])}; `llm-vcr prune` drops cassettes without a test")
    library.screen.note(f"copies of {screen.many(kept, 'cassette')} lie in {library.backup}")
    return list(tests)
