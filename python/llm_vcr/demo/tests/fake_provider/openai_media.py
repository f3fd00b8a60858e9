"""OpenAI's media, in and out: embeddings, images and audio (https://platform.openai.com/docs/api-reference)."""

from __future__ import annotations

import base64
import math
import re
import struct
import time
from collections.abc import Iterator
from typing import Any, TypeAlias

from tests.fake_provider.exchange import BadRequest, Reply, Request, Turn, tokens
from tests.fake_provider.media import noise_png, silent_mp3, tone_wav

Event: TypeAlias = tuple[str | None, object]


# Embeddings


def embeddings(request: Request, turn: Turn) -> Reply:
    """Unit vectors, in base64 (little-endian float32) where asked: the SDK does ask, unless told otherwise."""
    asked = request.json
    given = asked.get("input")
    if not given:
        raise BadRequest("Missing required parameter: 'input'.")
    inputs = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    model = str(asked.get("model"))
    dimensions = int(asked.get("dimensions") or (3072 if model.endswith("large") else 1536))
    data = []
    for index, text in enumerate(inputs):
        vector = _unit_vector(dimensions, turn, f"{index} {text}")
        packed = struct.pack(f"<{dimensions}f", *vector)
        as_text = asked.get("encoding_format") == "base64"
        floats = list(struct.unpack(f"<{dimensions}f", packed))
        embedding = base64.b64encode(packed).decode() if as_text else floats
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    used = tokens(inputs)
    return Reply.json({"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": used, "total_tokens": used}})


def _unit_vector(dimensions: int, turn: Turn, purpose: str) -> list[float]:
    source = turn.random(purpose)
    values = [source.gauss(0, 1) for _ in range(dimensions)]
    length = math.sqrt(sum(value * value for value in values))
    return [value / length for value in values]


# Images


def generate_images(request: Request, turn: Turn) -> Reply:
    """`n` images of the size asked for, as `b64_json`; streamed with partial images where asked."""
    asked = request.json
    if not asked.get("prompt"):
        raise BadRequest("Missing required parameter: 'prompt'.")
    return _images(asked, turn, note=None)


def edit_images(request: Request, turn: Turn) -> Reply:
    """The same from a multipart form; `revised_prompt` tells what each file was when it arrived."""
    files = request.files("image", "image[]", "mask")
    if not [file for file in files if file.name != "mask"]:
        raise BadRequest("Missing required parameter: 'image'.")
    for file in files:
        if not file.payload:
            raise BadRequest(f"Invalid image file: {file.filename!r} is empty.")
    asked: dict[str, Any] = dict(request.fields())
    if not asked.get("prompt"):
        raise BadRequest("Missing required parameter: 'prompt'.")
    asked["stream"] = asked.get("stream") == "true"
    return _images(asked, turn, note="; ".join([turn.answer, *(file.describe() for file in files)]))


def _images(asked: dict[str, Any], turn: Turn, note: str | None) -> Reply:
    size = str(asked.get("size") or "auto")
    size = "1024x1024" if size == "auto" else size
    # Before the first byte: a stream that has begun has no status left to say it with.
    _sides(size)
    if asked.get("output_format", "png") != "png":
        raise BadRequest("The stand-in draws PNG only.")
    text, drawn = tokens(asked["prompt"]), 1024 * int(asked.get("n") or 1)
    common = {"background": "opaque", "output_format": "png", "quality": "medium", "size": size}
    usage = {
        "input_tokens": text,
        "input_tokens_details": {"text_tokens": text, "image_tokens": 0},
        "output_tokens": drawn,
        "total_tokens": text + drawn,
    }
    if asked.get("stream"):
        kind = "image_edit" if note else "image_generation"
        partial = int(asked.get("partial_images") or 0)
        return Reply.events(_image_events(kind, common, usage, partial, turn))
    data = []
    for index in range(int(asked.get("n") or 1)):
        image = {"b64_json": drawing(size, turn, index)}
        data.append(image | {"revised_prompt": note} if note else image)
    return Reply.json({"created": int(time.time()), **common, "data": data, "usage": usage})


def _image_events(kind: str, common: dict[str, Any], usage: dict[str, Any], partial: int, turn: Turn) -> Iterator[Event]:
    fields = common | {"created_at": int(time.time())}
    for index in range(partial):
        name = f"{kind}.partial_image"
        image = {"b64_json": drawing(common["size"], turn, index + 100), "partial_image_index": index}
        yield name, {"type": name, **fields, **image}
    name = f"{kind}.completed"
    yield name, {"type": name, **fields, "b64_json": drawing(common["size"], turn, 0), "usage": usage}


def drawing(size: str, turn: Turn, index: int) -> str:
    """A PNG of the size asked for, in base64; `index` tells the images of one turn apart."""
    return base64.b64encode(noise_png(*_sides(size), turn.random(f"image {index}"))).decode()


def _sides(size: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,3})", size)
    if match is None:
        raise BadRequest(f"Invalid value: {size!r}. Supported values are WIDTHxHEIGHT and 'auto'.")
    return int(match[1]), int(match[2])


# Audio


def transcribe(request: Request, turn: Turn) -> Reply:
    """A text that names the file as it arrived; json, text, verbose_json, or streamed."""
    file = request.file("file")
    fields = request.fields()
    text = f"{turn.answer} Heard {file.describe()}."
    usage = {
        "type": "tokens",
        "input_tokens": 100,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 100},
        "output_tokens": tokens(text),
        "total_tokens": 100 + tokens(text),
    }
    if fields.get("stream") == "true":
        return Reply.events(_transcript_events(text, usage))
    match fields.get("response_format", "json"):
        case "text":
            return Reply(f"{text}\n".encode(), "text/plain; charset=utf-8")
        case "verbose_json":
            verbose = {"task": "transcribe", "language": "english", "duration": 1.5, "text": text, "segments": []}
            return Reply.json(verbose | {"usage": {"type": "duration", "seconds": 2}})
        case "json":
            return Reply.json({"text": text, "usage": usage})
        case other:
            raise BadRequest(f"response_format {other!r} is not known to the stand-in.")


def _transcript_events(text: str, usage: dict[str, Any]) -> Iterator[Event]:
    for word in re.findall(r"\S+\s*", text):
        yield None, {"type": "transcript.text.delta", "delta": word, "logprobs": []}
    yield None, {"type": "transcript.text.done", "text": text, "logprobs": [], "usage": usage}


def speak(request: Request, turn: Turn) -> Reply:
    """Audio in the format asked for, sent in pieces: MP3 with the answer in its tag, WAV of a pitch of its own."""
    asked = request.json
    if not asked.get("input"):
        raise BadRequest("Missing required parameter: 'input'.")
    match asked.get("response_format", "mp3"):
        case "mp3":
            return Reply(_pieces(silent_mp3(400, turn.answer)), "audio/mpeg")
        case "wav":
            return Reply(_pieces(tone_wav(3, 200 + turn.random("pitch").random() * 600)), "audio/wav")
        case other:
            raise BadRequest(f"response_format {other!r} is not known to the stand-in.")


def _pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 8192):
        yield data[start : start + 8192]
