"""What is recorded and replayed by `benches.python.replay`: deterministic requests, the answers to them, and the server that gives these.

Nothing here needs llm_vcr, vcrpy or cassetter: each runs in an environment of its own.
"""

from __future__ import annotations

import base64
import functools
import json
import random
import struct
import sys
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

BOUNDARY = "0123456789abcdef0123456789abcdef"
"""Fixed: with a random one, stock vcrpy would replay nothing."""

MEGABYTE = 1 << 20
_WORDS = [
    "the",
    "cat",
    "said",
    "that",
    "Tuesday",
    "is",
    "not",
    "a",
    "day",
    "for",
    "rain",
    "while",
    "models",
    "of",
    "language",
    "answer",
    "“naïve”",
    "questions",
    "at",
    "length",
    "and",
    "in",
    "order",
]


class Exchange(NamedTuple):
    """A request and its answer."""

    body: bytes
    request_type: str
    answer: bytes
    answer_type: str


class Case(NamedTuple):
    """A cassette: its name, what is in it, and whether media is kept in full."""

    name: str
    episodes: int
    exchange: Callable[[int], Exchange]
    media: str = "keep"


def _text(seed: str, length: int) -> str:
    words = random.Random(seed).choices(_WORDS, k=length // 5)
    lines = [" ".join(words[start : start + 14]) for start in range(0, len(words), 14)]
    return "\n".join(lines)[:length]


def _chat(seed: str, length: int) -> bytes:
    messages = [{"role": "system", "content": "You are terse."}, {"role": "user", "content": _text(seed, length)}]
    return json.dumps({"model": "gpt-4o", "messages": messages, "temperature": 0.2}).encode()


def _completion(seed: str, length: int) -> bytes:
    message = {"role": "assistant", "content": _text(seed, length)}
    answer = {"id": f"chatcmpl-{seed}", "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    return json.dumps(answer, indent=2).encode()


def _exchange(length: int, number: int) -> Exchange:
    return Exchange(_chat(f"q{number}", length), "application/json", _completion(f"a{number}", length), "application/json")


@functools.cache
def picture(size: int, seed: int) -> bytes:
    """A PNG of ``size`` bytes or a little more, of noise that does not compress."""
    width, height = 1024, size // (3 * 1024) + 1
    noise = random.Random(seed).randbytes(width * 3 * height)
    rows = b"".join(b"\0" + noise[row * width * 3 : (row + 1) * width * 3] for row in range(height))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b""))
    framed = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def _drawn(number: int) -> bytes:
    return json.dumps({"created": 1, "data": [{"b64_json": base64.b64encode(picture(3 * MEGABYTE, number)).decode()}]}).encode()


def _image_json(number: int) -> Exchange:
    prompt = json.dumps({"model": "gpt-image-1", "prompt": f"a cat, {number}"}).encode()
    return Exchange(prompt, "application/json", _drawn(number), "application/json")


def _image_binary(number: int) -> Exchange:
    return Exchange(json.dumps({"prompt": f"a cat, {number}"}).encode(), "application/json", picture(4 * MEGABYTE, number), "image/png")


def _stream(number: int) -> Exchange:
    words = random.Random(number).choices(_WORDS, k=200)
    events = [
        "data: "
        + json.dumps({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": f"{word} "}}]})
        for word in words
    ]
    answer = "\n\n".join([*events, "data: [DONE]"]) + "\n\n"
    return Exchange(_chat(f"s{number}", 1000), "application/json", answer.encode(), "text/event-stream")


def _history(number: int) -> Exchange:
    roles = ("user", "assistant")
    messages = [{"role": roles[turn % 2], "content": _text(f"turn {turn}", 240)} for turn in range(199)]
    messages.append({"role": "user", "content": _text(f"last {number}", 240)})
    body = json.dumps({"model": "gpt-4o", "messages": messages}).encode()
    return Exchange(body, "application/json", _completion(f"h{number}", 500), "application/json")


def _edit(number: int) -> Exchange:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na hat, {number}\r\n--{BOUNDARY}\r\n'
    head += 'Content-Disposition: form-data; name="image"; filename="cat.png"\r\nContent-Type: image/png\r\n\r\n'
    body = head.encode() + picture(4 * MEGABYTE, 100 + number) + f"\r\n--{BOUNDARY}--\r\n".encode()
    return Exchange(body, f"multipart/form-data; boundary={BOUNDARY}", _drawn(number), "application/json")


@functools.cache
def _pool(length: int) -> tuple[str, str]:
    """Two texts without line breaks, of which a suite's bodies are made: they would take longer to make than to replay."""
    return _text("asked", length).replace("\n", " "), _text("answered", length).replace("\n", " ")


def _turned(length: int, number: int) -> Exchange:
    """An exchange of about so many bytes each way, at next to no cost."""
    asked, answered = (text[number % length :] + text[: number % length] for text in _pool(length))
    request = f'{{"model": "gpt-4o", "messages": [{{"role": "user", "content": "{number}: {asked}"}}]}}'
    message = f'{{"role": "assistant", "content": "{number}: {answered}"}}'
    answer = f'{{"id": "chatcmpl-{number}", "choices": [{{"index": 0, "message": {message}, "finish_reason": "stop"}}]}}'
    return Exchange(request.encode(), "application/json", answer.encode(), "application/json")


_20_KB = functools.partial(_exchange, 20_000)

CASES = {
    case.name: case
    for case in (
        Case("a", 1, functools.partial(_exchange, 200)),
        Case("b", 50, _20_KB),
        Case("c", 1, _image_json),
        Case("c'", 1, _image_json, "shrink"),
        Case("c2", 1, _image_binary),
        Case("d", 20, _stream),
        Case("history", 25, _history),
        Case("n=1", 1, _20_KB),
        Case("n=1000", 1000, _20_KB),
        Case("edit", 1, _edit, "shrink"),
        Case("suite 20 KB", 1, functools.partial(_turned, 20_000)),
        Case("suite small", 1, functools.partial(_turned, 200)),
    )
}


@functools.lru_cache(maxsize=2048)
def exchange(case: str, number: int) -> Exchange:
    """One exchange of a case."""
    return CASES[case].exchange(number)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        case, _, number = self.headers["x-episode"].partition("/")
        found = exchange(case, int(number))
        self.send_response(200)
        self.send_header("content-type", found.answer_type)
        self.send_header("content-length", str(len(found.answer)))
        self.send_header("x-request-id", f"req_{number}")
        self.end_headers()
        self.wfile.write(found.answer)

    def log_message(self, *_: object) -> None:
        """Keep the table readable."""


def main() -> None:
    """Serve on a free port of the loopback, and print which, until standard input ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    import threading

    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
