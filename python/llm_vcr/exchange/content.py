"""What is in an episode: which model was asked, what came back, and what its provider says it used.

Bodies are long and asked about after every test, so nothing is parsed as a whole where a few members of it will do.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from llm_vcr import _core
from llm_vcr.request import header

if TYPE_CHECKING:
    from llm_vcr.stores.base import Episode

_IN_PATH = re.compile(r"/(?:models|model|deployments|engines)/([^/:?]+)")
_FORM_FIELD = re.compile(rb'name="?model"?\r?\n(?:[^\r\n]+\r?\n)*\r?\n([^\r\n]{1,200})')

_EVENT_STREAM = "application/vnd.amazon.eventstream"

_USAGE = ("usage", "usageMetadata", "meta")
"""The members of an answer that tell what it used: of most, of Gemini, of Cohere's embeddings."""

_MEMBERS = ["model", "modelVersion", *_USAGE]

_DECODER = json.JSONDecoder()
_ENCODER = json.JSONEncoder(sort_keys=True)

_INSIDE = ("message", "response", "delta", "x_groq")
"""The members of a stream's event in which an answer may stand: Anthropic's, the responses API's, Cohere's, Groq's."""

_TELLS_USAGE = re.compile(rb'"usage(?:Metadata)?"\s*:\s*\{')

# Bedrock tells it beside the answer, too: of the models whose own answers do not.
_HEADERS = {"inputTokens": "x-amzn-bedrock-input-token-count", "outputTokens": "x-amzn-bedrock-output-token-count"}

_FREE = re.compile(r"/(?:count_tokens|files|uploads|moderations|tokenize|detokenize|cancel)\b|:countTokens\b|/input_tokens$", re.ASCII)
"""What providers ask no money for; their answers tell no usage."""


class Used(NamedTuple):
    """What a call used, as its provider tells it: enough to know the price, and small."""

    address: str
    """The call's URI without its query."""
    model: str
    """The model that was asked; empty where nobody says."""
    usage: str
    """JSON, as the answer has it, with the model that answered where that has another name; empty where it tells no usage."""

    @property
    def name(self) -> str:
        """What people call it by: the model, or at least the endpoint."""
        return self.model or urlsplit(self.address).path


NO_ANSWER = Used("", "no answer", "")
"""A call of which nobody knows whether it was answered: the provider may charge it all the same."""


def used(method: str, uri: str, asked: Mapping[str, Any], sent: bytes | None, response: Mapping[str, Any]) -> Used | None:
    """What a call used, from its request (method, URI, headers, body) and answer; ``None`` for one that costs nothing.

    That is one that was not answered with 2xx, or that only looks at something.
    """
    code = status_code(response)
    address = uri.partition("?")[0]
    if code is None or not 200 <= code < 300 or method.upper() != "POST" or _is_free(address):
        return None
    told = answer(response)
    answered = _answered_model(told)
    name = _asked_model(uri, asked, sent) or answered or ""
    usage: dict[str, Any] = {member: told[member] for member in _USAGE if isinstance(told.get(member), dict)}
    if usage and answered is not None and answered != name:
        usage["model"] = answered
    return Used(address, name, _ENCODER.encode(usage) if usage else "")


@functools.lru_cache(maxsize=256)
def _is_free(address: str) -> bool:
    return _FREE.search(urlsplit(address).path) is not None


def headers(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """The headers of a request or an answer, by name: vcrpy's stub for tornado writes an answer's as a list of pairs."""
    found = message.get("headers") or {}
    return found if type(found) is dict or isinstance(found, Mapping) else dict(found)


def model(episode: Episode) -> str | None:
    """The model that was asked: from the body, the path, a form's field, or at last the answer."""
    request = episode.request
    return _asked_model(request["uri"], request["headers"], request["body"]) or _answered_model(answer(episode.response))


def _asked_model(uri: str, headers: Mapping[str, Any], body: bytes | None) -> str | None:
    for source in (_core.members(body, ["model", "modelId"]) or ()) if body else ():
        if source is not None and isinstance(name := _value(source), str):
            return name
    found = _IN_PATH.search(urlsplit(uri).path)
    if found:
        return unquote(found[1])
    if body and (header(headers, "content-type") or "").startswith("multipart/") and (field := _FORM_FIELD.search(body)):
        return field[1].decode("utf-8", "replace")
    return None


def _answered_model(told: Mapping[str, Any]) -> str | None:
    return next((told[name] for name in ("model", "modelVersion") if isinstance(told.get(name), str)), None)


def answer(response: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer says of itself: its model and what it used; of a stream, what its events say together."""
    data = body(response)
    kind = content_type(response)
    if kind == _EVENT_STREAM:
        told = _together(_messages(data))
    elif _is_stream(kind, data):
        told = _together(_telling_events(data))
    elif data[:1] == b"[":
        # Gemini's stream without `alt=sse` is one array.
        told = _together(document(data) or ())
    else:
        found = zip(_MEMBERS, _core.members(data, _MEMBERS) or (), strict=False)
        told = {name: _value(source) for name, source in found if source is not None}
    if not isinstance(told.get("usage"), dict) and (counted := _counted(response)):
        told["usage"] = counted
    return told


def _value(source: bytes) -> Any:
    # The source is part of a JSON that was read as UTF-8: `json.loads` would find out first which encoding it is.
    text = source.decode()
    if text[0] == '"' and "\\" not in text:  # nearly each is a name
        return text[1:-1]
    try:
        return _DECODER.decode(text)
    except ValueError:  # a number of thousands of digits
        return None


def _counted(response: Mapping[str, Any]) -> dict[str, int]:
    there = headers(response)
    found = [(name, header(there, of)) for name, of in _HEADERS.items()]
    return {name: int(value) for name, value in found if value is not None and value.isdecimal()}


def _together(parts: Any) -> dict[str, Any]:
    """What the events of a stream say of model and usage. A later count of the same thing is the better one."""
    whole: dict[str, Any] = {}
    for event in parts:
        if not isinstance(event, dict):
            continue
        for inner in (event, *(event[name] for name in _INSIDE if isinstance(event.get(name), dict))):
            whole |= {name: inner[name] for name in ("model", "modelVersion") if isinstance(inner.get(name), str)}
            for member in _USAGE:
                if isinstance(inner.get(member), dict):
                    counts = {key: value for key, value in inner[member].items() if value is not None}
                    whole[member] = {**whole.get(member, {}), **counts}
    return whole


def _telling_events(data: bytes) -> Iterator[Any]:
    """The events of a stream that tell what it used, and the first, which tells the model."""
    last = 0
    for found in (*_TELLS_USAGE.finditer(data), None):
        place = found.start() if found is not None else 0
        if found is None and last:
            return
        if place < last:
            continue
        begin, end = data.rfind(b"\n", 0, place) + 1, data.find(b"\n", place)
        last = end = end if end >= 0 else len(data)
        event = document(data[begin:end].strip().removeprefix(b"data:"))
        if event is None:
            # An event of several lines, or of other line ends.
            yield from (document(text.encode()) for _, text in events(data))
            return
        yield event


def _messages(data: bytes) -> Iterator[Any]:
    """The messages of Amazon's event stream: lengths of the whole and of the headers, a checksum, headers, payload, a checksum.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html. What a model streams stands in ``bytes``.
    """
    at = 0
    while at + 16 <= len(data):
        length, headers = int.from_bytes(data[at : at + 4]), int.from_bytes(data[at + 4 : at + 8])
        if length < 16:
            return
        message = document(data[at + 12 + headers : at + length - 4])
        if isinstance(message, dict) and isinstance(message.get("bytes"), str):
            try:
                message = document(base64.b64decode(message["bytes"]))
            except ValueError:
                message = None
        yield message
        at += length


def content_type(message: Mapping[str, Any]) -> str:
    """The media type of a request or an answer, without its parameters."""
    return (header(message.get("headers"), "content-type") or "").partition(";")[0].strip().lower()


def document(data: bytes) -> Any:
    """The JSON in a body, or ``None``."""
    if data[:1] not in (b"{", b"[") and data.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def events(data: bytes) -> Iterator[tuple[str, str]]:
    """The server-sent events of a body: name and data (WHATWG HTML, section 9.2.6)."""
    for block in re.split(r"\r\n\r\n|\n\n|\r\r", data.decode("utf-8", "replace")):
        name, lines = "", []
        for line in block.splitlines():
            field, _, value = line.partition(":")
            if field == "event":
                name = value.removeprefix(" ")
            elif field == "data":
                lines.append(value.removeprefix(" "))
        if lines:
            yield name, "\n".join(lines)


def is_stream(response: Mapping[str, Any]) -> bool:
    """Whether an answer is a stream of server-sent events."""
    return _is_stream(content_type(response), body(response))


def _is_stream(kind: str, data: bytes) -> bool:
    return kind == "text/event-stream" or data.startswith((b"data:", b"event:"))


def body(response: Any) -> bytes:
    """The body of an answer, also of one in the layout of old httpx cassettes."""
    content = (response.get("body") or {}).get("string") if "body" in response else response.get("content")
    if isinstance(content, str):
        return content.encode("utf-8", "surrogatepass")
    return content if isinstance(content, bytes) else b""


def status_code(response: Mapping[str, Any]) -> int | None:
    """The status of vcrpy's response, also of one in the layout of old httpx cassettes."""
    status = response.get("status", {}).get("code", response.get("status_code"))
    if type(status) is int and status >= 0:
        return status
    return int(status) if isinstance(status, int | str) and str(status).isdigit() else None
