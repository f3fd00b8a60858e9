"""``llm-vcr normalize``: recordings as they would be recorded today, without recording them again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from llm_vcr.cli import rekey, screen
from llm_vcr.cli.library import Library, with_episodes
from llm_vcr.cli.library import command as library_command
from llm_vcr.cli.repair import Repair
from llm_vcr.errors import CassetteFileError
from llm_vcr.filters import Filters
from llm_vcr.foreign import rescue
from llm_vcr.stores.base import CassetteRecord
from llm_vcr.stores.file import FileStore


@click.command("normalize", short_help="Repair the cassettes in place.")
@click.argument("pattern", required=False)
@click.option("--from-prefix", metavar="PREFIX", help="Of a shared store: move what stands under this older llm_vcr_prefix too.")
@click.option("--from-project", metavar="PROJECT", help="Of a shared store: move what stands under this older llm_vcr_project too.")
@click.option("--write", is_flag=True, help="Do it; without this, only say what would be done.")
@library_command
def command(library: Library, pattern: str | None, from_prefix: str | None, from_project: str | None, *, write: bool) -> None:
    """Repair the cassettes in place, all or those matching PATTERN.

    Multipart boundaries are fixed, bodies that no longer load are turned into bytes, secrets and headers that tell of an account are
    taken out, compressed answers are unpacked, large media become small files (where llm_vcr_media = shrink). Without --write nothing
    is changed, and the exit status is 1 where there is something to repair. With it, a copy of each changed cassette is put aside.
    """
    repair = Repair(Filters(library.project.settings))
    rows: list[dict[str, Any]] = []
    if from_prefix is not None or from_project is not None:
        rows += rekey.move(library, rekey.older(library, from_prefix, from_project), write=write)
    for cassette_id in library.screen.progress(library.ids(pattern), "repairing"):
        read = _read(library, cassette_id)
        if read is None:
            continue
        record, rescued = read
        try:
            repaired = [repair.episode(one) for one in record.episodes]
        except (ValueError, LookupError) as error:
            path = library.store.path(cassette_id) if isinstance(library.store, FileStore) else cassette_id
            library.refuse(CassetteFileError(str(path), None, f"an episode cannot be repaired: {error}"))
            continue
        kinds = Counter(kind for _, done in repaired for kind in done)
        if rescued:
            kinds["unloadable body"] += 1
        if not kinds:
            continue
        before = library.size(cassette_id, record)
        if write:
            _replace(library, cassette_id, record, with_episodes(record, [one for one, _ in repaired]), rescued=rescued)
        rows.append(
            {
                "cassette": cassette_id,
                "repairs": dict(kinds),
                "bytes": before,
                "bytes_after": library.size(cassette_id, record) if write else None,
            }
        )
    if library.screen.as_json:
        library.screen.json({"written": write, "cassettes": rows, "backup": library.backup, "unreadable": library.problems()})
    else:
        _show(library, rows, write=write)
    library.end(found=bool(rows) and not write)


def _read(library: Library, cassette_id: str) -> tuple[CassetteRecord, bool] | None:
    """A cassette, and whether only we could read it."""
    try:
        record = library.read(cassette_id)
        return None if record is None else (record, False)
    except CassetteFileError as error:
        raw = library.raw(cassette_id)
        try:
            if raw is None or cassette_id.endswith(".json"):
                raise error
            return rescue.load(raw.decode("utf-8-sig"), error.path), True
        except UnicodeDecodeError:
            library.refuse(error)
        except CassetteFileError as worse:
            # Of a file that is simply broken, the first reader says it better.
            library.refuse(worse if "lost" in worse.problem else error)
    return None


def _replace(library: Library, cassette_id: str, old: CassetteRecord, new: CassetteRecord, *, rescued: bool) -> None:
    if rescued and isinstance(library.store, FileStore):
        # The store would look into the old file to see what others wrote meanwhile, and cannot read it.
        library.keep_copy(cassette_id, None)
        library.store.overwrite(cassette_id, new)
        return
    library.replace(cassette_id, old, new)


def _show(library: Library, rows: list[dict[str, Any]], *, write: bool) -> None:
    line = library.screen.line
    if not rows:
        if not library.unreadable:
            line("[green]nothing to repair[/]")
        return
    listing = screen.Listing("cassette", "repaired" if write else "would be repaired", "size", right=("size",))
    for row in rows:
        what = ", ".join(screen.many(count, kind, _plural(kind)) for kind, count in row["repairs"].items())
        smaller = f"{screen.size(row['bytes'])} → {screen.size(row['bytes_after'])}" if write else screen.size(row["bytes"])
        listing.row(screen.escape(row["cassette"]), what, smaller)
    library.screen.show(listing)
    if write:
        line(f"\nrepaired {screen.many(len(rows), 'cassette')}; [dim]copies lie in {screen.escape(str(library.backup))}[/]")
    else:
        line(f"\n{screen.many(len(rows), 'cassette')} would be repaired. [bold]--write[/] does it, and keeps a copy of each.")


def _plural(kind: str) -> str:
    return {"media": "media", "boundary": "boundaries", "unloadable body": "unloadable bodies"}.get(kind, f"{kind}s")
