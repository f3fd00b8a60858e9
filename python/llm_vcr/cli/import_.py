"""``llm-vcr import``: recordings of other tools, without recording them again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from llm_vcr import foreign
from llm_vcr.cli import litellm, screen
from llm_vcr.cli.library import Library, fresh_until
from llm_vcr.cli.library import command as library_command
from llm_vcr.cli.repair import Repair
from llm_vcr.errors import CassetteFileError
from llm_vcr.filters import Filters
from llm_vcr.stores.base import CassetteRecord
from llm_vcr.stores.file import FileStore

_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Source:
    """Something to import: where it stands, how its bytes are got, and the id its cassette gets."""

    path: str
    read: Callable[[], bytes]
    cassette_id: str


@click.command("import", short_help="Import recordings of other tools.")
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
    rows: list[dict[str, Any]] = []
    taken: dict[str, str] = {}
    for source in library.screen.progress(list(_sources(library, sources, into)), "importing"):
        try:
            name, found = foreign.read(source.read(), source.path)
        except CassetteFileError as error:
            library.refuse(error)
            continue
        except OSError as error:
            library.refuse(CassetteFileError(source.path, None, f"the file cannot be read: {error.strerror}"))
            continue
        repaired = []
        for number, one in enumerate(found.episodes, 1):
            with found.interaction(number):
                repaired.append(repair.episode(one)[0])
        record = CassetteRecord(tuple(repaired), recorded_at=found.recorded_at, ttl=found.ttl)
        in_place = _is_itself(library, source)
        if source.cassette_id in taken:
            state = f"left out: {taken[source.cassette_id]} went there"
        else:
            state = _state(library, source, record, force=force or in_place)
        if state == "imported":
            taken[source.cassette_id] = source.path
            if not dry_run:
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
            for path, name, read in litellm.cassettes(source):
                yield Source(path, read, f"{into.strip('/')}/{name}" if into else name)
            continue
        base = Path(source)
        if not base.exists():
            raise click.UsageError(f"{source}: there is no such file or folder")
        before = len(library.unreadable)
        files = sorted(_files(library, base)) if base.is_dir() else [base]
        if not files and len(library.unreadable) == before:
            raise click.UsageError(f"{source}: there are no {', '.join(_SUFFIXES)} files in it")
        for file in files:
            below = file.relative_to(base) if base.is_dir() else Path(file.name)
            place = Path(into) / below if into else Path(os.path.relpath(file.absolute(), library.project.root))
            suffix = f".{library.project.settings.format}" if isinstance(library.store, FileStore) else ".yaml"
            cassette_id = place.with_suffix(suffix).as_posix()
            if cassette_id.startswith("../"):
                raise click.UsageError(f"{source} lies outside of the project {library.project.root}: say where its cassettes go (--into)")
            yield Source(str(file), file.read_bytes, cassette_id)


def _files(library: Library, folder: Path) -> Iterator[Path]:
    """What may be a recording below a folder; a folder that cannot be looked into is named."""

    def refuse(error: OSError) -> None:
        library.refuse(CassetteFileError(str(error.filename), None, f"the folder cannot be read: {error.strerror}"))

    for here, folders, files in os.walk(folder, onerror=refuse):
        folders.sort()
        for name in files:
            path = Path(here) / name
            if path.suffix in _SUFFIXES and os.path.isfile(path):
                yield path


def _is_itself(library: Library, source: Source) -> bool:
    """Whether the file is where its cassette will be."""
    return isinstance(library.store, FileStore) and library.store.path(source.cassette_id).absolute() == Path(source.path).absolute()


def _state(library: Library, source: Source, record: CassetteRecord, *, force: bool) -> str:
    if not record.episodes:
        return "nothing usable"
    try:
        there = library.read(source.cassette_id) is not None
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
    present = library.read(source.cassette_id)
    if present is not None:
        library.keep_copy(source.cassette_id, present)
        record = replace(record, base=present, replace=True)
    # It is as fresh as it was elsewhere, and what has no time there has none here.
    left = max(1.0, fresh_until(record) - time.time())
    store.merge(source.cassette_id, record, ttl=left, keep=7 * record.ttl)


def _show(library: Library, rows: list[dict[str, Any]], *, dry_run: bool) -> None:
    line = library.screen.line
    listing = screen.Listing("source", "written by", "episodes", right=("episodes",))
    for row in rows:
        listing.row(screen.escape(row["source"]), row["format"], str(row["episodes"]))
        state = "" if row["state"] == "imported" else f" [dark_orange3]{screen.escape(row['state'])}[/]"
        listing.across(f"  → {screen.escape(row['cassette'])}{state}")
    if rows:
        library.screen.show(listing)
    for row in rows:
        for one in row["unusable"]:
            line(f"[dark_orange3]unusable[/] {screen.escape(row['source'])}, interaction {one['interaction']}: {screen.escape(one['why'])}")
    done = [row for row in rows if row["state"] == "imported"]
    count = screen.many(sum(row["episodes"] for row in done), "episode")
    line(f"\n{'would import' if dry_run else 'imported'} {count} into {screen.many(len(done), 'cassette')}")
    if library.backup:
        line(f"[dim]copies of what was replaced lie in {screen.escape(library.backup)}[/]")
