"""The conftest.py of the guide does by hand what it says, and the three lines beside it do the same."""

from __future__ import annotations

import re
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.python.plugin.conftest import Suite

GUIDE = (Path(__file__).parents[3] / "docs/guide/plugin.md").read_text("utf-8").partition("### What it replaces")[2].partition("\n## ")[0]

SUITE = """
    import uuid

    def test_chat():
        assert ask(f"session {uuid.uuid4()}")

    def test_twice():
        assert ask("one") != ask("two")

    def test_breaks():
        ask("three")
        assert os.environ["RUN"] == "2"
"""


@pytest.fixture
def put_back(suite: Suite) -> Iterator[None]:
    """What the conftest.py by hand leaves patched."""
    before = socket.getaddrinfo
    yield
    socket.getaddrinfo = before


def by_hand(suite: Suite) -> None:
    [source] = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    suite.conftest(source.replace("api.anthropic.com", "127.0.0.1"))
    suite.ini(llm_vcr=None, llm_vcr_provider_hosts=None)


def three_lines(suite: Suite) -> None:
    [text] = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    assert len(text.splitlines()) == 3
    settings = tomllib.loads(text)["tool"]["pytest"]["ini_options"]
    suite.ini(**{name: "\n    ".join(value) if isinstance(value, list) else value for name, value in settings.items()})


@pytest.mark.parametrize("way", [by_hand, three_lines])
@pytest.mark.usefixtures("put_back")
def test_both_record_once_keep_no_failing_tests_answers_and_fail_on_a_leak(
    suite: Suite, way: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(way)
    way(suite)
    suite.write(source=SUITE)
    monkeypatch.setenv("RUN", "1")
    run = suite.run()
    run.passed(2, failed=1)
    assert run.live == 4
    assert [one.rpartition("/")[2] for one in suite.cassettes()] == ["test_chat.yaml", "test_twice.yaml"]
    assert not any("test-key" in (suite.path / one).read_text("utf-8") for one in suite.cassettes())
    monkeypatch.setenv("RUN", "2")
    run = suite.run().passed(3)
    assert (run.live, run.code) == (1, 0)
    suite.write("test_leak.py", source="ask('four')\n\ndef test_leaks(): pass")
    assert suite.run().passed(4).code == 1
