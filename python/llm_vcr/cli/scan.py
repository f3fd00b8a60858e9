"""``llm-vcr scan``: secrets that got into a store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from llm_vcr import _core, leaks
from llm_vcr.cli import screen
from llm_vcr.cli.library import Library
from llm_vcr.cli.library import command as library_command


@click.command("scan", short_help="Look for secrets in the cassettes.")
@click.argument("pattern", required=False)
@library_command
def command(library: Library, pattern: str | None) -> None:
    """Look for secrets in the cassettes, all or those matching PATTERN.

    In headers, queries, JSON, streams, forms, base64 and the file itself, also of files that are no valid cassette any more. Says where
    and of what kind, never the secret. Exit status 1 where there is one. `llm-vcr normalize` takes them out; a key that was ever
    committed must be revoked all the same.
    """
    found = []
    for cassette_id in library.screen.progress(library.ids(pattern), "scanning"):
        raw = library.raw(cassette_id)
        record = library.load(cassette_id)
        secrets = list(leaks.of_record(record)) if record is not None else []
        known = {one.value for one in secrets}
        lines = _lines(raw or b"", [one.value for one in secrets])
        found += [
            {"cassette": cassette_id, "line": line, "place": one.place, "kind": one.kind} for one, line in zip(secrets, lines, strict=True)
        ]
        if raw is not None:
            # What stands in the file and in no episode: comments, other keys, and everything in a file that cannot be read.
            for kind, start, end in _core.scan(raw):
                if not any(raw[start:end] in one or one in raw[start:end] for one in known):
                    found.append({"cassette": cassette_id, "line": raw.count(b"\n", 0, start) + 1, "place": "the file", "kind": kind})
    if library.screen.as_json:
        library.screen.json({"secrets": found, "unreadable": library.problems()})
    else:
        _show(library, found)
    library.end(found=bool(found))


def _lines(raw: bytes, values: list[bytes]) -> Iterator[int | None]:
    """The lines of a file where values stand as they are; one that is folded, escaped or in base64 has none.

    The same key in a header and in a body stands in two places.
    """
    taken: list[range] = []
    for value in values:
        first = at = raw.find(value) if value else -1
        while at >= 0 and any(at in one for one in taken):
            at = raw.find(value, at + 1)
        at = first if at < 0 else at
        taken.append(range(at, at + len(value)))
        yield None if at < 0 else raw.count(b"\n", 0, at) + 1


def _show(library: Library, found: list[dict[str, Any]]) -> None:
    if not found:
        if not library.unreadable:
            library.screen.line("[green]no secrets found[/]")
        return
    by_cassette: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        by_cassette.setdefault(one["cassette"], []).append(one)
    for cassette_id, secrets in by_cassette.items():
        library.screen.line(f"[bold]{screen.escape(cassette_id)}[/]")
        for one in secrets:
            line = f"line {one['line']}" if one["line"] else ""
            library.screen.line(
                f"  [red]{screen.escape(one['kind']):<22}[/] {screen.escape(one['place'])}" + (f" [dim]({line})[/]" if line else "")
            )
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(one["kind"] for one in found).most_common())
    library.screen.line(
        f"\n[red bold]{screen.many(len(found), 'secret')}[/] in {screen.many(len(by_cassette), 'cassette')}: {kinds}\n"
        "[dim]llm-vcr normalize takes them out. Revoke every key that was ever committed.[/]"
    )
