"""``llm-vcr show``: what is in a cassette."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import click
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.syntax import ANSISyntaxTheme, Syntax
from rich.text import Text

from llm_vcr import _core
from llm_vcr.cli import screen
from llm_vcr.cli.library import Library, fingerprints, pick
from llm_vcr.cli.library import command as library_command
from llm_vcr.exchange import content, prices
from llm_vcr.exchange.content import body, status_code
from llm_vcr.leaks import header_kind
from llm_vcr.request import header, text
from llm_vcr.stores.base import CassetteRecord, Episode

_LONG = 200
"""A string in a JSON body above this many characters is shown by its beginning (`--full` shows it all)."""

_MEDIA = re.compile(r"^(?:data:([\w.+-]+/[\w.+-]+);base64,)?[A-Za-z0-9+/]{512,}={0,2}$")

_KINDS = ((b"\x89PNG\r\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"), (b"RIFF", "audio/wav or image/webp"),
          (b"ID3", "audio/mpeg"), (b"OggS", "audio/ogg"), (b"%PDF", "application/pdf"), (b"PK\x03\x04", "application/zip"))  # fmt: skip


_COLOURS = ANSISyntaxTheme(
    {("Name", "Tag"): Style(color="cyan"), ("Literal", "String"): Style(color="green"), ("Literal", "Number"): Style(color="magenta"),
     ("Keyword",): Style(color="magenta")}
)  # fmt: skip
"""The terminal's own colours, those that can be read on black and on white."""


@click.command("show", short_help="Show the episodes of a cassette, or one of them in full.")
@click.argument("cassette")
@click.argument("episode", required=False)
@click.option("--full", is_flag=True, help="Show long strings whole.")
@click.option("--headers", is_flag=True, help="Show headers too.")
@library_command
def command(library: Library, cassette: str, episode: str | None, *, full: bool, headers: bool) -> None:
    """Show CASSETTE: its episodes one a line, or one EPISODE in full.

    CASSETTE is a name of `llm-vcr list`, a file, the end of a name, or a test's id (tests/test_chat.py::test_hello). EPISODE is a number
    from 1, or the beginning of a fingerprint.
    """
    cassette_id, record = library.must_load(cassette)
    chosen = pick(record, episode) if episode is not None else range(len(record.episodes))
    prints = fingerprints(record)
    if library.screen.as_json:
        library.screen.json({"cassette": cassette_id, "recorded_at": record.recorded_at, "episodes": [
            {"number": number + 1, "fingerprint": prints[number], **_plain(record.episodes[number])} for number in chosen
        ], "unreadable": library.problems()})  # fmt: skip
    elif episode is None and len(record.episodes) > 1:
        _overview(library, cassette_id, record, prints)
    else:
        for number in chosen:
            _one(library, cassette_id, prints[number], number, record.episodes[number], full=full, headers=headers)
    library.end()


def _overview(library: Library, cassette_id: str, record: CassetteRecord, prints: list[str]) -> None:
    recorded = f", recorded {screen.age(record.recorded_at)} ago" if record.recorded_at else ""
    library.screen.line(f"[bold]{screen.escape(cassette_id)}[/]{recorded}")
    table = screen.table("#", "fingerprint", "request", "model", "answer", "size", right=("#", "size"), fold="request")
    for number, (one, print_) in enumerate(zip(record.episodes, prints, strict=True), 1):
        parts = urlsplit(one.request["uri"])
        table.add_row(
            str(number),
            f"[cyan]{print_}[/]",
            screen.escape(f"{one.request['method']} {parts.path or '/'}"),
            screen.escape(content.model(one) or "–"),
            _status(one.response),
            screen.size(len(body(one.response))),
        )
    library.screen.show(table)
    library.screen.line("\n[dim]One of them in full: llm-vcr show CASSETTE #[/]")


def _status(response: Mapping[str, Any]) -> str:
    code = status_code(response)
    kind = "events" if content.is_stream(response) else content.content_type(response).rpartition("/")[2]
    colour = "green" if code and code < 300 else "dark_orange3" if code and code < 400 else "red"
    return f"[{colour}]{code}[/] {screen.escape(kind)}"


def _one(library: Library, cassette_id: str, print_: str, number: int, one: Episode, *, full: bool, headers: bool) -> None:
    price = prices.of_episode(one)
    facts = [f"episode {number + 1}", f"[cyan]{print_}[/]", screen.escape(content.model(one) or "no model")]
    if price.dollars is None or price.dollars:
        facts.append(f"{screen.dollars(price.dollars)} again")
    library.screen.line(f"[bold]{screen.escape(cassette_id)}[/]\n{', '.join(facts)}")
    library.screen.line(f"\n[bold]{screen.escape(one.request['method'])}[/] {screen.escape(_core.redact_uri(one.request['uri']))}")
    if headers:
        library.screen.show(_headers(one.request))
    library.screen.show(
        Padding(rendered(one.request["body"] or b"", header(one.request["headers"], "content-type"), full=full), (0, 0, 0, 2))
    )
    library.screen.line(f"\n{_status(one.response)}")
    if headers:
        library.screen.show(_headers(one.response))
    library.screen.show(Padding(rendered(body(one.response), header(one.response.get("headers"), "content-type"), full=full), (0, 0, 0, 2)))


def _headers(message: Mapping[str, Any]) -> RenderableType:
    return Group(
        *(Text.assemble((f"  {screen.plain(name)}: ", "dim"), screen.plain(", ".join(values))) for name, values in _told(message).items())
    )


def _told(message: Mapping[str, Any]) -> dict[str, list[str]]:
    """The headers of a request or an answer, without what is secret in them."""
    told = {}
    for name, values in content.headers(message).items():
        every = [text(one) for one in (values if isinstance(values, list | tuple) else [values])]
        secret = _core.is_secret_header(text(name)) or any(header_kind(text(name), one) for one in every)
        told[text(name)] = ["[redacted]"] if secret else [_core.redact_uri(one) if "://" in one else one for one in every]
    return told


def rendered(data: bytes, media_type: str | None, *, full: bool = False) -> RenderableType:
    """A body for people: JSON in colours, events one by one, forms part by part, media by type and size."""
    kind = (media_type or "").partition(";")[0].strip().lower()
    if not data:
        return Text("(no body)", style="dim")
    data = _core.redact(data)
    parsed = content.document(data)
    if parsed is not None:
        return _json(parsed, full=full)
    if kind == "text/event-stream" or data.startswith((b"data:", b"event:")):
        return _stream(data, full=full)
    if kind.startswith("multipart/"):
        return _form(data, media_type or "", full=full)
    return _text_or_media(data, kind, full=full)


def _json(parsed: Any, *, full: bool) -> RenderableType:
    lines = json.dumps(parsed if full else _shortened(parsed), ensure_ascii=False, indent=2)
    return Syntax(screen.plain(lines), "json", theme=_COLOURS, background_color="default", word_wrap=True)


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(one) for key, one in value.items()}
    if isinstance(value, list):
        if len(value) > 16 and all(isinstance(one, int | float) for one in value):
            return [*value[:4], f"… {len(value) - 4} more numbers"]
        return [_shortened(one) for one in value]
    if isinstance(value, str) and len(value) > _LONG:
        if found := _MEDIA.match(value):
            return f"<{found[1] or 'base64'}, {screen.size(len(value) * 3 // 4)}>"
        return f"{value[:_LONG]}… {len(value) - _LONG:,} more characters"
    return value


def _stream(data: bytes, *, full: bool) -> RenderableType:
    lines: list[RenderableType] = []
    for name, told in content.events(data):
        parsed = content.document(told.encode())
        if parsed is not None:
            told = json.dumps(parsed if full else _shortened(parsed), ensure_ascii=False)
        lines.append(Text.assemble((screen.plain(f"{name or 'data'} "), "cyan"), screen.plain(told), overflow="fold"))
    heading = Text(screen.many(len(lines), "event"), style="dim")
    shown = (
        lines if full or len(lines) <= 40 else [*lines[:20], Text(f"… {len(lines) - 40} more events (--full)", style="dim"), *lines[-20:]]
    )
    return Group(heading, *shown)


def _form(data: bytes, media_type: str, *, full: bool) -> RenderableType:
    found = re.search(r'boundary="?([^";]+)', media_type)
    if found is None:
        return _text_or_media(data, "multipart", full=full)
    lines: list[RenderableType] = []
    for part in data.split(b"--" + found[1].encode())[1:-1]:
        head, _, payload = part.strip(b"\r\n").partition(b"\r\n\r\n")
        heads = dict(line.split(": ", 1) for line in head.decode("utf-8", "replace").split("\r\n") if ": " in line)
        told = {name.lower(): value for name, value in heads.items()}
        name = re.search(r'name="([^"]*)"', told.get("content-disposition", ""))
        file = re.search(r'filename="([^"]*)"', told.get("content-disposition", ""))
        label = Text.assemble((screen.plain(name[1]) if name else "part", "cyan"), screen.plain(f" ({file[1]})") if file else "", ": ")
        value = _text_or_media(payload, told.get("content-type", ""), full=full)
        lines.append(label + value if isinstance(value, Text) else Group(label, value))
    return Group(Text(f"form with {screen.many(len(lines), 'part')}", style="dim"), *lines)


def _text_or_media(data: bytes, kind: str, *, full: bool) -> Text:
    known = next((name for begin, name in _KINDS if data.startswith(begin)), None)
    try:
        told = data.decode("utf-8")
    except UnicodeDecodeError:
        told = None
    if known or told is None or "\0" in told:
        return Text(screen.plain(f"<{known or kind or 'binary'}, {screen.size(len(data))}>"), style="magenta")
    if not full and len(told) > 2000:
        return Text(screen.plain(f"{told[:2000]}… {len(told) - 2000:,} more characters (--full)"))
    return Text(screen.plain(told))


def _plain(one: Episode) -> dict[str, Any]:
    """An episode in JSON: bodies as the JSON or text they are, binary ones by size."""
    return {
        "model": content.model(one),
        "request": {
            "method": one.request["method"],
            "uri": _core.redact_uri(one.request["uri"]),
            "headers": _told(one.request),
            "body": _plain_body(one.request["body"] or b""),
        },
        "response": {
            "status": status_code(one.response),
            "headers": _told(one.response),
            "body": _plain_body(body(one.response)),
        },
    }


def _plain_body(data: bytes) -> Any:
    data = _core.redact(data)
    parsed = content.document(data)
    if parsed is not None or not data:
        return parsed
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"binary": len(data), "sha256": _core.sha256_hex(data)}
