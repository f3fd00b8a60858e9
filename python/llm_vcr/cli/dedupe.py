"""``llm-vcr dedupe``: episodes that say the same twice."""

from __future__ import annotations

from typing import Any

import click

from llm_vcr.cli import screen
from llm_vcr.cli.library import Library, with_episodes
from llm_vcr.cli.library import command as library_command
from llm_vcr.exchange.content import body, status_code
from llm_vcr.stores.base import CassetteRecord, Episode


@click.command("dedupe", short_help="Drop episodes that change nothing.")
@click.argument("pattern", required=False)
@click.option("--write", is_flag=True, help="Do it; without this, only say what would be done.")
@library_command
def command(library: Library, pattern: str | None, *, write: bool) -> None:
    """Drop episodes that change nothing, in all cassettes or those matching PATTERN.

    Answers are played in recorded order, and the last one of a request is repeated: of equal requests, those at the end whose answer
    is the one before it say nothing new. Without --write nothing is changed, and the exit status is 1 where there are such.
    """
    rows = []
    for cassette_id, record in library.records(pattern):
        superfluous = _superfluous(record)
        if not superfluous:
            continue
        kept = [one for number, one in enumerate(record.episodes) if number not in superfluous]
        rows.append({"cassette": cassette_id, "dropped": sorted(number + 1 for number in superfluous), "left": len(kept)})
        if write:
            library.replace(cassette_id, record, with_episodes(record, kept))
    if library.screen.as_json:
        library.screen.json({"written": write, "cassettes": rows, "backup": library.backup, "unreadable": library.problems()})
    else:
        _show(library, rows, write=write)
    library.end(found=bool(rows) and not write)


def _superfluous(record: CassetteRecord) -> set[int]:
    """The numbers of the episodes that repeat, at the end of their request's row, the answer before them."""
    same: dict[str, list[int]] = {}
    for number, key in enumerate(record.keyed()):
        same.setdefault(key.partition(":")[0], []).append(number)
    found = set()
    for numbers in same.values():
        for before, last in zip(numbers[-2::-1], numbers[:0:-1], strict=True):
            if not _equal(record.episodes[before], record.episodes[last]):
                break
            found.add(last)
    return found


def _equal(left: Episode, right: Episode) -> bool:
    return (
        status_code(left.response) == status_code(right.response)
        and body(left.response) == body(right.response)
        and left.request["headers"] == right.request["headers"]
    )


def _show(library: Library, rows: list[dict[str, Any]], *, write: bool) -> None:
    if not rows:
        if not library.unreadable:
            library.screen.line("[green]no episode says the same twice[/]")
        return
    listing = screen.Listing("cassette", "dropped" if write else "would be dropped", "left", right=("left",))
    for row in rows:
        what = "episode" if len(row["dropped"]) == 1 else "episodes"
        listing.row(screen.escape(row["cassette"]), f"{what} {', '.join(map(str, row['dropped']))}", str(row["left"]))
    library.screen.show(listing)
    if write:
        library.screen.line(f"\n[dim]copies lie in {screen.escape(str(library.backup))}[/]")
    else:
        library.screen.line("\n[bold]--write[/] does it, and keeps a copy of each.")
