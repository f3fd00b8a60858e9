"""``llm-vcr scan``: secrets that got into a store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import click

from llm_vcr import _core, content
from llm_vcr.cli import screen
from llm_vcr.cli.library import Library
from llm_vcr.cli.library import command as library_command
from llm_vcr.content import body
from llm_vcr.stores.base import CassetteRecord


@dataclass(frozen=True)
class Secret:
    """Where a secret stands and of what kind it is. The secret itself is only here to find its line, and is never shown."""

    place: str
    kind: str
    value: bytes


@click.command("scan")
@click.argument("pattern", required=False)
@library_command
def command(library: Library, pattern: str | None) -> None:
    """Look for secrets in the cassettes, all or those matching PATTERN.

    In headers, queries, JSON, streams, forms, base64 and the file itself, also of files that are no valid cassette any more. Says where
    and of what kind, never the secret. Exit status 1 where there is one. `llm-vcr normalize` takes them out; a key that was ever
    committed must be revoked all the same.
    """
    found = []
    for cassette_id in library.screen.progress(library.ids(pattern) if pattern else list(library.store.scan()), "scanning"):
        raw = library.raw(cassette_id)
        record = library.load(cassette_id)
        secrets = list(_in_record(record)) if record is not None else []
        known = {one.value for one in secrets}
        found += [{"cassette": cassette_id, "line": _line(raw, one.value), "place": one.place, "kind": one.kind} for one in secrets]
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


def _in_record(record: CassetteRecord) -> Iterator[Secret]:
    for number, one in enumerate(record.episodes, 1):
        for side, message, data in (("request", one.request, one.request["body"] or b""), ("answer", one.response, body(one.response))):
            before = f"episode {number}, {side}"
            yield from _in_headers(before, message.get("headers") or {})
            if side == "request":
                yield from _in_uri(before, one.request["uri"])
            yield from _in_body(before, data)
    if record.metadata:
        yield from _in_body("metadata", json.dumps(record.metadata, default=str).encode())


def _in_headers(before: str, headers: Mapping[str, Any]) -> Iterator[Secret]:
    for name, values in headers.items():
        for value in values if isinstance(values, list | tuple) else [values]:
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            if kind := header_kind(name, text):
                yield Secret(f"{before} header {name}", kind, text.encode("utf-8", "surrogatepass"))


def header_kind(name: str, value: str) -> str | None:
    """Of what kind the credential in a header is, or ``None`` where there is none."""
    if found := _core.scan(value.encode("utf-8", "surrogatepass")):
        return found[0][0]
    is_cookie = "cookie" in name.lower()
    # What is both secret and incidental names an account (`openai-organization`): it is taken out, but opens no door.
    if not _core.is_secret_header(name) or (_core.is_incidental_header(name) and not is_cookie):
        return None
    # The core knows what merely stands in for a credential: `REDACTED`, `dummy`, `XXXX`.
    if not _core.scan(json.dumps({"api_key": value.partition("=")[2].partition(";")[0] if is_cookie else value}).encode()):
        return None
    return "cookie" if is_cookie else "credential"


def _in_uri(before: str, uri: str) -> Iterator[Secret]:
    clean = _core.redact_uri(uri)
    if clean == uri:
        return
    parts, kept = urlsplit(uri), dict(parse_qsl(urlsplit(clean).query, keep_blank_values=True))
    named = False
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if kept.get(name) != value:
            named = True
            found = _core.scan(value.encode("utf-8", "surrogatepass"))
            yield Secret(f"{before} query {name}", found[0][0] if found else "credential", value.encode("utf-8", "surrogatepass"))
    if not named:
        found = _core.scan(uri.encode("utf-8", "surrogatepass"))
        whole = uri.encode("utf-8", "surrogatepass")
        yield Secret(f"{before} address", found[0][0] if found else "credential", whole[found[0][1] : found[0][2]] if found else whole)


def _in_body(before: str, data: bytes) -> Iterator[Secret]:
    findings = _core.scan(data)
    if not findings:
        return
    places = list(_strings(data))
    for kind, start, end in findings:
        secret = data[start:end]
        text = secret.decode("utf-8", "replace")
        path = next((path for path, value in places if text in value), None)
        yield Secret(f"{before} body" + (f" {path}" if path else f", byte {start}"), kind, secret)


def _strings(data: bytes) -> Iterator[tuple[str, str]]:
    """The strings of a JSON body, or of the events of a stream, by their path."""
    parsed = content.document(data)
    if parsed is not None:
        yield from _walk("", parsed)
    elif data.startswith((b"data:", b"event:")):
        for number, (_, text) in enumerate(content.events(data), 1):
            event = content.document(text.encode())
            yield from _walk(f"event {number} ", event) if event is not None else [(f"event {number}", text)]


def _walk(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, one in value.items():
            # A path is shown, so a secret that is the name of a member must not be in it.
            step = _core.redact(name.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")
            yield from _walk(f"{path}.{step}" if path and not path.endswith(" ") else f"{path}{step}", one)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _walk(f"{path}[{number}]", one)


def _line(raw: bytes | None, value: bytes) -> int | None:
    """The line of a file where a value stands as it is; one that is folded, escaped or in base64 has none."""
    at = raw.find(value) if raw is not None and value else -1
    return None if raw is None or at < 0 else raw.count(b"\n", 0, at) + 1


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
