"""OpenAI as the openai SDK 3.52 sees it (https://platform.openai.com/docs/api-reference)."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from tests.fake_provider.exchange import BadRequest, Reply, Request, Turn, arguments, tokens
from tests.fake_provider.openai_media import drawing, edit_images, embeddings, generate_images, speak, transcribe
from tests.fake_provider.openai_stores import VectorStores

Event: TypeAlias = tuple[str | None, object]


class OpenAI:
    """Chat, responses, embeddings, images, audio, files, vector stores and models."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[dict[str, Any], bytes]] = {}
        self._lock = threading.Lock()
        self._stores = VectorStores()
        self._routes: dict[tuple[str, str], Callable[[Request, Turn], Reply]] = {
            ("POST", "/chat/completions"): chat,
            ("POST", "/responses"): responses,
            ("POST", "/embeddings"): embeddings,
            ("POST", "/images/generations"): generate_images,
            ("POST", "/images/edits"): edit_images,
            ("POST", "/audio/transcriptions"): transcribe,
            ("POST", "/audio/speech"): speak,
            ("GET", "/models"): list_models,
            ("POST", "/files"): self._upload,
            ("GET", "/files"): self._list_files,
        }

    def claims(self, request: Request) -> bool:
        """Whatever nobody else does."""
        return True

    def key(self, request: Request) -> str | None:
        """The bearer token."""
        return request.headers.get("authorization", "").removeprefix("Bearer ") or None

    def headers(self, turn: Turn) -> dict[str, str]:
        """The headers that api.openai.com adds."""
        return {
            "Server": "cloudflare",
            "OpenAI-Organization": "org-stand-in",
            "OpenAI-Project": "proj_stand_in",
            "OpenAI-Processing-Ms": str(100 + turn.number),
            "OpenAI-Version": "2020-10-01",
            "X-Request-Id": turn.ident("req_", 32),
            "X-RateLimit-Limit-Requests": "10000",
            "X-RateLimit-Remaining-Requests": str(10_000 - turn.number % 10_000),
            "Set-Cookie": f"__cf_bm={turn.ident('', 43)}; path=/; HttpOnly; Secure; SameSite=None",
            "CF-RAY": turn.ident("", 16) + "-ZRH",
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
            "X-Content-Type-Options": "nosniff",
        }

    def error(self, status: int, message: str, turn: Turn) -> Reply:
        """`{"error": {…}}`."""
        kind = {401: "invalid_request_error", 429: "rate_limit_exceeded"}.get(status)
        kind = kind or ("server_error" if status >= 500 else "invalid_request_error")
        code = "invalid_api_key" if status == 401 else None
        return Reply.json({"error": {"message": message, "type": kind, "param": None, "code": code}}, status)

    def answer(self, request: Request, turn: Turn) -> Reply:
        """Looks the path up; a file's id is part of it."""
        # Groq speaks the same language one level deeper.
        path = request.path.removeprefix("/openai").removeprefix("/v1")
        if route := self._routes.get((request.method, path)):
            return route(request, turn)
        if match := re.fullmatch(r"/files/([^/]+)(/content)?", path):
            return self._file(request.method, match[1], bool(match[2]))
        if (reply := self._stores.answer(request, path, turn)) is not None:
            return reply
        raise BadRequest(f"Unknown request URL: {request.method} {request.path}.", 404)

    def _upload(self, request: Request, turn: Turn) -> Reply:
        file = request.file("file")
        entry = {
            "id": turn.ident("file-"),
            "object": "file",
            "bytes": len(file.payload),
            "created_at": int(time.time()),
            "expires_at": None,
            "filename": file.filename,
            "purpose": request.fields().get("purpose", "user_data"),
            "status": "processed",
            "status_details": None,
        }
        with self._lock:
            self._files[str(entry["id"])] = (entry, file.payload)
        return Reply.json(entry)

    def _list_files(self, request: Request, turn: Turn) -> Reply:
        with self._lock:
            entries = [entry for entry, _ in self._files.values()]
        ids = [entry["id"] for entry in entries] or [None]
        return Reply.json({"object": "list", "data": entries, "first_id": ids[0], "last_id": ids[-1], "has_more": False})

    def _file(self, method: str, ident: str, content: bool) -> Reply:
        with self._lock:
            found = self._files.pop(ident, None) if method == "DELETE" else self._files.get(ident)
        if found is None:
            raise BadRequest(f"No such File object: {ident}", 404)
        entry, payload = found
        if method == "DELETE":
            return Reply.json({"id": ident, "object": "file", "deleted": True})
        return Reply(payload, "application/octet-stream") if content else Reply.json(entry)


def list_models(request: Request, turn: Turn) -> Reply:
    """A short list of models."""
    names = ("gpt-6-luna", "gpt-image-2", "gpt-4o-transcribe", "text-embedding-3-small")
    models = [{"id": name, "object": "model", "created": 1_790_000_000, "owned_by": "openai"} for name in names]
    return Reply.json({"object": "list", "data": models})


# Chat completions


def chat(request: Request, turn: Turn) -> Reply:
    """Answers in text, or calls a tool where there are tools and the last message is not a tool's."""
    asked = request.json
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequest("Missing required parameter: 'messages'.")
    base = {
        "id": turn.ident("chatcmpl-", 29),
        "created": int(time.time()),
        "model": str(asked.get("model")),
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
    }
    usage = _chat_usage(messages, turn)
    calls = _chat_tool_calls(asked, turn)
    if asked.get("stream"):
        with_usage = (asked.get("stream_options") or {}).get("include_usage", False)
        return Reply.events(_chat_events(base, turn, calls, usage if with_usage else None))
    message: dict[str, Any] = {"role": "assistant", "content": turn.answer, "refusal": None, "annotations": []}
    if calls:
        message |= {"content": None, "tool_calls": calls}
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": "tool_calls" if calls else "stop",
    }
    return Reply.json(base | {"object": "chat.completion", "choices": [choice], "usage": usage})


def _chat_usage(messages: list[Any], turn: Turn) -> dict[str, Any]:
    prompt, completion = tokens(messages), tokens(turn.answer)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _chat_tool_calls(asked: dict[str, Any], turn: Turn) -> list[dict[str, Any]]:
    tools = [tool["function"] for tool in asked.get("tools") or [] if tool.get("type") == "function"]
    if not tools or asked.get("tool_choice") == "none" or asked["messages"][-1].get("role") == "tool":
        return []
    function = {"name": tools[0]["name"], "arguments": json.dumps(arguments(tools[0].get("parameters"), turn))}
    return [{"id": turn.ident("call_"), "type": "function", "function": function}]


def _chat_events(base: dict[str, Any], turn: Turn, calls: list[dict[str, Any]], usage: dict[str, Any] | None) -> Iterator[Event]:
    base = base | {"object": "chat.completion.chunk"}
    rest = {"usage": None} if usage else {}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> Event:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return None, base | {"choices": [choice]} | rest | {"obfuscation": turn.ident("", 9)}

    if calls:
        call = calls[0]
        text = call["function"]["arguments"]
        opening = call | {"index": 0, "function": {"name": call["function"]["name"], "arguments": ""}}
        yield chunk({"role": "assistant", "content": None, "tool_calls": [opening]})
        for start in range(0, len(text), 12):
            piece = {"index": 0, "function": {"arguments": text[start : start + 12]}}
            yield chunk({"tool_calls": [piece]})
        yield chunk({}, "tool_calls")
    else:
        yield chunk({"role": "assistant", "content": "", "refusal": None})
        for word in turn.words:
            yield chunk({"content": word})
        yield chunk({}, "stop")
    if usage:
        yield None, base | {"choices": [], "usage": usage}
    yield None, "[DONE]"


# Responses


def responses(request: Request, turn: Turn) -> Reply:
    """A message; before it a reasoning item, a drawn image or a tool call where the request asks for one."""
    asked = request.json
    if not asked.get("input"):
        raise BadRequest("Missing required parameter: 'input'.")
    output = _output(asked, turn)
    prompt, completion = tokens(asked["input"]), tokens(turn.answer)
    response: dict[str, Any] = {
        "id": turn.ident("resp_", 48),
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "metadata": asked.get("metadata") or {},
        "model": str(asked.get("model")),
        "output": output,
        "parallel_tool_calls": asked.get("parallel_tool_calls", True),
        "previous_response_id": asked.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": asked.get("store", True),
        "temperature": asked.get("temperature", 1.0),
        "text": {"format": {"type": "text"}},
        "tool_choice": asked.get("tool_choice", "auto"),
        "tools": asked.get("tools") or [],
        "top_p": asked.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": completion,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + completion,
        },
    }
    return Reply.events(_response_events(response, turn)) if asked.get("stream") else Reply.json(response)


def _output(asked: dict[str, Any], turn: Turn) -> list[dict[str, Any]]:
    output: list[dict[str, Any]] = []
    if "reasoning.encrypted_content" in (asked.get("include") or []):
        sealed = base64.urlsafe_b64encode(b"\x80" + turn.random("reasoning").randbytes(1500)).decode()
        output.append({"type": "reasoning", "id": turn.ident("rs_", 48), "summary": [], "encrypted_content": sealed})
    tools = asked.get("tools") or []
    if any(tool.get("type") == "image_generation" for tool in tools):
        size = next(tool.get("size", "1024x1024") for tool in tools if tool.get("type") == "image_generation")
        output.append(
            {
                "type": "image_generation_call",
                "id": turn.ident("ig_", 48),
                "status": "completed",
                "result": drawing(size, turn, 0),
            }
        )
    functions = [tool for tool in tools if tool.get("type") == "function"]
    last = asked["input"][-1] if isinstance(asked["input"], list) else {}
    if functions and last.get("type") != "function_call_output":
        output.append(
            {
                "type": "function_call",
                "id": turn.ident("fc_", 48),
                "call_id": turn.ident("call_"),
                "name": functions[0]["name"],
                "arguments": json.dumps(arguments(functions[0].get("parameters"), turn)),
                "status": "completed",
            }
        )
    else:
        content = [{"type": "output_text", "text": turn.answer, "annotations": [], "logprobs": []}]
        output.append(
            {
                "type": "message",
                "id": turn.ident("msg_", 48),
                "status": "completed",
                "role": "assistant",
                "content": content,
            }
        )
    return output


def _response_events(response: dict[str, Any], turn: Turn) -> Iterator[Event]:
    number = -1

    def event(kind: str, **fields: object) -> Event:
        nonlocal number
        number += 1
        return kind, {"type": kind, "sequence_number": number, **fields}

    begun = response | {"status": "in_progress", "output": [], "usage": None}
    yield event("response.created", response=begun)
    yield event("response.in_progress", response=begun)
    for index, item in enumerate(response["output"]):
        place: dict[str, Any] = {"item_id": item["id"], "output_index": index}
        opening = {"message": {"content": []}, "function_call": {"arguments": ""}}.get(item["type"], {})
        started = item | {"status": "in_progress"} | opening if "status" in item else item
        if item["type"] == "image_generation_call":
            started = started | {"result": None}
        yield event("response.output_item.added", output_index=index, item=started)
        if item["type"] == "message":
            place["content_index"] = 0
            part = item["content"][0]
            yield event("response.content_part.added", part=part | {"text": ""}, **place)
            for word in turn.words:
                yield event("response.output_text.delta", delta=word, logprobs=[], **place)
            yield event("response.output_text.done", text=turn.answer, logprobs=[], **place)
            yield event("response.content_part.done", part=part, **place)
        elif item["type"] == "function_call":
            text = item["arguments"]
            for start in range(0, len(text), 12):
                yield event("response.function_call_arguments.delta", delta=text[start : start + 12], **place)
            yield event("response.function_call_arguments.done", arguments=text, name=item["name"], **place)
        yield event("response.output_item.done", output_index=index, item=item)
    yield event("response.completed", response=response)
