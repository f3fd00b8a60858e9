"""``llm-vcr prune``: what no test plays any more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import click

from llm_vcr import _core
from llm_vcr.cli import owners, screen
from llm_vcr.cli.library import Library, fingerprints, with_episodes
from llm_vcr.cli.library import command as library_command
from llm_vcr.stores.base import CassetteRecord


@click.command("prune", short_help="Drop episodes and cassettes that no test plays any more.")
@click.argument("pattern", required=False)
@click.option("--orphans", is_flag=True, help="Only cassettes without a test; needs no report of a run.")
@click.option("--write", is_flag=True, help="Do it; without this, only say what would be done.")
@library_command
def command(library: Library, pattern: str | None, *, orphans: bool, write: bool) -> None:
    """Drop the episodes that the last full run did not play, and the cassettes that no test owns any more.

    What was played stands in that run's report (llm-vcr-report/summary.json); after a run of some tests only, nothing is pruned. A test
    that failed or was skipped says nothing of its cassette. The owners are asked of pytest (`pytest --collect-only` in the project's
    root); a cassette whose name stands in the tests' code is somebody's too. Without --write nothing is changed, and the exit status is 1
    where there is something to prune. A copy of each is put aside.
    """
    report = None if orphans else _last_run(library)
    everyone = library.tests()
    if not everyone:
        raise click.UsageError(f"pytest finds no tests in {library.project.root}: every cassette would be an orphan")
    chosen = library.ids(pattern)
    lost = [one for one in chosen if not any(owner.owns(one) for owner in everyone)]
    named = owners.mentioned(library.project.root, lost)
    lost = [one for one in lost if one not in named]
    rows = [] if report is None else _unplayed(library, report, [one for one in chosen if one not in lost])
    if write:
        for cassette_id in library.screen.progress(lost, "pruning"):
            record = library.load(cassette_id) if library.raw(cassette_id) is None else None
            library.keep_copy(cassette_id, record)
            library.store.delete(cassette_id)
        for row in library.screen.progress(rows, "pruning"):
            library.replace(row.cassette, row.record, with_episodes(row.record, row.kept))
    if library.screen.as_json:
        unplayed = [{"cassette": row.cassette, "dropped": row.dropped, "left": len(row.kept)} for row in rows]
        told = {"written": write, "tests": len(everyone), "orphans": lost, "unplayed": unplayed, "backup": library.backup}
        library.screen.json({**told, "unreadable": library.problems()})
    else:
        _show(library, lost, rows, tests=len(everyone), write=write, played=report is not None)
    library.end(found=bool(lost or rows) and not write)


@dataclass(frozen=True)
class _Row:
    """A cassette with episodes that were not played."""

    cassette: str
    record: CassetteRecord
    dropped: list[str]
    kept: list[Any]


def _last_run(library: Library) -> Mapping[str, Any]:
    """The report of the last run, if it can tell what nobody plays.

    Raises:
        click.UsageError: saying why it cannot.
    """
    project = library.project
    instead = "Run all tests once (`pytest`), or prune only cassettes without a test: llm-vcr prune --orphans"
    if project.settings.report == "off":
        raise click.UsageError(f"llm_vcr_report is off, so nobody knows what the last run played. {instead}")
    path = project.root / project.settings.report / "summary.json"
    try:
        told = json.loads(path.read_text("utf-8"))
        complete, unused = told["complete"], told["unused"]
        datetime.fromisoformat(told["started"]) + timedelta(seconds=told["seconds"])
    except FileNotFoundError:
        raise click.UsageError(f"there is no report of a run ({screen.shown(path)}). {instead}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise click.UsageError(f"{screen.shown(path)} cannot be read ({type(error).__name__}: {error}). {instead}") from error
    if not complete or not isinstance(unused, dict):
        raise click.UsageError(
            f"the last run ({told['started']}) was not a full one: what it did not play, a test that was left out may play. {instead}"
        )
    used, asked = str((told.get("store") or {}).get("url", "file")), _core.redact_uri(project.settings.store)
    if used.partition(":")[0] != asked.partition(":")[0] or (not asked.startswith("file") and used != asked):
        raise click.UsageError(f"the last run ({told['started']}) used the store {used}, and not {asked}. {instead}")
    return told  # type: ignore[no-any-return]  # JSON


def _unplayed(library: Library, report: Mapping[str, Any], chosen: list[str]) -> list[_Row]:
    end = datetime.fromisoformat(report["started"]) + timedelta(seconds=report["seconds"] + 1)
    stems = {one.rpartition(".")[0]: one for one in chosen}
    rows = []
    for told_id, prints in library.screen.progress(list(report["unused"].items()), "reading"):
        cassette_id = stems.get(told_id.rpartition(".")[0])
        record = library.load(cassette_id) if cassette_id is not None else None
        if cassette_id is None or record is None:
            continue
        if record.recorded_at is not None and record.recorded_at > end:
            library.screen.note(f"{cassette_id}: recorded since the last full run, so it is left alone")
            continue
        gone = [one in prints for one in fingerprints(record)]
        if any(gone):
            kept = [one for one, dropped in zip(record.episodes, gone, strict=True) if not dropped]
            rows.append(_Row(cassette_id, record, [one for one in fingerprints(record) if one in prints], kept))
    return rows


def _show(library: Library, lost: list[str], rows: list[_Row], *, tests: int, write: bool, played: bool) -> None:
    line = library.screen.line
    if not lost and not rows:
        if not library.unreadable:
            line(f"[green]every cassette has a test{', and every episode was played' if played else ''}[/] ({screen.many(tests, 'test')})")
        return
    listing = screen.Listing("cassette", "dropped" if write else "would be dropped", "left", right=("left",))
    for cassette_id in lost:
        listing.row(screen.escape(cassette_id), "all of it: no test has it", "–")
    for row in rows:
        listing.row(screen.escape(row.cassette), f"not played: {', '.join(row.dropped)}", str(len(row.kept)))
    library.screen.show(listing)
    parts = [screen.many(len(lost), "cassette") + f" without a test (of {screen.many(tests, 'test')})"] if lost else []
    parts += [screen.many(sum(len(row.dropped) for row in rows), "unplayed episode")] if rows else []
    if write:
        end = f"dropped; [dim]copies lie in {screen.escape(str(library.backup))}[/]"
    else:
        end = "[bold]--write[/] drops them, and keeps a copy of each."
    line(f"\n{', '.join(parts)}. {end}")
