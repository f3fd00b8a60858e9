"""record, refresh, demo: what runs tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fake_provider import FakeProvider
from tests.python.cli.place import Place

SUITE = """
import httpx

def ask(text):
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
    answer = httpx.post("URL/v1/chat/completions", json=body, headers={"authorization": "Bearer sk-made-up"})
    assert answer.status_code == 200

def test_one(): ask("one")
def test_two(): ask("two")
"""

ONE = "tests/cassettes/test_chat/test_one.yaml"
TWO = "tests/cassettes/test_chat/test_two.yaml"


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        yield running


@pytest.fixture
def suite(empty: Place, provider: FakeProvider) -> Place:
    (empty.root / "pyproject.toml").write_text('[tool.pytest.ini_options]\nllm_vcr = "auto"\nllm_vcr_provider_hosts = ["127.0.0.1"]\n')
    (empty.root / "tests").mkdir()
    (empty.root / "tests" / "test_chat.py").write_text(SUITE.replace("URL", provider.url))
    return empty


def test_record_runs_the_tests_named_and_no_others(suite: Place, provider: FakeProvider) -> None:
    told = suite.json("record", "test_one")
    assert told["tests"] == ["tests/test_chat.py::test_one"]
    assert provider.count == 1
    assert list(suite.store.scan()) == [ONE]
    suite.json("record", "test_one")
    assert provider.count == 1, "what is recorded is replayed"


def test_refresh_records_its_cassettes_anew_and_leaves_the_others(suite: Place, provider: FakeProvider) -> None:
    suite.json("record", "test_")
    one, two = (suite.root / ONE).read_bytes(), (suite.root / TWO).read_bytes()
    told = suite.json("refresh", "test_one")
    assert told["tests"] == ["tests/test_chat.py::test_one"]
    assert provider.count == 3
    assert (suite.root / ONE).read_bytes() != one
    assert (suite.root / TWO).read_bytes() == two


def test_refresh_of_a_test_that_fails_keeps_the_old_recording(suite: Place) -> None:
    suite.json("record", "test_one")
    before = (suite.root / ONE).read_bytes()
    file = suite.root / "tests" / "test_chat.py"
    file.write_text(file.read_text() + "\ndef teardown_module(): pass\n\ndef test_one():\n    ask('one')\n    assert False\n")
    told = suite.json("refresh", "test_one", status=1)
    assert not told["passed"]
    assert (suite.root / ONE).read_bytes() == before


@pytest.mark.parametrize("command", ["record", "refresh"])
def test_nothing_to_run_is_a_usage_error(suite: Place, command: str) -> None:
    result = suite.run(command, "nothing_of_this_name")
    assert result.exit_code == 2


def test_demo_says_what_it_lacks(empty: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner
    from llm_vcr.cli import demo

    monkeypatch.setattr(demo, "_NEEDED", ("no_sdk_of_this_name",))
    result = CliRunner().invoke(demo.command)
    assert result.exit_code == 2
    assert "pip install no-sdk-of-this-name" in result.output
