"""``llm-vcr stats``: what the recordings are worth."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import click

from llm_vcr.cli import screen
from llm_vcr.cli.library import Library
from llm_vcr.cli.library import command as library_command
from llm_vcr.cli.list import describe
from llm_vcr.exchange import content, prices


@click.command("stats", short_help="Sum up the cassettes: sizes, ages, models and dollars.")
@click.argument("pattern", required=False)
@library_command
def command(library: Library, pattern: str | None) -> None:
    """Sum up the cassettes, all or those matching PATTERN: sizes, ages, models and dollars."""
    rows, models = [], defaultdict[str, list[prices.Price]](list)
    for cassette_id, record in library.records(pattern):
        rows.append(describe(library, cassette_id, record))
        for one in record.episodes:
            models[content.model(one) or ""].append(prices.of_episode(one))
    summary = _summary(rows, models)
    if library.screen.as_json:
        library.screen.json({**summary, "unreadable": library.problems()})
    else:
        _show(library, summary)
    library.end()


def _summary(rows: list[dict[str, Any]], models: dict[str, list[prices.Price]]) -> dict[str, Any]:
    cost, partial = prices.total([one for every in models.values() for one in every])
    by_model = []
    for name, every in models.items():
        dollars, unknown = prices.total(every)
        by_model.append({"model": name or None, "episodes": len(every), "cost_usd": dollars, "cost_is_partial": unknown})
    ages = sorted(row["recorded_at"] for row in rows if row["recorded_at"] is not None)
    return {
        "cassettes": len(rows),
        "episodes": sum(row["episodes"] for row in rows),
        "bytes": sum(row["bytes"] for row in rows),
        "stale": sum(not row["fresh"] for row in rows),
        "oldest": ages[0] if ages else None,
        "newest": ages[-1] if ages else None,
        "cost_usd": cost,
        "cost_is_partial": partial,
        "models": sorted(by_model, key=lambda one: (-(one["cost_usd"] or 0), -one["episodes"])),
        "largest": [{"cassette": row["cassette"], "bytes": row["bytes"]} for row in sorted(rows, key=lambda row: -row["bytes"])[:5]],
    }


def _show(library: Library, of: dict[str, Any]) -> None:
    line = library.screen.line
    line(f"[bold]{screen.many(of['cassettes'], 'cassette')}[/], {screen.many(of['episodes'], 'episode')}, {screen.size(of['bytes'])}")
    if of["oldest"] is not None:
        stale = f", [dark_orange3]{of['stale']} stale[/]" if of["stale"] else ""
        oldest, newest = screen.age(of["oldest"]), screen.age(of["newest"])
        line((f"recorded between {oldest} and {newest} ago" if oldest != newest else f"recorded {newest} ago") + stale)
    line(f"[bold]{screen.dollars(of['cost_usd'], more=of['cost_is_partial'])}[/] to record all of it again at today's prices\n")
    if of["models"]:
        table = screen.table("model", "episodes", "again", right=("episodes", "again"))
        for one in of["models"]:
            dollars = screen.dollars(one["cost_usd"], more=one["cost_is_partial"] and one["cost_usd"] is not None)
            table.add_row(screen.escape(one["model"] or "no model"), str(one["episodes"]), dollars if one["model"] else "[dim]–[/]")
        library.screen.show(table)
        line()
        listing = screen.Listing("largest", "size", right=("size",))
        for one in of["largest"]:
            listing.row(screen.escape(one["cassette"]), screen.size(one["bytes"]))
        library.screen.show(listing)
