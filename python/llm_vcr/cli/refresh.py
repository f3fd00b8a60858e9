"""``llm-vcr refresh``: record cassettes anew, and no others."""

from __future__ import annotations

import click

from llm_vcr.cli import owners, screen
from llm_vcr.cli.library import Library
from llm_vcr.cli.library import command as library_command
from llm_vcr.cli.record import run


@click.command("refresh")
@click.argument("pattern")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- PYTEST-ARGUMENTS]")
@library_command
def command(library: Library, pattern: str, pytest_arguments: tuple[str, ...]) -> None:
    """Record the cassettes matching PATTERN anew: run the tests that own them, and only those.

    This calls providers, and costs. A test that fails keeps its old recording, and every other cassette stays byte for byte what it is.
    A copy of each is put aside. Exit status 1 where a test fails.
    """
    cassettes = library.ids(pattern)
    everyone = owners.collect(library.project.root)
    tests = [one.nodeid for one in everyone if any(one.owns(cassette_id) for cassette_id in cassettes)]
    orphans = [cassette_id for cassette_id in cassettes if not any(one.owns(cassette_id) for one in everyone)]
    if not tests:
        raise click.UsageError(f"no test owns {', '.join(cassettes[:5])}; `llm-vcr prune` drops cassettes without a test")
    for cassette_id in orphans:
        library.screen.note(f"{cassette_id}: no test owns it")
    for cassette_id in cassettes:
        if cassette_id not in orphans:
            library.keep_copy(cassette_id, library.load(cassette_id) if library.raw(cassette_id) is None else None)
    library.screen.note(f"copies of {screen.many(len(cassettes) - len(orphans), 'cassette')} lie in {library.backup}")
    run(library, tests, "rewrite", pytest_arguments)
