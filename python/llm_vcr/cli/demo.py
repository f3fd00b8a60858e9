"""``llm-vcr demo``: a suite is recorded, its provider stopped, and replayed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import click

_NEEDED = ("openai", "anthropic", "pytest_asyncio")

_PLACES = (Path(__file__).resolve().parents[3], Path(__file__).resolve().parents[1] / "demo")
"""Where ``examples/`` and the provider stand-in are: in a checkout or, of what is installed, in the package, where the build put them."""


@click.command("demo", short_help="Record a suite, stop its provider, and replay it.")
@click.option("--stock", is_flag=True, help="The same suite with stock vcrpy and pytest-recording, to compare.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document, for scripts; the rest goes to standard error.")
def command(*, stock: bool, as_json: bool) -> None:
    """Record an example suite against a provider on 127.0.0.1, stop the provider, and replay the suite.

    Nothing leaves this machine, no key is needed, and nothing is left behind. It needs the SDKs of OpenAI and Anthropic: pip install
    'llm-vcr-rs[demo]'. Exit status 1 where the second run makes a live call, or an answer differs.
    """
    missing = [name.replace("_", "-") for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise click.UsageError(f"the demo speaks through real SDKs, and {', '.join(missing)} is missing: pip install 'llm-vcr-rs[demo]'")
    script = next((one for place in _PLACES if (one := place / "examples" / "demo.py").is_file()), None)
    if script is None:
        raise click.UsageError("this installation lacks the example suite: install llm-vcr-rs from a wheel or a source distribution")
    options = [option for option, asked in (("--stock", stock), ("--json", as_json)) if asked]
    done = subprocess.run([sys.executable, str(script), *options], check=False)  # noqa: S603 - a file of ours
    sys.exit(1 if done.returncode else 0)
