"""The picture of the report in README.md: ``python -m tests.report_picture FILE.png``.

The example suite is recorded, replayed, and replayed again after somebody changed two prompts and let a fixture of the whole session
call; the page of that last run is opened in Chromium. Nothing in the picture is made up.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from llm_vcr.reporting.page import write
from llm_vcr.reporting.run import SUMMARY, load
from PIL import Image

from tests.chromium import Chromium
from tests.example_suite import checkout, run
from tests.fake_provider import FakeProvider

WIDTH = 1100

CHANGES = (
    ("test_anthropic.py", "What is in this picture?", "What do you see in this picture?"),
    ("test_openai_images.py", "A dog on a lake", "Two dogs on a lake"),
)

LEAK = '''"""A fixture of the whole session calls before any test has a cassette."""

import pytest
from openai import OpenAI


@pytest.fixture(scope="session")
def greeting(url: str) -> str:
    with OpenAI(base_url=f"{url}/v1") as client:
        completion = client.chat.completions.create(model="gpt-6-luna", messages=[{"role": "user", "content": "Say hello."}])
    return completion.choices[0].message.content or ""


def test_greeting(greeting: str) -> None:
    assert greeting
'''


def summaries(suite: Path) -> list[Path]:
    """The summaries of three runs, the last one first."""
    keys = {"OPENAI_API_KEY": "sk-made-up", "ANTHROPIC_API_KEY": "sk-ant-made-up"}
    kept = []
    with FakeProvider() as provider:
        for number in range(3):
            if number == 2:
                change(suite)
            status, _, screen = run(suite, provider, **keys)
            if status:
                sys.exit(f"the example suite failed:\n{screen}")
            kept.insert(0, suite.parent / f"run-{number}.json")
            shutil.copy(suite / "llm-vcr-report" / SUMMARY, kept[0])
    return kept


def change(suite: Path) -> None:
    """What a contributor might have done since."""
    for module, before, after in CHANGES:
        text = (suite / module).read_text("utf-8")
        if before not in text:
            sys.exit(f"{module} no longer says {before!r}: choose another change")
        (suite / module).write_text(text.replace(before, after), "utf-8")
    (suite / "test_greeting.py").write_text(LEAK, "utf-8")


def main() -> None:
    """Make the picture, of few enough colours to be small."""
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="llm-vcr-picture-") as folder:
        last, *earlier = summaries(checkout(Path(folder) / "examples"))
        page = Path(folder) / "report.html"
        write(page, load(last), [load(one) for one in earlier])
        with Chromium() as chromium, chromium.open(page, width=WIDTH) as opened:
            opened.send("Emulation.setScrollbarsHidden", hidden=True)
            # Down to where the trend begins.
            picture = Image.open(io.BytesIO(opened.picture(height=int(opened.run("document.querySelector('#trend').offsetTop")))))
    picture.convert("RGB").quantize(255, dither=Image.Dither.NONE).save(target, optimize=True)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
