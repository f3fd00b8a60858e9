"""The example suite over one Redis: recorded once, replayed from another checkout, and from the mirror when the server is gone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.fake_provider import FakeProvider
from tests.redis_server import RedisServer

REPOSITORY = Path(__file__).parents[3]


def checkout(folder: Path) -> Path:
    """A checkout of the example suite: a project of the same name, wherever it lies."""
    folder.mkdir(parents=True)
    for source in (*(REPOSITORY / "examples").glob("*.py"), REPOSITORY / "examples" / "pytest.ini"):
        if source.name != "demo.py":
            shutil.copy(source, folder)
    (folder / "pyproject.toml").write_text('[project]\nname = "demo"\n', "utf-8")
    return folder


def run(suite: Path, provider: FakeProvider, *options: str, **env: str) -> tuple[int, list[dict[str, object]], str]:
    """Exit status, what each test says, and what was on the screen."""
    secret = re.compile(r"API_?KEY|TOKEN|SECRET|^(OPENAI|ANTHROPIC|LLM_VCR|PYTEST|CASSETTE)_|^CI$", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if not secret.search(name)}
    report = suite / "junit.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *options],
        cwd=suite,
        env=kept | {"LLM_VCR_DEMO_URL": provider.url, "NO_PROXY": "127.0.0.1"} | env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    cases = [
        json.loads(entry.get("value", "{}"))
        for case in (ET.parse(report).iter("testcase") if report.exists() else ())
        for entry in case.iterfind("properties/property[@name='llm_vcr']")
    ]
    return done.returncode, cases, done.stdout + done.stderr


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
