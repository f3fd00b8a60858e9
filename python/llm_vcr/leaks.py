"""Secrets in what is stored, or about to be: where they stand and of what kind they are, never what they are.

The filters take secrets out of what a client sends and a provider answers. `cleaned` is the last look, when a recording is saved: at what a
filter of the user's put back, and at what the filters leave in an answer (of an answer they know keys by their own shape only).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from llm_vcr import _core
from llm_vcr.exchange import content
from llm_vcr.exchange.content import body
from llm_vcr.filters import clean_values
from llm_vcr.stores.base import CassetteRecord, Episode


@dataclass(frozen=True)
class Leak:
    """Where a secret stands and of what kind it is. The secret itself is only here to find its line, and is never shown."""

    place: str
    kind: str
    value: bytes


_BY_WHAT_STANDS_AROUND = ("bearer", "basic", "uri-password")
"""Kinds that show in the text around the secret."""


def cleaned(one: Episode, *, said_by_model: bool) -> tuple[Episode, list[Leak], list[Leak]]:
    """The episode as it may be stored, what was taken out of it, and what was left in it; the same object where there is nothing.

    Of an answer that is ``said_by_model`` only what is a secret by itself is taken out: a member called ``password`` may well be what the
    model was asked for, and a suite must replay what it was told.
    """
    found = list(of_episode(one))
    if not found:
        return one, [], []
    request, response = dict(one.request), dict(one.response)
    request["uri"] = _core.redact_uri(request["uri"])
    request["headers"] = _clean_headers(request["headers"])
    if request["body"]:
        request["body"] = _core.redact(request["body"])
    response["headers"] = _clean_headers(content.headers(response))
    data = body(response)
    safe = _redact_certain(data) if said_by_model else _core.redact(data)
    if safe is not data:
        response |= {"body": {**response["body"], "string": safe}} if "body" in response else {"content": safe}
        for name in [name for name in response["headers"] if name.lower() == "content-length"]:
            response["headers"][name] = [str(len(safe))]
    made = replace(one, request=request, response=response, key=None)
    left = list(of_episode(made))
    still = [(leak.place, leak.kind) for leak in left]
    return made, [leak for leak in found if (leak.place, leak.kind) not in still], left


def is_clean(answer: bytes) -> bool:
    """Whether an answer's body holds no secret of any kind."""
    return not _core.scan(answer)


def _redact_certain(data: bytes) -> bytes:
    """A body without what is a secret whatever name it has."""
    parts, end = [], 0
    for kind, start, stop in _core.scan(data):
        secret = data[start:stop]
        if kind not in _BY_WHAT_STANDS_AROUND and not _core.scan(secret):
            continue
        # In base64, the run is decoded, cleaned and encoded again.
        safe = _core.redact(secret)
        parts += [data[end:start], safe if safe is not secret else b"REDACTED"]
        end = stop
    return b"".join([*parts, data[end:]]) if parts else data


def _clean_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: values for name, values in headers.items() if not any(True for _ in _in_headers("", {name: values}))}
    return kept | clean_values(kept)


def of_record(record: CassetteRecord) -> Iterator[Leak]:
    """The secrets in a cassette."""
    for number, one in enumerate(record.episodes, 1):
        yield from of_episode(one, f"episode {number}, ")
    if record.metadata:
        yield from _in_body("metadata", json.dumps(record.metadata, default=str).encode())


def of_episode(one: Episode, before: str = "") -> Iterator[Leak]:
    """The secrets in an episode, their places named from ``before`` on."""
    for side, message, data in (("request", one.request, one.request["body"] or b""), ("answer", one.response, body(one.response))):
        yield from _in_headers(f"{before}{side}", content.headers(message))
        if side == "request":
            yield from _in_uri(f"{before}{side}", one.request["uri"])
        yield from _in_body(f"{before}{side}", data)


def _in_headers(before: str, headers: Mapping[str, Any]) -> Iterator[Leak]:
    for name, values in headers.items():
        for value in values if isinstance(values, list | tuple) else [values]:
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            if kind := header_kind(name, text):
                yield Leak(f"{before} header {name}", kind, text.encode("utf-8", "surrogatepass"))


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


def _in_uri(before: str, uri: str) -> Iterator[Leak]:
    clean = _core.redact_uri(uri)
    if clean == uri:
        return
    parts, kept = urlsplit(uri), dict(parse_qsl(urlsplit(clean).query, keep_blank_values=True))
    named = False
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if kept.get(name) != value:
            named = True
            found = _core.scan(value.encode("utf-8", "surrogatepass"))
            yield Leak(f"{before} query {name}", found[0][0] if found else "credential", value.encode("utf-8", "surrogatepass"))
    if not named:
        found = _core.scan(uri.encode("utf-8", "surrogatepass"))
        whole = uri.encode("utf-8", "surrogatepass")
        yield Leak(f"{before} address", found[0][0] if found else "credential", whole[found[0][1] : found[0][2]] if found else whole)


def _in_body(before: str, data: bytes) -> Iterator[Leak]:
    findings = _core.scan(data)
    if not findings:
        return
    places = list(_strings(data))
    for kind, start, end in findings:
        secret = data[start:end]
        text = secret.decode("utf-8", "replace")
        path = next((path for path, value in places if text in value), None)
        yield Leak(f"{before} body" + (f" {path}" if path else f", byte {start}"), kind, secret)


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
