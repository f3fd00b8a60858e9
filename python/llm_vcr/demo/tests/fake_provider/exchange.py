"""What passes between the server and a provider: the request it got, the turn it is, the reply it gives."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesHeaderParser
from functools import cached_property
from typing import Any, Protocol


@dataclass(frozen=True)
class Call:
    """One counted call, as it is logged."""

    number: int
    method: str
    path: str
    content_type: str
    length: int
    sha256: str
    """Of the body's bytes as they came, boundary and all."""
    logical: str
    """Of what the body says: equal for two requests that differ only in boundary, key order or white space."""
    status: int


@dataclass(frozen=True)
class Part:
    """One part of a multipart body."""

    name: str
    filename: str | None
    content_type: str | None
    payload: bytes

    @property
    def text(self) -> str:
        """The payload of a plain field."""
        return self.payload.decode("utf-8")

    def describe(self) -> str:
        """Names the part by what counts: field, file name, type, length and a digest of its bytes."""
        digest = hashlib.sha256(self.payload).hexdigest()[:16]
        return f"{self.name} {self.filename} {self.content_type} {len(self.payload)} bytes sha256 {digest}"


class BadRequest(Exception):
    """The request cannot be answered; the message says why, and the client gets a 400 (or `status`)."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Request:
    """An HTTP request, read to its end."""

    method: str
    path: str
    """Without the query."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @cached_property
    def _type(self) -> Message:
        message = Message()
        message["content-type"] = self.headers.get("content-type", "")
        return message

    @property
    def media_type(self) -> str:
        """`type/subtype` of the body in lower case, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise BadRequest(f"the body is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise BadRequest("the body is not a JSON object")
        return value

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The parts of a `multipart/form-data` body (RFC 7578), in order."""
        boundary = self._type.get_param("boundary")
        if self.media_type != "multipart/form-data" or not isinstance(boundary, str):
            raise BadRequest(f"multipart/form-data with a boundary was expected, not {self.media_type!r}")
        delimiter = b"\r\n--" + boundary.encode()
        _, *sections = (b"\r\n" + self.body).split(delimiter)
        if not sections or not sections[-1].startswith(b"--"):
            raise BadRequest("the multipart body has no closing delimiter")
        return tuple(_part(section) for section in sections[:-1])

    def files(self, *names: str) -> list[Part]:
        """The parts with one of these names that are files."""
        return [part for part in self.parts if part.name in names and part.filename is not None]

    def file(self, name: str) -> Part:
        """The one file of that name, which must not be empty."""
        files = self.files(name)
        if len(files) != 1 or not files[0].payload:
            raise BadRequest(f"one file named {name!r}, not empty, was expected, and {len(files)} came")
        return files[0]

    def fields(self) -> dict[str, str]:
        """The plain fields of a multipart body."""
        return {part.name: part.text for part in self.parts if part.filename is None}

    @cached_property
    def logical(self) -> str:
        """SHA-256 of what the request says, whatever its boundary, key order or white space."""
        digest = hashlib.sha256(f"{self.method} {self.path} {sorted(self.query.items())}\n".encode())
        try:
            if self.media_type == "multipart/form-data":
                for part in self.parts:
                    digest.update(f"{part.describe()}\n".encode())
                    digest.update(hashlib.sha256(part.payload).digest())
            else:
                digest.update(json.dumps(json.loads(self.body), sort_keys=True).encode())
        except (BadRequest, ValueError):
            digest.update(self.body)
        return digest.hexdigest()


def _part(section: bytes) -> Part:
    head, separator, payload = section.partition(b"\r\n\r\n")
    if not separator:
        raise BadRequest("a part of the multipart body has no blank line after its headers")
    headers = BytesHeaderParser().parsebytes(head.lstrip(b"\r\n"))
    name = headers.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        raise BadRequest("a part of the multipart body has no name")
    content_type = headers.get("content-type")
    return Part(name, headers.get_filename(), str(content_type) if content_type else None, payload)


@dataclass
class Reply:
    """An HTTP response: a whole body, or pieces to be sent chunk by chunk."""

    body: bytes | Iterable[bytes]
    content_type: str = "application/json"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: object, status: int = 200) -> Reply:
        """A JSON body, set the way the providers set theirs."""
        return cls(json.dumps(value, indent=2, ensure_ascii=False).encode(), status=status)

    @classmethod
    def events(cls, events: Iterable[tuple[str | None, object]]) -> Reply:
        """Server-sent events; a name gives an `event:` line, a str is data as it stands (`[DONE]`)."""
        return cls(_events(events), "text/event-stream; charset=utf-8")


def _events(events: Iterable[tuple[str | None, object]]) -> Iterator[bytes]:
    for name, data in events:
        text = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        head = f"event: {name}\n" if name else ""
        yield f"{head}data: {text}\n\n".encode()


@dataclass(frozen=True)
class Turn:
    """One answer to be given: no two turns, in this process or another, give the same text."""

    number: int
    nonce: str
    """Random, one for the life of the server: tells an answer of this run from a replayed one."""
    logical: str

    @property
    def answer(self) -> str:
        """The text of the answer: which request it belongs to, which call it was, which run."""
        return f"Answer {self.number} to request {self.logical[:12]} of run {self.nonce}. Zürich ist schön ☀."

    @property
    def words(self) -> list[str]:
        """The answer in the pieces in which it is streamed; joined they give it back."""
        first, *rest = self.answer.split(" ")
        return [first, *(f" {word}" for word in rest)]

    def ident(self, prefix: str, length: int = 24) -> str:
        """An id in the providers' manner, the same when asked for twice in one turn."""
        seed = f"{prefix} {self.number} {self.nonce} {self.logical}".encode()
        return prefix + hashlib.sha256(seed).hexdigest()[:length]

    def random(self, purpose: str = "") -> random.Random:
        """A source of noise that belongs to this turn."""
        return random.Random(f"{self.number} {self.nonce} {self.logical} {purpose}")


class Provider(Protocol):
    """What a provider has to know; one class each, listed in `server.PROVIDERS`."""

    def claims(self, request: Request) -> bool:
        """Whether this provider answers the request; the first that says so does."""

    def key(self, request: Request) -> str | None:
        """The credential, or None where the request has none."""

    def headers(self, turn: Turn) -> dict[str, str]:
        """The headers that come with every answer."""

    def error(self, status: int, message: str, turn: Turn) -> Reply:
        """An error in the provider's own shape."""

    def answer(self, request: Request, turn: Turn) -> Reply:
        """The answer; `BadRequest` where there is none."""


def tokens(value: object) -> int:
    """About as many tokens as a provider would count."""
    return max(1, len(json.dumps(value, ensure_ascii=False)) // 4)


def arguments(schema: Mapping[str, Any] | None, turn: Turn) -> dict[str, Any]:
    """Arguments of a tool call that fit the tool's JSON schema."""
    filled: dict[str, Any] = _fill({"type": "object", **(schema or {})}, turn)
    return filled


def _fill(schema: Mapping[str, Any], turn: Turn) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: _fill(inner, turn) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [_fill(schema.get("items", {}), turn)]
        case "integer":
            return turn.number
        case "number":
            return turn.number + 0.5
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return f"value {turn.number} of run {turn.nonce}"
