"""``llm-vcr import``: recordings of other tools, without recording them again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from llm_vcr import foreign
from llm_vcr.cli import litellm, screen
from llm_vcr.cli.library import Library
from llm_vcr.cli.library import command as library_command
from llm_vcr.cli.repair import Repair
from llm_vcr.errors import CassetteFileError
from llm_vcr.filters import Filters
from llm_vcr.stores.base import CassetteRecord
from llm_vcr.stores.file import FileStore

_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Source:
    """Something to import: where it stands, its bytes, and the id its cassette gets."""

    path: str
    data: bytes
    cassette_id: str


@click.command("import")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--into", metavar="FOLDER", help="Folder of the store for the cassettes; by default that of their file.")
@click.option("--force", is_flag=True, help="Replace cassettes that are there already; a copy is put aside.")
@click.option("--dry-run", is_flag=True, help="Only say what would be imported.")
@library_command
def command(library: Library, sources: tuple[str, ...], into: str | None, *, force: bool, dry_run: bool) -> None:
    """Import recordings of vcrpy (YAML, JSON), llm-mock (JSON 1.0, 2.0), pytest-llm-vcr, cassetter and LiteLLM.

    A SOURCE is a file, a folder, or the URL of a Redis with LiteLLM's cassettes. Which tool wrote a file is seen from what is in it.
    Everything goes through what a recording goes through: secrets and account headers are taken out, boundaries fixed, large media made
    small. What cannot be used is named, and the exit status is then 1.
    """
    repair = Repair(Filters(library.project.settings))
    rows = []
    for source in library.screen.progress(list(_sources(library, sources, into)), "importing"):
        try:
            name, found = foreign.read(source.data, source.path)
        except CassetteFileError as error:
            library.refuse(error)
            continue
        repaired = [repair.episode(one)[0] for one in found.episodes]
        record = CassetteRecord(tuple(repaired), recorded_at=found.recorded_at, ttl=found.ttl)
        in_place = _is_itself(library, source)
        state = _state(library, source, record, force=force or in_place)
        if state == "imported" and not dry_run:
            _write(library, source, record, in_place=in_place)
        rows.append(
            {
                "source": source.path if "://" in source.path else screen.shown(source.path),
                "format": name,
                "cassette": source.cassette_id,
                "state": state,
                "episodes": len(repaired),
                "unusable": [{"interaction": number, "why": why} for number, why in found.unusable],
            }
        )
    if library.screen.as_json:
        library.screen.json({"written": not dry_run, "imported": rows, "backup": library.backup, "unreadable": library.problems()})
    else:
        _show(library, rows, dry_run=dry_run)
    library.end(found=any(row["unusable"] or row["state"] != "imported" for row in rows))


def _sources(library: Library, sources: tuple[str, ...], into: str | None) -> Iterator[Source]:
    for source in sources:
        if "://" in source:
            for path, name, data in litellm.cassettes(source):
                yield Source(path, data, f"{into.strip('/')}/{name}" if into else name)
            continue
        base = Path(source)
        if not base.exists():
            raise click.UsageError(f"{source}: there is no such file or folder")
        files = sorted(one for one in base.rglob("*") if one.suffix in _SUFFIXES and one.is_file()) if base.is_dir() else [base]
        if not files:
            raise click.UsageError(f"{source}: there are no {', '.join(_SUFFIXES)} files in it")
        for file in files:
            below = file.relative_to(base) if base.is_dir() else Path(file.name)
            place = Path(into) / below if into else Path(os.path.relpath(file.absolute(), library.project.root))
            suffix = f".{library.project.settings.format}" if isinstance(library.store, FileStore) else ".yaml"
            cassette_id = place.with_suffix(suffix).as_posix()
            if cassette_id.startswith("../"):
                raise click.UsageError(f"{source} lies outside of the project {library.project.root}: say where its cassettes go (--into)")
            try:
                yield Source(str(file), file.read_bytes(), cassette_id)
            except OSError as error:
                library.refuse(CassetteFileError(str(file), None, f"the file cannot be read: {error.strerror}"))


def _is_itself(library: Library, source: Source) -> bool:
    """Whether the file is where its cassette will be."""
    return isinstance(library.store, FileStore) and library.store.path(source.cassette_id).absolute() == Path(source.path).absolute()


def _state(library: Library, source: Source, record: CassetteRecord, *, force: bool) -> str:
    if not record.episodes:
        return "nothing usable"
    try:
        there = library.store.load(source.cassette_id) is not None
    except CassetteFileError:
        there = True
    return "imported" if force or not there else "is there already (--force replaces it)"


def _write(library: Library, source: Source, record: CassetteRecord, *, in_place: bool) -> None:
    store = library.store
    if isinstance(store, FileStore):
        if in_place or store.path(source.cassette_id).exists():
            library.keep_copy(source.cassette_id, None)
        store.overwrite(source.cassette_id, record)
        return
    present = store.load(source.cassette_id)
    if present is not None:
        library.replace(source.cassette_id, present, record)
    else:
        store.merge(source.cassette_id, record, ttl=record.ttl, keep=7 * record.ttl)


def _show(library: Library, rows: list[dict[str, Any]], *, dry_run: bool) -> None:
    line = library.screen.line
    table = screen.table("source", "written by", "episodes", "cassette", right=("episodes",), fold="source")
    for row in rows:
        into = screen.escape(row["cassette"]) if row["state"] == "imported" else f"[yellow]{row['state']}[/]"
        table.add_row(screen.escape(row["source"]), row["format"], str(row["episodes"]), into)
    if rows:
        library.screen.show(table)
    for row in rows:
        for one in row["unusable"]:
            line(f"[yellow]unusable[/] {screen.escape(row['source'])}, interaction {one['interaction']}: {screen.escape(one['why'])}")
    done = [row for row in rows if row["state"] == "imported"]
    count = screen.many(sum(row["episodes"] for row in done), "episode")
    line(f"\n{'would import' if dry_run else 'imported'} {count} into {screen.many(len(done), 'cassette')}")
    if library.backup:
        line(f"[dim]copies of what was replaced lie in {library.backup}[/]")
