"""The guide shows what the commands write. ``WRITE_GUIDE=1 pytest tests/python/cli/test_guide_output.py`` writes it anew."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.python.cli.place import SSE, Place, episode

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "cli.md"
BLOCK = re.compile(r"^```\n(\$ llm-vcr ([^\n]*))\n(.*?)^```$", re.MULTILINE | re.DOTALL)

NOT_THE_SAME_TWICE = ("doctor", "record", "refresh", "import")
"""What shows versions, pytest's own words, or files of other tools."""

KEY = "sk-proj-" + "aB3dE5gH7jK9" * 8


@pytest.fixture
def shown(empty: Place) -> Place:
    """The project of the guide."""
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
    (empty.root / "tests" / "test_chat.py").write_text("def test_weather(): pass\ndef test_stream(): pass\ndef test_weather_new(): pass\n")
    (empty.root / "tests" / "test_batch.py").write_text("def test_keys(): pass\n")
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "What is the weather in Basel?"}]}
    (empty.root / "request.json").write_text(json.dumps(asked))
    second = list(empty.load(f"{chat}/test_weather.yaml").keyed())[1][:10]
    report = {"started": now.isoformat(timespec="seconds"), "seconds": 1.0, "complete": True, "store": {"url": "file"}}
    (empty.root / "llm-vcr-report").mkdir()
    (empty.root / "llm-vcr-report" / "summary.json").write_text(json.dumps({**report, "unused": {f"{chat}/test_weather.yaml": [second]}}))
    return empty


def test_it_shows_what_the_commands_write(shown: Place, tmp_path: Path) -> None:
    kept = shutil.copytree(shown.root, tmp_path / "kept")
    text = GUIDE.read_text("utf-8")
    seen = []

    def written(block: re.Match[str]) -> str:
        command = shlex.split(block[2])
        if command[0] in NOT_THE_SAME_TWICE:
            return block[0]
        # Each command finds the project as it was.
        shutil.rmtree(shown.root / "tests")
        shutil.copytree(kept / "tests", shown.root / "tests")
        seen.append(command[0])
        output = re.sub(r"\d{8}T\d{6}(-\d+)?", "20261121T120000", shown.run(*command).stdout)
        lines = "\n".join(line.rstrip() for line in output.splitlines())
        return f"```\n{block[1]}\n{lines}\n```"

    made = BLOCK.sub(written, text)
    if os.environ.get("WRITE_GUIDE"):
        GUIDE.write_text(made, "utf-8")
    assert made == GUIDE.read_text("utf-8")
    assert {"list", "show", "stats", "diff", "explain", "scan", "clear", "flush", "normalize", "dedupe", "prune", "export"} <= set(seen)
