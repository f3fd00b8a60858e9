"""What is in an episode, for people: which model was asked what, what came back, and what it cost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from llm_vcr.filters import status_code
from llm_vcr.leaks import body_of as body
from llm_vcr.request import header
from llm_vcr.stores.base import Episode

_IN_PATH = re.compile(r"/(?:models|model|deployments|engines)/([^/:?]+)")
_FORM_FIELD = re.compile(rb'name="?model"?\r?\n(?:[^\r\n]+\r?\n)*\r?\n([^\r\n]{1,200})')


@dataclass(frozen=True)
class Price:
    """What an answer cost, as far as it can be known."""

    dollars: float | None
    why_unknown: str = ""


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
    return content_type(response) == "text/event-stream" or body(response).startswith((b"data:", b"event:"))


def model(episode: Episode) -> str | None:
    """The model that was asked: from the body, the path, a form's field, or at last the answer."""
    asked = document(episode.request["body"] or b"")
    if isinstance(asked, dict):
        for name in ("model", "modelId"):
            if isinstance(asked.get(name), str):
                return str(asked[name])
    found = _IN_PATH.search(urlsplit(episode.request["uri"]).path)
    if found:
        return unquote(found[1])
    if content_type(episode.request).startswith("multipart/") and (field := _FORM_FIELD.search(episode.request["body"] or b"")):
        return field[1].decode("utf-8", "replace")
    answered = document(body(episode.response))
    return str(answered["model"]) if isinstance(answered, dict) and isinstance(answered.get("model"), str) else None


def answer(response: Mapping[str, Any]) -> Any:
    """The answer as one JSON document: of a stream, what its events say of usage and model."""
    data = body(response)
    if not is_stream(response):
        return document(data)
    whole: dict[str, Any] = {}
    for _, text in events(data):
        event = document(text.encode())
        if not isinstance(event, dict):
            continue
        # anthropic's `message_start`, the responses API's `response.completed`: the answer stands inside the event.
        inner = next((event[name] for name in ("message", "response") if isinstance(event.get(name), dict)), event)
        whole |= {name: inner[name] for name in ("model", "modelVersion", "usageMetadata") if inner.get(name)}
        if isinstance(inner.get("usage"), dict):
            whole["usage"] = {**whole.get("usage", {}), **{key: value for key, value in inner["usage"].items() if value is not None}}
    return whole or None


def price(episode: Episode) -> Price:
    """What the call would cost again at today's prices."""
    if (code := status_code(episode.response)) is None or not 200 <= code < 300:
        return Price(0.0)
    uri, asked = episode.request["uri"], model(episode)
    if asked is None:
        return Price(0.0)
    told = answer(episode.response)
    if not isinstance(told, dict):
        return Price(None, f"{asked}: the answer tells no usage")
    from genai_prices import calc_price, extract_usage

    for flavor in _flavors(uri):
        for provider in _providers(uri, asked):
            try:
                used = extract_usage({"model": asked, **told}, **provider, api_flavor=flavor)
                return Price(float(calc_price(used.usage, model_ref=asked, **provider).total_price))
            except (LookupError, ValueError):
                continue
    return Price(None, f"{asked}: no usage in the answer, or no known price")


def _flavors(uri: str) -> tuple[str, ...]:
    path = urlsplit(uri).path
    for part, flavor in (("responses", "responses"), ("embeddings", "embeddings"), ("images", "images")):
        if part in path:
            return (flavor, "default", "chat")
    return ("chat", "default")


def _providers(uri: str, asked: str) -> Iterator[dict[str, Any]]:
    """By address; a stand-in or a proxy has none, and there the model's name tells."""
    yield {"provider_api_url": uri}
    path = urlsplit(uri).path
    if "/v1/messages" in path or asked.startswith("claude"):
        yield {"provider_id": "anthropic"}
    if "generateContent" in path or asked.startswith("gemini"):
        yield {"provider_id": "google"}
    yield {"provider_id": "openai"}


def total(prices: list[Price]) -> tuple[float | None, bool]:
    """The sum of what is known, and whether some is not; no sum where none is known."""
    known = [one.dollars for one in prices if one.dollars is not None]
    unknown = len(known) < len(prices)
    return (sum(known) if known or not prices else None), unknown
