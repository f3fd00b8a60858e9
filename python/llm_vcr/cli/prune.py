"""``llm-vcr prune``: cassettes that no test owns any more."""

from __future__ import annotations

import click

from llm_vcr.cli import owners, screen
from llm_vcr.cli.library import Library
from llm_vcr.cli.library import command as library_command


@click.command("prune")
@click.argument("pattern", required=False)
@click.option("--write", is_flag=True, help="Do it; without this, only say what would be done.")
@library_command
def command(library: Library, pattern: str | None, *, write: bool) -> None:
    """Drop the cassettes that no test owns any more, of all or of those matching PATTERN.

    The tests are asked of pytest (`pytest --collect-only` in the project's root); where it cannot collect all of them, nothing is
    pruned. Without --write nothing is changed, and the exit status is 1 where there are such cassettes. A copy of each is put aside.
    """
    everyone = owners.collect(library.project.root)
    if not everyone:
        raise click.UsageError(f"pytest finds no tests in {library.project.root}: every cassette would be an orphan")
    orphans = [one for one in library.ids(pattern) if not any(owner.owns(one) for owner in everyone)]
    if write:
        for cassette_id in orphans:
            record = library.load(cassette_id) if library.raw(cassette_id) is None else None
            library.keep_copy(cassette_id, record)
            library.store.delete(cassette_id)
    if library.screen.as_json:
        library.screen.json({"written": write, "tests": len(everyone), "orphans": orphans, "backup": library.backup})
    elif not orphans:
        library.screen.line(f"[green]every cassette has a test[/] ({screen.many(len(everyone), 'test')})")
    else:
        for cassette_id in orphans:
            library.screen.line(screen.escape(cassette_id))
        what = f"{screen.many(len(orphans), 'cassette')} without a test (of {screen.many(len(everyone), 'test')})"
        end = f"dropped; [dim]copies lie in {library.backup}[/]" if write else "[bold]--write[/] drops them, and keeps a copy of each."
        library.screen.line(f"\n{what}. {end}")
    library.end(found=bool(orphans) and not write)
