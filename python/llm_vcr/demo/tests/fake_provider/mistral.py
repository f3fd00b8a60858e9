"""Mistral as its SDK 3.7 sees it: OpenAI's language with fields of its own (https://docs.mistral.ai/api)."""

from __future__ import annotations

import json
from typing import Any

from tests.fake_provider.exchange import Reply, Request, Turn
from tests.fake_provider.openai import OpenAI


class Mistral(OpenAI):
    """Chat, embeddings, files and transcriptions."""

    def claims(self, request: Request) -> bool:
        """By the SDK's own name: its paths are OpenAI's."""
        return "mistral" in request.headers.get("user-agent", "").lower()

    def headers(self, turn: Turn) -> dict[str, str]:
        """The headers that api.mistral.ai adds."""
        return {
            "mistral-correlation-id": turn.ident("", 32),
            "x-kong-request-id": turn.ident("", 32),
            "ratelimit-remaining": str(turn.number),
        }

    def answer(self, request: Request, turn: Turn) -> Reply:
        """As OpenAI, and what Mistral's models say beside it."""
        reply = super().answer(request, turn)
        more = self._more(request, turn)
        if more and isinstance(reply.body, bytes) and reply.content_type == "application/json":
            reply = Reply.json({**more, **json.loads(reply.body)}, reply.status)
        return reply

    def _more(self, request: Request, turn: Turn) -> dict[str, Any]:
        match request.path:
            case "/v1/embeddings":
                return {"id": turn.ident("emb-")}
            case "/v1/files":
                return {"sample_type": "batch_request", "source": "upload"}
            case "/v1/audio/transcriptions":
                usage = {"prompt_audio_seconds": 1, "prompt_tokens": 1, "total_tokens": 2, "completion_tokens": 1}
                return {"model": request.fields().get("model"), "language": "de", "segments": [], "usage": usage}
            case _:
                return {}
