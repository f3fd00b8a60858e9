"""Cohere as its SDK 7.3 sees it (https://docs.cohere.com/reference)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from tests.fake_provider.exchange import BadRequest, Reply, Request, Turn, tokens

Event: TypeAlias = tuple[str | None, object]


class Cohere:
    """Chat, embeddings and reranking of version 2, and data sets."""

    def claims(self, request: Request) -> bool:
        """Its own paths."""
        return request.path in ("/v2/chat", "/v2/embed", "/v2/rerank", "/v1/tokenize", "/v1/datasets")

    def key(self, request: Request) -> str | None:
        """The bearer token."""
        return request.headers.get("authorization", "").removeprefix("Bearer ") or None

    def headers(self, turn: Turn) -> dict[str, str]:
        """The headers that api.cohere.com adds."""
        return {"X-Debug-Trace-Id": turn.ident("", 32), "X-Endpoint-Monthly-Call-Limit": "1000", "Num-Tokens": str(turn.number)}

    def error(self, status: int, message: str, turn: Turn) -> Reply:
        """`{"id", "message"}`."""
        return Reply.json({"id": turn.ident("", 32), "message": message}, status)

    def answer(self, request: Request, turn: Turn) -> Reply:
        """Looks the path up."""
        if request.path == "/v1/datasets":
            request.file("data")
            return Reply.json({"id": turn.ident("", 32)})
        asked = request.json
        match request.path:
            case "/v2/chat":
                return _chat(asked, turn)
            case "/v2/embed":
                texts = asked.get("texts") or asked.get("inputs") or []
                noise = turn.random("embedding")
                vectors = [[round(noise.uniform(-1, 1), 7) for _ in range(4)] for _ in texts]
                return Reply.json(
                    {"id": turn.ident("", 32), "embeddings": {"float": vectors}, "texts": texts, "response_type": "embeddings_by_type"}
                )
            case "/v2/rerank":
                scored = [
                    {"index": index, "relevance_score": 1 / (index + turn.number)} for index, _ in enumerate(asked.get("documents") or [])
                ]
                return Reply.json({"id": turn.ident("", 32), "results": scored})
            case _:
                return Reply.json({"tokens": [turn.number], "token_strings": [str(asked.get("text"))]})


def _chat(asked: dict[str, Any], turn: Turn) -> Reply:
    if not asked.get("messages"):
        raise BadRequest("invalid request: messages must be at least 1 token long.")
    used = {"tokens": {"input_tokens": tokens(asked["messages"]), "output_tokens": tokens(turn.answer)}}
    if asked.get("stream"):
        return Reply.events(_events(turn, used))
    message = {"role": "assistant", "content": [{"type": "text", "text": turn.answer}]}
    return Reply.json({"id": turn.ident("", 32), "finish_reason": "COMPLETE", "message": message, "usage": used})


def _events(turn: Turn, used: dict[str, Any]) -> Iterator[Event]:
    def event(kind: str, **fields: object) -> Event:
        return kind, {"type": kind, **fields}

    yield event(
        "message-start", id=turn.ident("", 32), delta={"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}}
    )
    yield event("content-start", index=0, delta={"message": {"content": {"type": "text", "text": ""}}})
    for word in turn.words:
        yield event("content-delta", index=0, delta={"message": {"content": {"text": word}}})
    yield event("content-end", index=0)
    yield event("message-end", delta={"finish_reason": "COMPLETE", "usage": used})
