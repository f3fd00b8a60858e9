"""``llm-vcr export``: cassettes as stock vcrpy writes them."""

from __future__ import annotations

import os
from pathlib import Path

import click

from llm_vcr.cli import screen
from llm_vcr.cli.library import Library
from llm_vcr.cli.library import command as library_command
from llm_vcr.matchers import KEY_HEADER
from llm_vcr.stores.base import CassetteRecord
from llm_vcr.stores.file import FileStore


@click.command("export", short_help="Write cassettes as plain YAML of vcrpy.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.argument("pattern", required=False)
@click.option("--force", is_flag=True, help="Write over files that are there already.")
@library_command
def command(library: Library, folder: Path, pattern: str | None, *, force: bool) -> None:
    """Write the cassettes, all or those matching PATTERN, into FOLDER as plain YAML of vcrpy.

    Nothing of ours is left in them: stock vcrpy and pytest-recording play them. FOLDER gets the tree of the store.
    """
    written = []
    for cassette_id, record in library.records(pattern, "exporting"):
        if _is_inside(library, cassette_id, folder):
            # An earlier export into the project, whose files are cassettes too.
            continue
        path = folder / Path(cassette_id.lstrip("/")).with_suffix(".yaml")
        if path.exists() and not force:
            raise click.UsageError(f"{path} is there already; --force writes over it")
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        draft.write_text(plain(record), "utf-8")
        os.replace(draft, path)
        written.append({"cassette": cassette_id, "file": str(path), "episodes": len(record.episodes)})
    if library.screen.as_json:
        library.screen.json({"exported": written, "unreadable": library.problems()})
    else:
        library.screen.line(f"exported {screen.many(len(written), 'cassette')} to {screen.escape(str(folder))}")
    library.end()


def _is_inside(library: Library, cassette_id: str, folder: Path) -> bool:
    return isinstance(library.store, FileStore) and folder.absolute() in library.store.path(cassette_id).absolute().parents


def plain(record: CassetteRecord) -> str:
    """The text that stock vcrpy would write."""
    from vcr.request import Request
    from vcr.serialize import serialize
    from vcr.serializers import yamlserializer

    requests = []
    for one in record.episodes:
        headers = {name: values for name, values in one.request["headers"].items() if name.lower() != KEY_HEADER}
        requests.append(Request._from_dict({**one.request, "headers": headers}))
    cassette = {"requests": requests, "responses": [dict(one.response) for one in record.episodes]}
    text: str = serialize(cassette, yamlserializer)
    return text
