"""``llm-vcr clear``: forget a cassette, or one episode of it."""

from __future__ import annotations

import click

from llm_vcr.cli import screen
from llm_vcr.cli.library import Library, fingerprints, pick, with_episodes
from llm_vcr.cli.library import command as library_command


@click.command("clear", short_help="Forget a cassette, or one episode of it.")
@click.argument("cassette")
@click.option("--episode", metavar="FINGERPRINT", help="Only the episodes whose fingerprint begins so (or the one with this number).")
@library_command
def command(library: Library, cassette: str, episode: str | None) -> None:
    """Forget CASSETTE, or one episode of it. A copy is put aside first.

    The next run of its test records it again, which costs money.
    """
    cassette_id = library.find(cassette)
    if episode is None:
        # One that cannot be read can still be forgotten.
        library.keep_copy(cassette_id, library.load(cassette_id) if library.raw(cassette_id) is None else None)
        library.store.delete(cassette_id)
        gone, left = None, 0
    else:
        _, record = library.must_load(cassette_id)
        numbers = pick(record, episode)
        gone = [fingerprints(record)[one] for one in numbers]
        kept = [one for number, one in enumerate(record.episodes) if number not in numbers]
        library.replace(cassette_id, record, with_episodes(record, kept))
        left = len(kept)
    if library.screen.as_json:
        told = {"cassette": cassette_id, "cleared": gone or "all", "left": left, "backup": library.backup}
        library.screen.json({**told, "unreadable": library.problems()})
    else:
        what = f"{screen.many(len(gone), 'episode')} of " if gone else ""
        library.screen.line(f"forgot {what}{screen.escape(cassette_id)}" + (f", {screen.many(left, 'episode')} left" if left else ""))
        library.screen.line(f"[dim]a copy lies in {screen.escape(str(library.backup))}[/]")
    if gone is not None:
        # Of a cassette that cannot be read at all nothing is left that would be a trouble.
        library.end()
