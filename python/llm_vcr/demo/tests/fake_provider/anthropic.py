"""Anthropic as the anthropic SDK 2.11 sees it (https://docs.anthropic.com/en/api/messages)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from tests.fake_provider.exchange import BadRequest, Reply, Request, Turn, arguments, tokens
from tests.fake_provider.jobs import Jobs

Event: TypeAlias = tuple[str | None, object]


class Anthropic:
    """Messages, their token counts, and batches of them."""

    _routes: dict[tuple[str, str], Callable[[Request, Turn], Reply]]

    def __init__(self) -> None:
        self._routes = {
            ("POST", "/v1/messages"): messages,
            ("POST", "/v1/messages/count_tokens"): count_tokens,
            ("POST", "/v1/files"): upload,
            ("POST", "/v1/messages/batches"): self._batch,
        }
        self._jobs = Jobs()

    def claims(self, request: Request) -> bool:
        """Its own paths, and whatever names the API's version."""
        return "anthropic-version" in request.headers or request.path.startswith("/v1/messages")

    def key(self, request: Request) -> str | None:
        """`x-api-key`, or the bearer token that the SDK sends since 2.x."""
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        return request.headers.get("x-api-key") or bearer or None

    def headers(self, turn: Turn) -> dict[str, str]:
        """The headers that api.anthropic.com adds."""
        return {
            "Server": "cloudflare",
            "Request-Id": turn.ident("req_"),
            "Anthropic-Organization-Id": "00000000-0000-4000-8000-000000000000",
            "Anthropic-RateLimit-Requests-Limit": "4000",
            "Anthropic-RateLimit-Requests-Remaining": str(4000 - turn.number % 4000),
            "Set-Cookie": f"_cfuvid={turn.ident('', 43)}; HttpOnly; SameSite=None; Secure; Path=/",
            "CF-RAY": turn.ident("", 16) + "-ZRH",
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
        }

    def error(self, status: int, message: str, turn: Turn) -> Reply:
        """`{"type": "error", …}` (https://docs.anthropic.com/en/api/errors)."""
        kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
        kind = kinds.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
        error = {"type": kind, "message": message}
        return Reply.json({"type": "error", "error": error, "request_id": turn.ident("req_")}, status)

    def answer(self, request: Request, turn: Turn) -> Reply:
        """Looks the path up."""
        route = self._routes.get((request.method, request.path))
        if route is None and request.path.startswith("/v1/messages/batches/"):
            return self._batch(request, turn)
        if route is None:
            raise BadRequest(f"Not found: {request.method} {request.path}", 404)
        return route(request, turn)

    def _batch(self, request: Request, turn: Turn) -> Reply:
        """A batch as it was made, or as it is now."""
        ident = request.path.removeprefix("/v1/messages/batches").strip("/")
        ended = bool(ident) and self._jobs.done(ident)
        states = ("processing", "succeeded", "errored", "canceled", "expired")
        counts = {state: int(state == ("succeeded" if ended else "processing")) for state in states}
        entry = {
            "id": ident or turn.ident("msgbatch_01", 22),
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": counts,
            "created_at": "2026-01-01T00:00:00Z",
            "expires_at": "2026-01-02T00:00:00Z",
            "ended_at": "2026-01-01T01:00:00Z" if ended else None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": None,
        }
        return Reply.json(entry)


def upload(request: Request, turn: Turn) -> Reply:
    """A file of the beta API."""
    file = request.file("file")
    entry = {"id": turn.ident("file_01", 22), "type": "file", "filename": file.filename, "mime_type": file.content_type}
    return Reply.json({**entry, "size_bytes": len(file.payload), "created_at": "2026-01-01T00:00:00Z", "downloadable": False})


def count_tokens(request: Request, turn: Turn) -> Reply:
    """The tokens of the prompt, and the turn's number on top so that two answers differ."""
    return Reply.json({"input_tokens": tokens(request.json.get("messages")) + turn.number})


def messages(request: Request, turn: Turn) -> Reply:
    """Text, or a tool call; thinking before it where asked; the answer's hash tells two images apart."""
    return answer_message(request.json, turn)


def answer_message(asked: dict[str, Any], turn: Turn) -> Reply:
    """The answer to a message, whole or as events; Bedrock wraps it."""
    if asked.get("stream"):
        return Reply.events(message_events(asked, turn))
    return Reply.json(_message(asked, turn))


def message_events(asked: dict[str, Any], turn: Turn) -> Iterator[Event]:
    """The answer as the events of a stream."""
    return _events(_message(asked, turn), turn)


def _message(asked: dict[str, Any], turn: Turn) -> dict[str, Any]:
    if not isinstance(asked.get("messages"), list) or not asked["messages"]:
        raise BadRequest("messages: at least one message is required")
    if not isinstance(asked.get("max_tokens"), int):
        raise BadRequest("max_tokens: Field required")
    _check_images(asked["messages"])
    content = _content(asked, turn)
    return {
        "id": turn.ident("msg_01", 22),
        "type": "message",
        "role": "assistant",
        "model": str(asked.get("model")),
        "content": content,
        "stop_reason": "tool_use" if content[-1]["type"] == "tool_use" else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": tokens(asked["messages"]),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": tokens(content),
            "service_tier": "standard",
        },
    }


def _check_images(prompt: list[Any]) -> None:
    for message in prompt:
        blocks = message.get("content")
        for block in blocks if isinstance(blocks, list) else []:
            source = block.get("source") or {}
            if block.get("type") == "image" and source.get("type") == "base64":
                try:
                    base64.b64decode(source["data"], validate=True)
                except (KeyError, ValueError) as error:
                    raise BadRequest(f"source.base64: invalid base64 data: {error}") from error


def _content(asked: dict[str, Any], turn: Turn) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if (asked.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        signature = base64.b64encode(turn.random("signature").randbytes(300)).decode()
        content.append({"type": "thinking", "thinking": f"Thought {turn.number}.", "signature": signature})
    tools = [tool for tool in asked.get("tools") or [] if "input_schema" in tool]
    last = asked["messages"][-1].get("content")
    returned = isinstance(last, list) and any(block.get("type") == "tool_result" for block in last)
    if tools and not returned and (asked.get("tool_choice") or {}).get("type") != "none":
        value = arguments(tools[0]["input_schema"], turn)
        content.append({"type": "tool_use", "id": turn.ident("toolu_01", 22), "name": tools[0]["name"], "input": value})
    else:
        content.append({"type": "text", "text": turn.answer})
    return content


def _events(message: dict[str, Any], turn: Turn) -> Iterator[Event]:
    def event(kind: str, **fields: object) -> Event:
        return kind, {"type": kind, **fields}

    begun = message | {"content": [], "stop_reason": None, "usage": message["usage"] | {"output_tokens": 1}}
    yield event("message_start", message=begun)
    for index, block in enumerate(message["content"]):
        empty = {
            "thinking": {"thinking": "", "signature": ""},
            "text": {"text": ""},
            "tool_use": {"input": {}},
        }[block["type"]]
        yield event("content_block_start", index=index, content_block=block | empty)
        if index == 0:
            yield event("ping")
        for delta in _deltas(block, turn):
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    used = {"output_tokens": message["usage"]["output_tokens"]}
    yield event("message_delta", delta=ending, usage=used)
    yield event("message_stop")


def _deltas(block: dict[str, Any], turn: Turn) -> Iterator[dict[str, str]]:
    match block["type"]:
        case "text":
            for word in turn.words:
                yield {"type": "text_delta", "text": word}
        case "tool_use":
            text = json.dumps(block["input"])
            for start in range(0, len(text), 12):
                yield {"type": "input_json_delta", "partial_json": text[start : start + 12]}
        case "thinking":
            yield {"type": "thinking_delta", "thinking": block["thinking"]}
            yield {"type": "signature_delta", "signature": block["signature"]}
