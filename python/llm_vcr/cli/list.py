"""``llm-vcr list``: which cassettes there are."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import click

from llm_vcr import _core
from llm_vcr.cli import screen
from llm_vcr.cli.library import Library, fresh_until
from llm_vcr.cli.library import command as library_command
from llm_vcr.exchange import content, prices
from llm_vcr.stores.base import CassetteRecord

_FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


@click.command("list", short_help="List the cassettes.")
@click.argument("pattern", required=False)
@library_command
def command(library: Library, pattern: str | None) -> None:
    """List the cassettes, all or those matching PATTERN.

    PATTERN is a part of the name, or a glob such as 'tests/*/test_chat*'. The last column is what it would cost to record the cassette
    again at today's prices; "≥" says that some of its calls have no known price.
    """
    rows = [describe(library, cassette_id, record) for cassette_id, record in library.records(pattern)]
    if library.screen.as_json:
        library.screen.json({"cassettes": rows, "unreadable": library.problems()})
    elif rows:
        _show(library, rows)
    elif not library.unreadable:
        store = screen.escape(_core.redact_uri(library.project.settings.store))
        library.screen.line(f"no cassettes in {store} (project root {screen.escape(str(library.project.root))})")
    library.end()


def describe(library: Library, cassette_id: str, record: CassetteRecord) -> dict[str, Any]:
    """One cassette, for a row or for JSON."""
    until = fresh_until(record)
    cost, unknown = prices.total(prices.of_episode(one) for one in record.episodes)
    return {
        "cassette": cassette_id,
        "episodes": len(record.episodes),
        "bytes": library.size(cassette_id, record),
        "recorded_at": record.recorded_at,
        "ttl_seconds": None if record.ttl == float("inf") else record.ttl,
        "fresh": until > time.time(),
        "fresh_until": datetime.fromtimestamp(until, UTC) if until < _FOR_EVER else None,
        "models": sorted({name for one in record.episodes if (name := content.model(one))}),
        "cost_usd": cost,
        "cost_is_partial": unknown,
    }


def freshness(row: dict[str, Any]) -> str:
    """In a word."""
    if not row["fresh"]:
        return "[dark_orange3]stale[/]"
    return "fresh" if row["fresh_until"] else "[dim]always[/]"


def _show(library: Library, rows: list[dict[str, Any]]) -> None:
    listing = screen.Listing("cassette", "episodes", "size", "age", "fresh", "models", "again", right=("episodes", "size", "age", "again"))
    folder = None
    for row in rows:
        here, _, name = row["cassette"].rpartition("/")
        if here != folder:
            folder = here
            listing.across(f"[bold cyan]{screen.escape(here or '.')}/[/]")
        listing.row(
            f"  {screen.escape(name)}",
            str(row["episodes"]),
            screen.size(row["bytes"]),
            screen.age(row["recorded_at"]),
            freshness(row),
            screen.escape(", ".join(row["models"])) or "[dim]–[/]",
            screen.dollars(row["cost_usd"], more=row["cost_is_partial"]),
        )
    library.screen.show(listing)
    costs = [row["cost_usd"] for row in rows if row["cost_usd"] is not None]
    parts = [
        screen.many(len(rows), "cassette"),
        screen.many(sum(row["episodes"] for row in rows), "episode"),
        screen.size(sum(row["bytes"] for row in rows)),
        f"{screen.dollars(sum(costs), more=any(row['cost_is_partial'] for row in rows))} to record again",
    ]
    library.screen.line(f"\n{', '.join(parts)}")
