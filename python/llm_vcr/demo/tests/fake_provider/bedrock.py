"""Amazon Bedrock's runtime as boto3 1.44 and the anthropic SDK see it, with its event streams.

https://docs.aws.amazon.com/bedrock/latest/APIReference and, for the frames, https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from tests.fake_provider import anthropic
from tests.fake_provider.exchange import BadRequest, Reply, Request, Turn, arguments, tokens

_MODEL = re.compile(r"/model/(?P<model>[^/]+)/(?P<action>[\w-]+)")
_KEY = re.compile(r"Credential=([^/]+)/")


class Bedrock:
    """Converse and invoke, whole and streamed."""

    def claims(self, request: Request) -> bool:
        """The paths of its models."""
        return request.path.startswith("/model/")

    def key(self, request: Request) -> str | None:
        """The access key id of Signature Version 4, or a bearer token."""
        sent = request.headers.get("authorization", "")
        found = _KEY.search(sent)
        return found[1] if found else sent.removeprefix("Bearer ") or None

    def headers(self, turn: Turn) -> dict[str, str]:
        """The headers that the runtime adds."""
        return {"x-amzn-RequestId": turn.ident("", 32)}

    def error(self, status: int, message: str, turn: Turn) -> Reply:
        """`{"message"}`, its kind in a header."""
        kinds = {400: "ValidationException", 401: "AccessDeniedException", 404: "ResourceNotFoundException", 429: "ThrottlingException"}
        reply = Reply.json({"message": message}, status)
        reply.headers["x-amzn-ErrorType"] = kinds.get(status, "InternalServerException")
        return reply

    def answer(self, request: Request, turn: Turn) -> Reply:
        """An action of a model."""
        match = _MODEL.fullmatch(request.path)
        if match is None:
            raise BadRequest(f"Not found: {request.path}", 404)
        asked = request.json
        match match["action"]:
            case "converse":
                return Reply.json(_converse(asked, turn))
            case "converse-stream":
                return _stream(_converse_events(asked, turn))
            case "invoke":
                return self._invoke(unquote(match["model"]), asked, turn)
            case "invoke-with-response-stream":
                return _stream(_chunks(request, asked, turn))
            case other:
                raise BadRequest(f"{other} is not known to the stand-in.", 404)

    def _invoke(self, model: str, asked: dict[str, Any], turn: Turn) -> Reply:
        if "messages" not in asked:
            reply = Reply.json({"results": [{"outputText": turn.answer}], "inputTextTokenCount": tokens(asked)})
        else:
            reply = anthropic.answer_message({**asked, "model": model}, turn)
        reply.headers["X-Amzn-Bedrock-Input-Token-Count"] = str(tokens(asked))
        return reply


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of `application/vnd.amazon.eventstream`."""
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode() for name, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack("!I", zlib.crc32(message))


def _stream(events: Iterator[tuple[str, object]]) -> Reply:
    frames = (
        frame({":event-type": kind, ":content-type": "application/json", ":message-type": "event"}, json.dumps(value).encode())
        for kind, value in events
    )
    return Reply(frames, "application/vnd.amazon.eventstream")


def _converse(asked: dict[str, Any], turn: Turn) -> dict[str, Any]:
    if not asked.get("messages"):
        raise BadRequest("messages must not be empty")
    content: dict[str, Any] = {"text": turn.answer}
    tools = (asked.get("toolConfig") or {}).get("tools") or []
    if tools:
        spec = tools[0]["toolSpec"]
        content = {
            "toolUse": {
                "toolUseId": turn.ident("tooluse_", 22),
                "name": spec["name"],
                "input": arguments(spec["inputSchema"]["json"], turn),
            }
        }
    return {
        "output": {"message": {"role": "assistant", "content": [content]}},
        "stopReason": "tool_use" if tools else "end_turn",
        "usage": {"inputTokens": tokens(asked["messages"]), "outputTokens": tokens(content), "totalTokens": tokens(asked)},
        "metrics": {"latencyMs": 100 + turn.number},
    }


def _converse_events(asked: dict[str, Any], turn: Turn) -> Iterator[tuple[str, object]]:
    yield "messageStart", {"role": "assistant"}
    for word in turn.words:
        yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word}}
    yield "contentBlockStop", {"contentBlockIndex": 0}
    yield "messageStop", {"stopReason": "end_turn"}
    usage = {"inputTokens": tokens(asked), "outputTokens": tokens(turn.answer), "totalTokens": tokens(asked) + tokens(turn.answer)}
    yield "metadata", {"usage": usage, "metrics": {"latencyMs": 100 + turn.number}}


def _chunks(request: Request, asked: dict[str, Any], turn: Turn) -> Iterator[tuple[str, object]]:
    match = _MODEL.fullmatch(request.path)
    model = unquote(match["model"]) if match else ""
    for _, event in anthropic.message_events({**asked, "model": model}, turn):
        yield "chunk", {"bytes": base64.b64encode(json.dumps(event).encode()).decode()}
