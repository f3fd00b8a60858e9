"""The guide shows what the commands write. ``WRITE_GUIDE=1 pytest tests/python/cli/test_guide_output.py`` writes it anew."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from llm_vcr.cli import main

from tests.fake_provider import FakeProvider
from tests.python.cli.place import SSE, Place, episode
from tests.python.report.summaries import one_test, summary

THEIRS = Path(__file__).parent / "written_by_others"
MOVED = ("llm-mock-1-openai.json", "llm-mock-2-openai.json", "pytest-llm-vcr.yaml")
GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "cli.md"
BLOCK = re.compile(r"^```\n(\$ llm-vcr ([^\n]*))\n(.*?)^```$", re.MULTILINE | re.DOTALL)

MASKS = (
    (r"\d{8}T\d{6}(-\d+)?", "20261121T120000"),  # the name of a backup
    (r"(?<=[✓] )(\S+ +)\d\S*?(?=,|$| on )", r"\1VERSION"),
    (r"VERSION on .*", "VERSION on SYSTEM"),
    (r"^  . botocore .*\n", ""),  # there only where the tests of all clients are set up
    (r"\bin \d+\.\d+s\b", "in SECONDS"),
)
"""What differs from run to run, and from machine to machine."""

TESTS = """
import httpx
def test_stream(): pass
def test_weather_new(): pass
def test_weather(): ask("What is the weather in Bern?")
def test_rain(): ask("Will it rain?")
def ask(text):
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
    httpx.post("URL/v1/chat/completions", json=body, headers={"authorization": "Bearer sk-made-up"}).raise_for_status()
"""

KEY = "sk-proj-" + "aB3dE5gH7jK9" * 8


@pytest.fixture
def shown(empty: Place, provider: FakeProvider) -> Place:
    """The project of the guide."""
    with (empty.root / "pyproject.toml").open("a") as file:
        file.write('llm_vcr_provider_hosts = ["127.0.0.1"]\nasyncio_default_fixture_loop_scope = "function"\n')
    now = datetime.now(UTC)
    chat, batch = "tests/cassettes/test_chat", "tests/cassettes/test_batch"
    bern = episode("What is the weather in Bern?", answer="Sunny, 21 °C.")
    empty.put(f"{chat}/test_weather.yaml", bern, episode("And tomorrow?", answer="Rain."), recorded_at=now - timedelta(days=12, hours=1))
    changed = episode("What is the weather in Bern?", answer="Cloudy, 17 °C.")
    empty.put(f"{chat}/test_weather_new.yaml", changed, episode("And tomorrow?", answer="Rain."), recorded_at=now - timedelta(hours=27.2))
    empty.put(
        f"{chat}/test_stream.yaml",
        episode("count", answer_body=SSE, answer_type="text/event-stream"),
        recorded_at=now - timedelta(days=12.1),
    )
    polled = [episode("poll", answer=answer, model="gpt-4o-mini") for answer in ("queued", "done", "done", "done")]
    empty.put(f"{batch}/test_poll.yaml", *polled, recorded_at=now - timedelta(weeks=6.1), ttl=86400)
    keyed = episode(f"my key is {KEY}", headers={"authorization": [f"Bearer {KEY}"]}, model="claude-sonnet-4-5")
    empty.put(f"{batch}/test_keys.yaml", keyed, recorded_at=now - timedelta(days=2.1))
    (empty.root / "tests" / "test_chat.py").write_text(TESTS.replace("URL", provider.url))
    (empty.root / "tests" / "test_batch.py").write_text("def test_keys(): pass\n")
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "What is the weather in Basel?"}]}
    (empty.root / "request.json").write_text(json.dumps(asked))
    second = list(empty.load(f"{chat}/test_weather.yaml").keyed())[1][:10]
    report = {"started": now.isoformat(timespec="seconds"), "seconds": 1.0, "complete": True, "store": {"url": "file"}}
    (empty.root / "llm-vcr-report").mkdir()
    (empty.root / "llm-vcr-report" / "summary.json").write_text(json.dumps({**report, "unused": {f"{chat}/test_weather.yaml": [second]}}))
    (empty.root / "run.json").write_text(json.dumps(summary({"t.py::test": one_test(played=2, avoided=0.5)})), "utf-8")
    return empty


def masked(text: str) -> str:
    for pattern, instead in MASKS:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return text


def test_it_shows_what_the_commands_write(shown: Place, tmp_path: Path) -> None:
    kept = shutil.copytree(shown.root, tmp_path / "kept")
    shutil.copytree(THEIRS, shown.root.parent / "old", ignore=lambda _, names: [one for one in names if one not in MOVED])
    text = GUIDE.read_text("utf-8")
    seen = []

    def written(block: re.Match[str]) -> str:
        # Each command finds the project as it was.
        shutil.rmtree(shown.root)
        shutil.copytree(kept, shown.root)
        os.chdir(shown.root)
        command = shlex.split(block[2])
        seen.append(command[0])
        done = subprocess.run(
            [sys.executable, "-m", "llm_vcr.cli", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
            env={**os.environ, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}, check=False, timeout=300,
        )  # fmt: skip
        output = done.stdout.replace(str(shown.root), "/home/you/shop")
        lines = "\n".join(line.rstrip() for line in output.splitlines())
        made = f"```\n{block[1]}\n{lines}\n```"
        # What is only another version, or another moment, is no reason to write the guide anew.
        return block[0] if masked(made) == masked(block[0]) else made

    made = BLOCK.sub(written, text)
    if os.environ.get("WRITE_GUIDE"):
        GUIDE.write_text(made, "utf-8")
    assert made == GUIDE.read_text("utf-8")
    # The demo is run, and its last line compared, in test_every_command.py.
    assert set(main.list_commands(click.Context(main))) == {*seen, "demo"}
