"""Gemini as the google-genai SDK 3.4 sees it (https://ai.google.dev/api), with its resumable uploads."""

from __future__ import annotations

import base64
import re
import threading
from typing import Any

from tests.fake_provider.exchange import BadRequest, Reply, Request, Turn, arguments, tokens
from tests.fake_provider.jobs import Jobs
from tests.fake_provider.media import noise_png

_ACTION = re.compile(r"/v1(?:beta)?/models/(?P<model>[^/:]+):(?P<action>\w+)")


class Gemini:
    """Content (whole, streamed, with tools and images), token counts, embeddings, files, and stores of files, which take their time."""

    def __init__(self) -> None:
        self._uploads: dict[str, dict[str, Any]] = {}
        self._files: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._jobs = Jobs()

    def claims(self, request: Request) -> bool:
        """Its own header, and the paths of its actions and uploads."""
        return "x-goog-api-key" in request.headers or "x-goog-upload-command" in request.headers or bool(_ACTION.match(request.path))

    def key(self, request: Request) -> str | None:
        """The header, the query, or an OAuth token; the pieces of an upload are authorized by its URL."""
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        return request.headers.get("x-goog-api-key") or request.query.get("key") or bearer or request.query.get("upload_id")

    def headers(self, turn: Turn) -> dict[str, str]:
        """The headers that generativelanguage.googleapis.com adds."""
        return {
            "Server": "scaffolding on HTTPServer2",
            "Server-Timing": f"gfet4t7; dur={turn.number}",
            "Vary": "Origin, X-Origin, Referer",
            "X-XSS-Protection": "0",
        }

    def error(self, status: int, message: str, turn: Turn) -> Reply:
        """`{"error": {"code", "message", "status"}}`."""
        names = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
        error = {"code": status, "message": message, "status": names.get(status, "INTERNAL")}
        return Reply.json({"error": error}, status)

    def answer(self, request: Request, turn: Turn) -> Reply:
        """An action of a model, or something about files."""
        if "x-goog-upload-command" in request.headers:
            return self._upload(request, turn)
        if "/files/" in request.path:
            return self._file(request)
        if "/fileSearchStores/" in request.path:
            return self._file_search(request, turn)
        if (match := _ACTION.fullmatch(request.path)) is None:
            raise BadRequest(f"Not found: {request.method} {request.path}", 404)
        model = match["model"]
        match match["action"]:
            case "generateContent":
                return Reply.json(_response(request, turn, model, turn.answer))
            case "streamGenerateContent":
                return Reply.events((None, _response(request, turn, model, word)) for word in turn.words)
            case "countTokens":
                return Reply.json({"totalTokens": tokens(request.json.get("contents")) + turn.number})
            case "embedContent":
                return Reply.json({"embedding": {"values": _vector(turn, 0)}})
            case "batchEmbedContents":
                count = len(request.json.get("requests") or [])
                return Reply.json({"embeddings": [{"values": _vector(turn, index)} for index in range(count)]})
            case other:
                raise BadRequest(f"{other} is not known to the stand-in.", 404)

    def _upload(self, request: Request, turn: Turn) -> Reply:
        """The resumable protocol: `start` gives a URL, then pieces, the last with `finalize`."""
        commands = {one.strip() for one in request.headers["x-goog-upload-command"].split(",")}
        if "start" in commands:
            ident = turn.ident("upload", 16)
            with self._lock:
                self._uploads[ident] = {"file": request.json.get("file") or {}, "data": b"", "headers": dict(request.headers)}
            host = request.headers["host"]
            url = f"http://{host}/upload/v1beta/files?upload_id={ident}&upload_protocol=resumable"
            return Reply(b"", status=200, headers={"X-Goog-Upload-URL": url, "X-Goog-Upload-Status": "active"})
        with self._lock:
            upload = self._uploads.get(request.query.get("upload_id", ""))
            if upload is None:
                raise BadRequest("The upload does not exist.", 404)
            if int(request.headers.get("x-goog-upload-offset", "0")) != len(upload["data"]):
                raise BadRequest("The offset is not where the last piece ended.")
            upload["data"] += request.body
            if "finalize" not in commands:
                return Reply(b"", headers={"X-Goog-Upload-Status": "active"})
            name = turn.ident("files/", 12)
            entry = self._files[name] = {
                "name": name,
                "displayName": upload["file"].get("displayName"),
                "mimeType": upload["headers"].get("x-goog-upload-header-content-type", "application/octet-stream"),
                "sizeBytes": str(len(upload["data"])),
                "uri": f"https://generativelanguage.googleapis.com/v1beta/{name}",
                "state": "ACTIVE",
                "source": "UPLOADED",
            }
        reply = Reply.json({"file": _without_none(entry)})
        reply.headers["X-Goog-Upload-Status"] = "final"
        return reply

    def _file_search(self, request: Request, turn: Turn) -> Reply:
        """A file is put into a store by an operation, which is asked about until it is done."""
        name = request.path.removeprefix("/v1beta/").removeprefix("/v1/")
        if name.endswith(":importFile"):
            return Reply.json({"name": f"{name.removesuffix(':importFile')}/operations/{turn.ident('', 12)}"})
        if not self._jobs.done(name):
            return Reply.json({"name": name})
        return Reply.json({"name": name, "done": True, "response": {"documentName": turn.ident("documents/", 12)}})

    def _file(self, request: Request) -> Reply:
        name = request.path.removeprefix("/v1beta/").removeprefix("/v1/")
        with self._lock:
            entry = self._files.pop(name, None) if request.method == "DELETE" else self._files.get(name)
        if entry is None:
            raise BadRequest(f"{name} does not exist.", 404)
        return Reply.json({} if request.method == "DELETE" else _without_none(entry))


def _without_none(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if value is not None}


def _vector(turn: Turn, index: int) -> list[float]:
    noise = turn.random(f"embedding {index}")
    return [round(noise.uniform(-1, 1), 7) for _ in range(8)]


def _response(request: Request, turn: Turn, model: str, text: str) -> dict[str, Any]:
    asked = request.json
    contents = asked.get("contents")
    if not contents:
        raise BadRequest("contents is not specified")
    declared = [one for tool in asked.get("tools") or [] for one in tool.get("functionDeclarations") or []]
    wanted = (asked.get("generationConfig") or {}).get("responseModalities") or []
    parts: list[dict[str, Any]] = [{"text": text}]
    if declared:
        schema = declared[0].get("parametersJsonSchema") or _lower(declared[0].get("parameters") or {})
        parts = [{"functionCall": {"name": declared[0]["name"], "args": arguments(schema, turn)}}]
    if "IMAGE" in wanted:
        data = base64.b64encode(noise_png(16, 16, turn.random("image"))).decode()
        parts.append({"inlineData": {"mimeType": "image/png", "data": data}})
    return {
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": tokens(contents), "candidatesTokenCount": tokens(parts), "totalTokenCount": tokens(asked)},
        "modelVersion": model,
        "responseId": turn.ident("", 22),
    }


def _lower(schema: Any) -> Any:
    """Gemini's own schemas name types in capitals."""
    if isinstance(schema, dict):
        return {name: value.lower() if name == "type" and isinstance(value, str) else _lower(value) for name, value in schema.items()}
    return [_lower(one) for one in schema] if isinstance(schema, list) else schema
