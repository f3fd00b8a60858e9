"""``llm-vcr diff``: in what two cassettes, or two episodes, differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import click

import llm_vcr
from llm_vcr import _core
from llm_vcr.cli import screen
from llm_vcr.cli.library import Library, pick
from llm_vcr.cli.library import command as library_command
from llm_vcr.exchange import content
from llm_vcr.exchange.content import body, status_code
from llm_vcr.request import header
from llm_vcr.stores.base import CassetteRecord, Episode

_WINDOW = 120
"""Characters of a value that are shown."""

_NAME = re.compile(r"[A-Za-z_][\w-]*")

_ABSENT = object()


@dataclass(frozen=True)
class Difference:
    """One place where two episodes differ."""

    where: str
    """``request`` or ``answer``."""
    path: str
    left: str
    right: str


@click.command("diff", short_help="Compare two cassettes, or two episodes, by JSON path.")
@click.argument("a")
@click.argument("b")
@library_command
def command(library: Library, a: str, b: str) -> None:
    """Compare two cassettes, or two episodes, by JSON path.

    A and B are cassettes, or episodes of one: CASSETTE#3, CASSETTE#a1b2c3. Episodes of cassettes are paired where their requests are
    equal, the rest in recorded order within the same address. Exit status 1 where they differ.
    """
    left_name, left = _chosen(library, a)
    right_name, right = _chosen(library, b)
    if len(left) == len(right) == 1:
        pairs: list[tuple[int | None, int | None]] = [(0, 0)]
    else:
        pairs = _paired([one for _, one in left], [one for _, one in right])
    rows: list[dict[str, Any]] = []
    for here, there in pairs:
        if here is None or there is None:
            alone = left[here][0] if here is not None else None, right[there][0] if there is not None else None
            rows.append({**dict(zip("ab", (None if one is None else one + 1 for one in alone), strict=True)), "differences": []})
            continue
        found = list(differences(left[here][1], right[there][1]))
        if found:
            rows.append({"a": left[here][0] + 1, "b": right[there][0] + 1, "differences": [vars(one) for one in found]})
    if library.screen.as_json:
        library.screen.json({"a": left_name, "b": right_name, "same": not rows, "pairs": rows})
    else:
        _show(library, (left_name, right_name), dict(left), dict(right), rows)
    library.end(found=bool(rows))


def _chosen(library: Library, name: str) -> tuple[str, list[tuple[int, Episode]]]:
    cassette, found, episode = name.partition("#")
    cassette_id, record = library.must_load(cassette)
    numbers: Sequence[int] = pick(record, episode) if found else range(len(record.episodes))
    return name if found else cassette_id, [(number, record.episodes[number]) for number in numbers]


def _paired(left: list[Episode], right: list[Episode]) -> list[tuple[int | None, int | None]]:
    """Equal requests first; then, within an address, what is left in recorded order; at last what has no partner."""
    keys_left = {key: number for number, key in enumerate(CassetteRecord(tuple(left)).keyed())}
    keys_right = {key: number for number, key in enumerate(CassetteRecord(tuple(right)).keyed())}
    pairs: list[tuple[int | None, int | None]] = [(number, keys_right[key]) for key, number in keys_left.items() if key in keys_right]
    rest_left = [number for key, number in keys_left.items() if key not in keys_right]
    rest_right = [number for key, number in keys_right.items() if key not in keys_left]
    for number in rest_left:
        partner = next((one for one in rest_right if _address(right[one]) == _address(left[number])), None)
        if partner is not None:
            rest_right.remove(partner)
        pairs.append((number, partner))
    return sorted([*pairs, *((None, one) for one in rest_right)], key=lambda pair: (pair[0] is None, pair[0] or 0, pair[1] or 0))


def _address(one: Episode) -> tuple[str, str]:
    return str(one.request["method"]).upper(), urlsplit(one.request["uri"]).path


def differences(left: Episode, right: Episode) -> Iterator[Difference]:
    """All places where two episodes differ, secrets redacted."""
    for name in ("method", "uri"):
        if left.request[name] != right.request[name]:
            yield Difference("request", name, _core.redact_uri(left.request[name]), _core.redact_uri(right.request[name]))
    yield from _bodies("request", left.request["body"] or b"", right.request["body"] or b"", left.request, right.request)
    codes = status_code(left.response), status_code(right.response)
    if codes[0] != codes[1]:
        yield Difference("answer", "status", str(codes[0]), str(codes[1]))
    yield from _bodies("answer", body(left.response), body(right.response), left.response, right.response)


def _bodies(where: str, left: bytes, right: bytes, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Difference]:
    if left == right:
        return
    values = [_value(data, message) for data, message in ((left, one), (right, other))]
    if None not in values:
        for path, here, there in _trees("", *values):
            yield Difference(where, path or "(whole body)", _window(here), _window(there))
        return
    kinds = [header(message.get("headers"), "content-type") for message in (one, other)]
    mismatch = llm_vcr.explain(left, right, kinds[0] or kinds[1])
    if mismatch.cause != "same":
        place = mismatch.path or (f"byte {mismatch.offset}" if mismatch.offset is not None else "(whole body)")
        yield Difference(where, place, mismatch.left, mismatch.right)


def _value(data: bytes, message: Mapping[str, Any]) -> Any:
    """A body as a tree: JSON, or the list of a stream's events."""
    if content.content_type(message) == "text/event-stream" or data.startswith((b"data:", b"event:")):
        return [parsed if (parsed := content.document(text.encode())) is not None else text for _, text in content.events(data)]
    return content.document(data)


def _trees(path: str, left: Any, right: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(left, dict) and isinstance(right, dict):
        for name in [*left, *(name for name in right if name not in left)]:
            here, there = left.get(name, _ABSENT), right.get(name, _ABSENT)
            step = (f".{name}" if path else name) if _NAME.fullmatch(name) else f"[{json.dumps(name, ensure_ascii=False)}]"
            yield from _trees(path + step, here, there)
    elif isinstance(left, list) and isinstance(right, list):
        for number in range(max(len(left), len(right))):
            here = left[number] if number < len(left) else _ABSENT
            there = right[number] if number < len(right) else _ABSENT
            yield from _trees(f"{path}[{number}]", here, there)
    elif type(left) is not type(right) or left != right:
        yield path, left, right


def _window(value: Any) -> str:
    if value is _ABSENT:
        return "(absent)"
    text = _core.redact(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")).decode("utf-8", "replace")
    return text if len(text) <= _WINDOW else f"{text[:_WINDOW]}… ({len(text):,} characters)"


def _show(
    library: Library, names: tuple[str, str], left: dict[int, Episode], right: dict[int, Episode], rows: list[dict[str, Any]]
) -> None:
    line = library.screen.line
    if not rows:
        line(f"[green]the same[/]: {screen.escape(names[0])} and {screen.escape(names[1])}")
        return
    line(f"[red]- {screen.escape(names[0])}[/]\n[green]+ {screen.escape(names[1])}[/]")
    for row in rows:
        here, there = row["a"], row["b"]
        if not row["differences"]:
            sign, colour, number, of = ("-", "red", here, left) if here else ("+", "green", there, right)
            what = f"{' '.join(_address(of[number - 1]))}, model {content.model(of[number - 1]) or '–'}"
            line(f"\n[{colour}]{sign} episode {number}[/]: {screen.escape(what)}, only there")
            continue
        line(f"\n[bold]episode {here}[/]" + (f" and {there}" if here != there else ""))
        for one in row["differences"]:
            line(f"  {one['where']} [cyan]{screen.escape(one['path'])}[/]")
            line(f"    [red]- {screen.escape(one['left'])}[/]")
            line(f"    [green]+ {screen.escape(one['right'])}[/]")
