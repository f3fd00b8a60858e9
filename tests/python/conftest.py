"""What the tests of the Python layer share: a clean environment, and the stand-in."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest
from llm_vcr.config import PROVIDER_KEYS

from tests.fake_provider import FakeProvider

# No deadline: a busy machine is no defect.
hypothesis.settings.register_profile("suite", deadline=None, max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "100")))
hypothesis.settings.load_profile("suite")


# A run in the background of a script is told to ignore Ctrl-C, and hands that on to all it starts; some tests interrupt what they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the suite may have keys and settings of their own; both decide matches. CI shall not show inner runs."""
    for name in list(os.environ):
        if name.startswith("LLM_VCR_") or name in PROVIDER_KEYS or name in ("CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        yield running
