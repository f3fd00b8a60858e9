"""The bodies that are measured: made, not stored; the same in every run."""

import base64
import json
import random
import struct
import uuid
import zlib
from collections.abc import Callable, Iterator

_WORDS = (  # noqa: SIM905 - words read best as a text
    "the of and to in a is that for it as was with be by on not he his but at are this have from or one had word you were all she when "
    "an your which their said if will each about how up out them then many some so these would other into has more two like time very "
    "model prompt answer token context summary reasoning function schema parameter temperature naïve café – “quoted” 模型 🙂 don't e.g."
).split()


def prose(size: int, seed: int = 1) -> str:
    """Text as people and models write it: words, sentences, line breaks, now and then a quote."""
    rng = random.Random(seed)
    pieces: list[str] = []
    length = 0
    while length < size:
        sentence = " ".join(rng.choices(_WORDS, k=rng.randint(5, 18))).capitalize()
        ending = rng.choice((". ", ". ", ". ", ': "ok". ', "?\n", ".\n\n- "))
        pieces.append(sentence + ending)
        length += len(sentence) + len(ending)
    return "".join(pieces)[:size]


def compact(value: object) -> bytes:
    """JSON as httpx sends it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def chat(size: int) -> bytes:
    """A chat request of about ``size`` bytes, as the openai SDK writes it."""
    turn = min(max(size // 10, 200), 4_000)
    messages: list[dict[str, str]] = [{"role": "system", "content": "You are a terse assistant."}]
    while sum(len(message["content"]) for message in messages) < size - 200:
        role = ("assistant", "user")[len(messages) % 2]
        messages.append({"role": role, "content": prose(turn, seed=len(messages))})
    return compact({"messages": messages, "model": "gpt-4o-mini", "temperature": 0.2, "max_tokens": 512, "stream": False})


def logprobs(size: int) -> bytes:
    """A chat answer of about ``size`` bytes with the log probabilities of its tokens: mostly numbers."""
    rng = random.Random(2)

    def logprob(token: str) -> dict[str, object]:
        return {"token": token, "logprob": round(-rng.uniform(0.001, 12), 8), "bytes": list(token.encode())}

    content: list[dict[str, object]] = []
    length = 0
    while length < size:
        best = [logprob(" " + word) for word in rng.choices(_WORDS, k=5)]
        content.append({**best[0], "top_logprobs": best})
        length += len(compact(content[-1])) + 1
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "logprobs": {"content": content}, "finish_reason": "stop"}
    return compact({"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-mini", "choices": [choice]})


def embeddings(size: int) -> bytes:
    """An answer of about ``size`` bytes with embeddings as floats: nothing but numbers."""
    rng = random.Random(6)
    rows = [[round(rng.uniform(0.001, 0.2) * rng.choice((-1, 1)), 8) for _ in range(512)] for _ in range(size // 6_100)]
    data = [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)]
    return compact({"object": "list", "data": data, "model": "text-embedding-3-small"})


def tokens(rng: random.Random) -> dict[str, Callable[[], str]]:
    """What differs from run to run, by kind."""
    return {
        "uuid": lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "time": lambda: f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:07.123456Z",
        "epoch": lambda: str(rng.randint(1_700_000_000, 1_790_000_000)),
        "milliseconds": lambda: str(rng.randint(1_700_000_000_000, 1_790_000_000_000)),
    }


def sparse(size: int) -> bytes:
    """Chat text with a volatile token every two kilobytes."""
    kinds = list(tokens(random.Random(3)).values())
    text = prose(min(size, 200_000))
    pieces = (text[start % len(text) :][:2_000] + kinds[start // 2_000 % len(kinds)]() + " " for start in range(0, size, 2_000))
    return "".join(pieces).encode()[:size]


def dense(size: int) -> bytes:
    """Lines of a trace: two thirds of it are volatile tokens."""
    kinds = tokens(random.Random(4))

    def lines() -> Iterator[str]:
        length = 0
        while length < size:
            line = (
                f'{{"trace_id":"{kinds["uuid"]()}","span":"{kinds["uuid"]()}","at":"{kinds["time"]()}",'
                f'"created":{kinds["epoch"]()},"ms":{kinds["milliseconds"]()},"level":"info","message":"call {length} done"}}\n'
            )
            length += len(line)
            yield line

    return "".join(lines()).encode()[:size]


def noise(size: int) -> bytes:
    """Bytes as compressed pixels have them."""
    return random.Random(5).randbytes(size)


def png(size: int) -> bytes:
    """A file of ``size`` bytes that begins as a PNG of 1024 × 1024 pixels does, and goes on as one looks."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 1024, 1024, 8, 2, 0, 0, 0)
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return head + noise(size - len(head))


def image_answer(size: int) -> bytes:
    """The answer to an image generation, with a PNG in base64: ``size`` bytes in all, nearly."""
    picture = base64.b64encode(png(size * 3 // 4)).decode()
    usage = {"input_tokens": 50, "output_tokens": 4160, "total_tokens": 4210}
    return compact({"created": 1763720687, "data": [{"b64_json": picture, "revised_prompt": None}], "output_format": "png", "usage": usage})


def upload(boundary: str, payload: bytes) -> bytes:
    """An image edit as httpx sends it: two fields and a file."""
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("model", "gpt-image-1"), ("prompt", "a cat in a hat"))
    )
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="cat.png"\r\nContent-Type: image/png\r\n\r\n'
    return fields.encode() + file.encode() + payload + f"\r\n--{boundary}--\r\n".encode()


def delimiter_like(size: int) -> bytes:
    """A Markdown list of dashes: a payload in which every line could be a delimiter line."""
    return (b"\n- item\n-\n--\n-- x" * (size // 17 + 1))[:size]
