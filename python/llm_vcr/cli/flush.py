"""``llm-vcr flush``: forget many cassettes at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import click

from llm_vcr import config
from llm_vcr.cli import screen
from llm_vcr.cli.library import Library
from llm_vcr.cli.library import command as library_command


@click.command("flush", short_help="Forget many cassettes at once.")
@click.option("--match", default="*", metavar="PATTERN", help="Only cassettes whose name matches this glob.")
@click.option("--older-than", metavar="12h", help="Only cassettes into which nothing was recorded for so long.")
@click.option("--overflowed", is_flag=True, help="Only cassettes that had to refuse an episode (a shared store).")
@click.option("--dry-run", is_flag=True, help="Only say which.")
@library_command
def command(library: Library, match: str, older_than: str | None, *, overflowed: bool, dry_run: bool) -> None:
    """Forget all cassettes of this project, or those that the options choose.

    The next run records them again, which costs money. Of a shared store only what is ours and this project's is touched, and no copy is
    kept; of files a copy is put aside.
    """
    # The brackets of a test's parameters are no glob's.
    match = match.replace("[", "[[]")
    age = None if older_than is None else float(config.lookup("ttl").read("--older-than", older_than))
    flush = getattr(library.store, "flush", None)
    if flush is not None:
        flushed = [(one.cassette_id, one.episodes) for one in flush(match, older_than=age, overflowed=overflowed, dry_run=dry_run)]
    elif overflowed:
        raise click.UsageError("--overflowed is for a shared store: files have no cap")
    else:
        flushed = list(_files(library, match, age))
        for cassette_id, _ in library.screen.progress(flushed, "flushing") if not dry_run else ():
            library.keep_copy(cassette_id, None)
            library.store.delete(cassette_id)
    rows: list[dict[str, Any]] = [{"cassette": cassette_id, "episodes": episodes} for cassette_id, episodes in flushed]
    if library.screen.as_json:
        library.screen.json({"flushed": rows, "written": not dry_run, "backup": library.backup, "unreadable": library.problems()})
    else:
        for row in rows if dry_run else ():
            library.screen.line(screen.escape(row["cassette"]))
        what = f"{screen.many(len(rows), 'cassette')} with {screen.many(sum(row['episodes'] for row in rows), 'episode')}"
        library.screen.line(f"{'would forget' if dry_run else 'forgot'} {what}")
        if library.backup:
            library.screen.line(f"[dim]copies lie in {screen.escape(library.backup)}[/]")
    library.end()


def _files(library: Library, match: str, age: float | None) -> Iterator[tuple[str, int]]:
    for cassette_id in library.screen.progress(library.everything(), "reading"):
        if not fnmatchcase(cassette_id, match):
            continue
        record = library.load(cassette_id)
        if record is None:
            continue
        if age is not None and (record.recorded_at is None or (datetime.now(UTC) - record.recorded_at).total_seconds() < age):
            continue
        yield cassette_id, len(record.episodes)
