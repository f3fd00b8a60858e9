"""A process that records or saves, for tests with several: ``python -m tests.python.stores.record_process JOB …``, JSON on stdout."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

from llm_vcr import config, open_store
from llm_vcr.stores import redis as redis_store

from tests.python.stores.conftest import record

DAY = 24 * 3600.0


def save(url: str, first: str, count: str) -> None:
    """Save episodes one at a time into one cassette, as so many tests would; tell which were saved."""
    redis_store.PAUSES = (0.1,) * 100
    store = open_store(url)
    for number in range(int(first), int(first) + int(count)):
        result = store.merge("shared.yaml", record(number), ttl=DAY, keep=7 * DAY, cap=1000)
        if not result.refused:
            print(json.dumps(number), flush=True)


def ask(url: str, provider: str, folder: str, manner: str, seed: str, *numbers: str) -> None:
    """Ask the provider these questions under one cassette; tell the counts."""
    import httpx
    import vcr as vcrpy
    from llm_vcr import install

    settings = config.override(config.read(env={}), "test", store=url, provider_hosts="127.0.0.1", record_mode="new_episodes")
    vcr = install(vcrpy.VCR(record_mode="new_episodes"), settings)
    vcr._llm_vcr_policy.persister.root = Path(folder)
    order = list(numbers)
    random.Random(int(seed)).shuffle(order) if manner == "gather" else None

    def body(number: str) -> dict[str, object]:
        return {"model": "m", "messages": [{"role": "user", "content": f"question {number}"}]}

    async def gather() -> None:
        async with httpx.AsyncClient(timeout=60) as client:
            await asyncio.gather(*(client.post(f"{provider}/v1/chat/completions", json=body(one)) for one in order))

    # All begin at once, whatever it took to load them.
    print("ready", flush=True)
    sys.stdin.readline()
    with vcr.use_cassette(str(Path(folder) / "shared.yaml")) as cassette:
        if manner == "gather":
            asyncio.run(gather())
        else:
            with httpx.Client(timeout=60) as client:
                for one in order:
                    client.post(f"{provider}/v1/chat/completions", json=body(one))
    counts = cassette.counts
    print(json.dumps({"live": counts.live, "played": counts.played, "saved": cassette.saved, "notes": cassette.notes}), flush=True)


if __name__ == "__main__":
    {"save": save, "ask": ask}[sys.argv[1]](*sys.argv[2:])
