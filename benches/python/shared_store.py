"""The shared store's figures: bytes in Redis against YAML on disk, and loading from there against stock YAML.

Usage: ``python -m benches.python.shared_store [--corpus DIR]``, DIR being a folder of cassettes as PyYAML wrote them. A redis-server
is started on a free port of 127.0.0.1 and stopped again. Everything that is stored is read back and compared.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import redis
from llm_vcr import _core
from llm_vcr.config import MEDIA_MIN
from llm_vcr.stores.base import CassetteRecord, Episode
from llm_vcr.stores.file import FileStore
from llm_vcr.stores.redis import RedisStore
from vcr.persisters.filesystem import FilesystemPersister
from vcr.serializers import yamlserializer

from benches.python import bodies
from tests.fake_provider import noise_png
from tests.redis_server import RedisServer

HEADERS = {
    "accept": ["application/json"],
    "content-type": ["application/json"],
    "user-agent": ["OpenAI/Python 3.52.0"],
    "x-llm-vcr-key": ["session"],
}
WEEK = 7 * 86400.0


def episode(request: bytes, answer: bytes, request_type: str = "application/json", answer_type: str = "application/json") -> Episode:
    """One exchange with a provider."""
    return Episode(
        {
            "method": "POST",
            "uri": "https://api.openai.com/v1/chat/completions",
            "headers": {**HEADERS, "content-type": [request_type]},
            "body": request,
        },
        {"status": {"code": 200, "message": "OK"}, "headers": {"Content-Type": [answer_type]}, "body": {"string": answer}},
    )


def chat(size: int, seed: int) -> bytes:
    """A chat of about so many bytes."""
    words = random.Random(seed).choices(bodies._WORDS, k=size // 6)
    return json.dumps({"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": " ".join(words)}]}).encode()


def stream(events: int, seed: int) -> bytes:
    """An answer in so many server-sent events."""
    words = random.Random(seed).choices(bodies._WORDS, k=events)
    chunk = {"id": f"chatcmpl-{seed:029x}", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "gpt-4.1-mini-2025-04-14"}
    lines = [{**chunk, "choices": [{"index": 0, "delta": {"content": f" {word}"}, "finish_reason": None}]} for word in words]
    return b"".join(b"data: " + json.dumps(line).encode() + b"\n\n" for line in lines) + b"data: [DONE]\n\n"


def streamed(seed: int) -> Episode:
    """A chat that is answered in 50 events."""
    return episode(chat(500, seed), stream(50, seed), answer_type="text/event-stream")


def edit(*, shrink: bool) -> Episode:
    """An image edit: 3 MB up in a multipart, 3 MB down in base64."""
    up, down = noise_png(1000, 1000, random.Random(1)), noise_png(1000, 1000, random.Random(2))
    form = b'--llm-vcr-boundary\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    form += up + b"\r\n--llm-vcr-boundary--\r\n"
    kind = "multipart/form-data; boundary=llm-vcr-boundary"
    answer = json.dumps({"created": 1, "data": [{"b64_json": base64.b64encode(down).decode()}]}).encode()
    if shrink:
        form = _core.Rules().shrink_request(form, kind, MEDIA_MIN)
        answer = _core.shrink(answer, "application/json", MEDIA_MIN, digest=True)
    return episode(form, answer, kind)


def used(client: redis.Redis) -> int:
    """Bytes of all keys, as the server counts them."""
    return sum(client.memory_usage(key, samples=0) or 0 for key in client.scan_iter(count=1000))


def stock(record: CassetteRecord, path: Path) -> int:
    """The size of the file that stock vcrpy writes."""
    from vcr.request import Request

    requests = [Request(one.request["method"], one.request["uri"], one.request["body"], _flat(one)) for one in record.episodes]
    FilesystemPersister.save_cassette(path, {"requests": requests, "responses": [one.response for one in record.episodes]}, yamlserializer)
    return path.stat().st_size


def _flat(one: Episode) -> dict[str, str]:
    return {name: values[0] for name, values in one.request["headers"].items()}


def row(what: str, figure: str, goal: str) -> None:
    """Print a row of the table in README.md and docs/guide/store.md."""
    print(f"| {what} | {figure} | {goal} |", flush=True)


def compare(name: str, goal: int | float, server: RedisServer, records: list[tuple[int, CassetteRecord]]) -> None:
    """Store records, read them back, and tell how much smaller they are than so many bytes of YAML."""
    client = server.client()
    client.flushall()
    store = RedisStore(server.url)
    for number, (_, record) in enumerate(records):
        store.merge(f"{number}", record, ttl=86400, keep=WEEK, cap=None)
        found = store.load(f"{number}")
        assert (found.episodes if found is not None else ()) == record.episodes, "what is stored comes back as it was"
    before, after = sum(size for size, _ in records), used(client)
    shown = f"{before / after:,.0f}" if before > 100 * after else f"{before / after:.2f}"
    row(name, f"{before:,} bytes of YAML, {after:,} in Redis: {shown} × smaller", f"≥ {goal} ×")


def best(job: Callable[[], object]) -> float:
    """The median CPU time of seven: what else the machine does counts for neither."""
    times = []
    for _ in range(7):
        begun = time.process_time()
        job()
        times.append(time.process_time() - begun)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="a folder of cassettes")
    corpus = parser.parse_args().corpus
    if _core.DEBUG:
        parser.error("this is a debug build: its times say nothing")
    with RedisServer() as server, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cassette.yaml"
        if corpus:
            files = FileStore(corpus)
            found = [(os.path.getsize(corpus / name), files.load(name)) for name in files.scan()]
            compare(
                f"{len(found)} cassettes of {corpus.name}, lossless", 6, server, [(size, one) for size, one in found if one is not None]
            )
        cases: dict[str, tuple[float, CassetteRecord]] = {
            "one episode of 50 server-sent events": (9, CassetteRecord((streamed(1),))),
            "20 of them": (9, CassetteRecord(tuple(streamed(n) for n in range(20)))),
            "an image edit of 8 MB, media kept": (1.35, CassetteRecord((edit(shrink=False),))),
        }
        for name, (goal, record) in cases.items():
            compare(name, goal, server, [(stock(record, path), record)])
        size = stock(CassetteRecord((edit(shrink=False),)), path)
        compare("the same, media shrunk", 100, server, [(size, CassetteRecord((edit(shrink=True),)))])

        big = CassetteRecord(tuple(episode(chat(20_000, n), chat(20_000, n + 1000)) for n in range(50)))
        stock(big, path)
        store = RedisStore(server.url)
        store.merge("big", big, ttl=86400, keep=WEEK, cap=None)
        yaml, ours = best(lambda: FilesystemPersister.load_cassette(path, yamlserializer)), best(lambda: store.load("big"))
        row("load of 50 × (20 KB + 20 KB), against stock YAML from disk", f"{yaml / ours:.1f} × faster", "≥ 5 ×")


if __name__ == "__main__":
    main()
