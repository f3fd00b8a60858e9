"""A small suite with the plugin on, in a directory of its own, against the provider stand-in.

Runs are in this process unless they need workers or a fresh interpreter: what the plugin leaves behind is then seen here too.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpcore2
import httpx
import httpx2
import llm_vcr.vcrpy_hooks
import pytest
import vcr.stubs.aiohttp_stubs
from llm_vcr.config import PLACEHOLDER_KEY, PROVIDER_KEYS, SUPPLIED_KEYS

from tests.fake_provider import FakeProvider

# Loaded once here, and not again in each inner run: a second copy of a module has nothing mended, and other exceptions.
_LOADED = (httpcore2, llm_vcr.vcrpy_hooks, vcr.stubs.aiohttp_stubs)

CALLS = '''
"""How the inner suites speak with the stand-in."""
import os
import httpx

URL = os.environ["PROVIDER_URL"] + "/v1/chat/completions"
KEY = {"authorization": "Bearer " + os.environ.get("TEST_KEY", "test-key")}


def body(prompt, **more):
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": prompt}], **more}


def ask(prompt, url=URL, **more):
    # Certificates of which nobody here has a need would take longer to load than everything else.
    answer = httpx.post(url, json=body(prompt, **more), headers=KEY, verify=False)
    answer.raise_for_status()
    return answer.json()["choices"][0]["message"]["content"]
'''


Workers = tuple[str, ...]


@dataclass
class Run:
    """What came of an inner run."""

    result: pytest.RunResult
    verdicts: dict[str, dict[str, Any]]
    live: int
    """Calls that reached the stand-in."""

    @property
    def code(self) -> int:
        return int(self.result.ret)

    @property
    def text(self) -> str:
        return self.result.stdout.str() + self.result.stderr.str()

    def words(self) -> dict[str, str]:
        """Each test's verdict in a word."""
        return {name: one["verdict"] for name, one in self.verdicts.items()}

    def passed(self, number: int, **others: int) -> Run:
        self.result.assert_outcomes(passed=number, **others)
        return self


@dataclass
class Suite:
    """An inner suite; `run` it as often as needed."""

    pytester: pytest.Pytester
    provider: FakeProvider
    settings: dict[str, str] = field(default_factory=dict)
    workers: Workers = ()
    """What every run is started with: nothing, or the flags for workers."""

    @property
    def path(self) -> Path:
        return self.pytester.path

    def write(self, name: str = "test_it.py", /, source: str = "") -> Path:
        """A test module; it may use `ask`, `body`, `URL` and `KEY`."""
        prelude = "import os\nimport httpx\nimport pytest\nfrom calls import KEY, URL, ask, body\n\n"
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(prelude + textwrap.dedent(source), "utf-8")
        return path

    def conftest(self, source: str) -> None:
        (self.path / "conftest.py").write_text(textwrap.dedent(source), "utf-8")

    def ini(self, **settings: str | None) -> None:
        """The settings of the inner suite; ``None`` takes one away."""
        for name, value in settings.items():
            self.settings[name] = value if value is not None else ""
        lines = [f"{name} = {value}" for name, value in self.settings.items() if value]
        (self.path / "pytest.ini").write_text("\n".join(["[pytest]", *lines, ""]), "utf-8")

    def run(self, *arguments: str, subprocess: bool = False, cache: bool = False) -> Run:
        """Run it; ``cache`` keeps pytest's own, for ``--lf``."""
        before = self.provider.count
        arguments = (*self.workers, *arguments)
        xml = self.path / "junit.xml"
        xml.unlink(missing_ok=True)
        everything = (*(() if cache else ("-p", "no:cacheprovider")), f"--junitxml={xml}", *arguments)
        if subprocess or "-n" in arguments:
            result = self.pytester.runpytest_subprocess(*everything, timeout=120)
        else:
            result = self.pytester.runpytest_inprocess(*everything)
        return Run(result, _verdicts(xml), self.provider.count - before)

    def summary(self) -> dict[str, Any]:
        """What the last run wrote into its report."""
        told: dict[str, Any] = json.loads((self.path / "llm-vcr-report/summary.json").read_text("utf-8"))
        return told

    def cassettes(self) -> list[str]:
        """The cassette files, below the folder of cassettes."""
        return sorted(one.relative_to(self.path).as_posix() for one in self.path.rglob("*.yaml"))


def _verdicts(xml: Path) -> dict[str, dict[str, Any]]:
    if not xml.exists():
        return {}
    found = {}
    for case in ET.parse(xml).getroot().iter("testcase"):
        told = [one.get("value") or "" for one in case.iter("property") if one.get("name") == "llm_vcr"]
        assert len(told) <= 1, f"{case.get('name')} has {len(told)} verdicts"
        if told:
            found[case.get("name") or ""] = json.loads(told[0])
    return found


@pytest.fixture
def suite(pytester: pytest.Pytester, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    for name in list(os.environ):
        if name == "CI" or name.startswith("LLM_VCR_") or name in PROVIDER_KEYS + SUPPLIED_KEYS:
            monkeypatch.delenv(name)
    monkeypatch.setenv("PROVIDER_URL", provider.url)
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    monkeypatch.syspath_prepend(pytester.path)
    (pytester.path / "calls.py").write_text(CALLS, "utf-8")
    made = Suite(pytester, provider)
    made.ini(llm_vcr="auto", llm_vcr_provider_hosts="127.0.0.1", filterwarnings="error", asyncio_default_fixture_loop_scope="function")
    before = _patched_places()
    yield made
    assert _patched_places() == before, "the plugin left something patched"
    assert PLACEHOLDER_KEY not in os.environ.values(), "the plugin left a key behind"


@pytest.fixture(params=[(), ("-n", "2")], ids=["serial", "workers"])
def workers(request: pytest.FixtureRequest, suite: Suite) -> Workers:
    """Every run of the test in one process, and in a second case with two workers of xdist: for each promise, what carries it."""
    suite.workers = request.param
    return suite.workers


@pytest.fixture(params=[(), ("-n", "2", "--dist=loadfile")], ids=["serial", "loadfile"])
def by_file(request: pytest.FixtureRequest, suite: Suite) -> Workers:
    """The same for inner tests that need each other's process."""
    suite.workers = request.param
    return suite.workers


def _patched_places() -> list[object]:
    """Whatever anybody could patch to see or stop a call."""
    return [
        socket.getaddrinfo,
        socket.create_connection,
        socket.socket.connect,
        asyncio.BaseEventLoop.getaddrinfo,
        http.client.HTTPConnection,
        http.client.HTTPConnection.putrequest,
        *(
            getattr(getattr(library, transport), method)
            for library in (httpx, httpx2)
            for transport, method in (
                ("HTTPTransport", "handle_request"),
                ("AsyncHTTPTransport", "handle_async_request"),
                ("MockTransport", "handle_request"),
                ("WSGITransport", "handle_request"),
                ("ASGITransport", "handle_async_request"),
            )
        ),
    ]
