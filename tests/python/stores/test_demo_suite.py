"""The example suite over one Redis: recorded once, replayed from another checkout, and from the mirror when the server is gone."""

from __future__ import annotations

from pathlib import Path

from tests.example_suite import checkout, run
from tests.fake_provider import FakeProvider
from tests.redis_server import RedisServer


def total(cases: list[dict[str, object]], name: str) -> int:
    return sum(int(str(one[name])) for one in cases)


def test_the_demo_suite_records_once_for_everybody(tmp_path: Path) -> None:
    keys = {"OPENAI_API_KEY": "sk-made-up", "ANTHROPIC_API_KEY": "sk-ant-made-up"}
    with FakeProvider() as provider, RedisServer() as server:
        shared = {"CASSETTE_REDIS_URL": server.url}
        status, first, screen = run(checkout(tmp_path / "one" / "suite"), provider, LLM_VCR_STORE=server.url, **keys)
        assert status == 0, screen
        made = provider.count
        assert total(first, "live") == made
        recorded = total(first, "recorded")
        assert recorded > 20

        mirror = {"LLM_VCR_MIRROR": str(tmp_path / "mirror")}
        status, second, screen = run(checkout(tmp_path / "another" / "place"), provider, "-n", "2", **shared, **mirror)
        assert status == 0, screen
        assert (total(second, "live"), total(second, "played")) == (0, recorded), screen
        assert {str(one["verdict"])[:3] for one in second} == {"HIT"}
        assert not list(tmp_path.rglob("*.yaml"))

        server.halt()
        status, third, screen = run(checkout(tmp_path / "third"), provider, "-n", "2", **shared, **mirror)
        assert status == 0, screen
        assert (total(third, "live"), total(third, "played")) == (0, recorded), screen
        assert "answers come from the mirror" in screen
        assert provider.count == made
