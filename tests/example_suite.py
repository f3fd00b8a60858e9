"""The suite of ``examples/`` as a project of its own: checked out anywhere, and run there."""

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

EXAMPLES = Path(__file__).parents[1] / "examples"


def checkout(folder: Path) -> Path:
    """A checkout of the example suite: a project of the same name, wherever it lies."""
    folder.mkdir(parents=True)
    for source in (*EXAMPLES.glob("*.py"), EXAMPLES / "pytest.ini"):
        if source.name != "demo.py":
            shutil.copy(source, folder)
    (folder / "pyproject.toml").write_text('[project]\nname = "demo"\n', "utf-8")
    return folder


def run(suite: Path, provider: FakeProvider, *options: str, **env: str) -> tuple[int, list[dict[str, object]], str]:
    """Exit status, what each test says, and what was on the screen."""
    secret = re.compile(r"API_?KEY|TOKEN|SECRET|^(OPENAI|ANTHROPIC|LLM_VCR|PYTEST|CASSETTE|GITHUB)_|^CI$", re.IGNORECASE)
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
