"""``llm-vcr explain``: why a request would miss."""

from __future__ import annotations

import difflib
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from rich.table import Table
from rich.text import Text

from llm_vcr import _core
from llm_vcr.cli import screen
from llm_vcr.cli.library import Library, fingerprints
from llm_vcr.cli.library import command as library_command
from llm_vcr.filters import Filters
from llm_vcr.request import materialize
from llm_vcr.stores.base import Episode
from llm_vcr.vcr_request import Request

_COMPARED = 20_000
"""Bytes of two bodies that are compared to find the nearest one."""


@click.command("explain", short_help="Say whether a request would hit, or why it would miss.")
@click.argument("cassette")
@click.argument("request_file", metavar="REQUEST", type=click.Path(path_type=Path))
@library_command
def command(library: Library, cassette: str, request_file: Path) -> None:
    """Say whether CASSETTE has the answer to REQUEST and, where it has not, why.

    REQUEST is a file: a body as it would be sent, or a JSON object with "body" and, if they shall count too, "method", "uri" and
    "headers". "-" reads it from standard input. Exit status 1 where it would miss.
    """
    cassette_id, record = library.must_load(cassette)
    incoming, told = _read(request_file)
    filters = Filters(library.project.settings)
    prepared = filters.prepare(incoming)
    stored = [_stored(one) for one in record.episodes]
    verdict = _verdict(filters, prepared, told, stored, fingerprints(record))
    if library.screen.as_json:
        library.screen.json({"cassette": cassette_id, **verdict})
    else:
        _show(library, cassette_id, verdict)
    library.end(found=not verdict["hit"])


def _read(path: Path) -> tuple[Request, frozenset[str]]:
    """The request in a file, and which of its parts are told."""
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from error
    try:
        parsed = json.loads(data)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict) or "body" not in parsed:
        return Request("POST", "http://unknown/", data, {"content-type": "application/json"} if parsed is not None else {}), frozenset()
    uri = parsed.get("uri") or parsed.get("url")
    headers = {str(name): value[0] if isinstance(value, list) and value else value for name, value in (parsed.get("headers") or {}).items()}
    if isinstance(parsed["body"], dict | list) and not any(name.lower() == "content-type" for name in headers):
        headers["content-type"] = "application/json"
    told = frozenset(name for name, value in (("method", parsed.get("method")), ("uri", uri), ("headers", parsed.get("headers"))) if value)
    return Request(parsed.get("method") or "POST", uri or "http://unknown/", materialize(parsed["body"]), headers), told


def _stored(one: Episode) -> Request:
    request = Request(**one.request)
    request.stored = True
    return request


def _verdict(filters: Filters, incoming: Request, told: frozenset[str], stored: list[Request], prints: list[str]) -> dict[str, Any]:
    matchers = filters.matchers
    candidates = [number for number, one in enumerate(stored) if not _elsewhere(incoming, told, one)]
    for masked in (False, True):
        mine = matchers.fingerprint(incoming, masked=masked)
        for number in candidates:
            same_key = "headers" not in told or matchers.same_key(incoming, stored[number])
            if mine is not None and mine == matchers.fingerprint(stored[number], masked=masked) and same_key:
                return {"hit": True, "masked": masked, "episode": number + 1, "fingerprint": prints[number]}
    if not stored:
        return {"hit": False, "cause": "empty", "episode": None, "fix": "record it: the cassette holds no episode"}
    number = max(range(len(stored)), key=lambda one: (one in candidates, _likeness(incoming, stored[one])))
    nearest = stored[number]
    verdict: dict[str, Any] = {"hit": False, "episode": number + 1, "fingerprint": prints[number]}
    if place := _elsewhere(incoming, told, nearest):
        cause, name, here, there = place
        return verdict | {"cause": cause, "path": name, "request": here, "recorded": there,
                          "fix": f"no episode was recorded for this {name or cause}: send the request there, or record it"}  # fmt: skip
    if "headers" in told and not matchers.same_key(incoming, nearest):
        fix = "use the key it was recorded with, list yours in llm_vcr_placeholder_keys, or set llm_vcr_credential = ignore"
        roles = {"request": matchers.role(incoming) or "session", "recorded": matchers.role(nearest)}
        return verdict | {"cause": "credential", "path": None, **roles, "fix": fix}
    why = matchers.why(incoming, nearest)
    return verdict | {
        "cause": why.cause,
        "path": why.path,
        "offset": why.offset,
        "request": why.left,
        "recorded": why.right,
        "fix": why.fix,
    }


def _elsewhere(incoming: Request, told: frozenset[str], stored: Request) -> tuple[str, str | None, str, str] | None:
    """By what cause, and in what part of its address, a stored request is another one, of what is told."""
    if "method" in told and incoming.method.upper() != stored.method.upper():
        return "method", None, incoming.method, stored.method
    if "uri" in told:
        here, there = urlsplit(incoming.uri), urlsplit(_core.redact_uri(stored.uri))
        for name in ("scheme", "netloc", "path", "query"):
            if getattr(here, name) != getattr(there, name):
                return "url", {"netloc": "host"}.get(name, name), getattr(here, name), getattr(there, name)
    return None


def _likeness(incoming: Request, stored: Request) -> float:
    mine, theirs = ((one._body or b"")[:_COMPARED].decode("latin-1") for one in (incoming, stored))
    return difflib.SequenceMatcher(None, mine, theirs, autojunk=False).quick_ratio()


def _show(library: Library, cassette_id: str, verdict: dict[str, Any]) -> None:
    line = library.screen.line
    if verdict["hit"]:
        how = "with uuids and times masked" if verdict["masked"] else "exactly"
        line(f"[green]HIT[/] {screen.escape(cassette_id)}, episode {verdict['episode']} ([cyan]{verdict['fingerprint']}[/]) matches {how}")
        return
    line(
        f"[red]MISS[/] {screen.escape(cassette_id)}"
        + (f"; the nearest is episode {verdict['episode']} ([cyan]{verdict['fingerprint']}[/])" if verdict["episode"] else "")
    )
    place = f" at [cyan]{screen.escape(verdict['path'])}[/]" if verdict.get("path") else ""
    grid = Table.grid(padding=(0, 2))
    grid.add_row("  cause", f"[bold]{screen.escape(verdict['cause'])}[/]{place}")
    if "request" in verdict:
        grid.add_row("  request", Text(screen.plain(str(verdict["request"])), "red"))
        grid.add_row("  recorded", Text(screen.plain(str(verdict["recorded"])), "green"))
    grid.add_row("  fix", Text(screen.plain(verdict["fix"])))
    line()
    library.screen.show(grid)
