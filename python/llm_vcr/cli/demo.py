"""``llm-vcr demo``: a suite is recorded, its provider stopped, and replayed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import click

_NEEDED = ("openai", "anthropic", "pytest_asyncio")

_ROOT = Path(__file__).resolve().parents[3]
"""Of a checkout or an unpacked source distribution; a wheel has neither ``examples/`` nor the provider stand-in."""


@click.command("demo")
@click.option("--stock", is_flag=True, help="The same suite with stock vcrpy and pytest-recording, to compare.")
def command(*, stock: bool) -> None:
    """Record an example suite against a provider on 127.0.0.1, stop the provider, and replay the suite.

    Nothing leaves this machine, no key is needed, and nothing is left behind. It needs the packages openai, anthropic and
    pytest-asyncio. Exit status 1 where the second run makes a live call, or an answer differs.
    """
    missing = [name.replace("_", "-") for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise click.UsageError(f"the demo speaks through real SDKs: pip install {' '.join(missing)}")
    script = _ROOT / "examples" / "demo.py"
    if not script.is_file() or not (_ROOT / "tests" / "fake_provider").is_dir():
        raise click.UsageError("a wheel comes without the example suite: get the source distribution, and run `make demo` in it")
    done = subprocess.run([sys.executable, str(script), *(["--stock"] if stock else [])], check=False)  # noqa: S603 - a file of ours
    sys.exit(1 if done.returncode else 0)
