"""What keeps a run honest: no client that goes around the cassettes, no traffic of one test in another, no patch left behind unnamed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from llm_vcr import latecomers
from llm_vcr.config import Settings
from llm_vcr.hosts import is_telemetry
from llm_vcr.latecomers import Step
from llm_vcr.pytest_plugin.leftovers import Leftovers
from llm_vcr.pytest_plugin.origins import Origins

if TYPE_CHECKING:
    from llm_vcr.playback.policy import Policy
    from llm_vcr.pytest_plugin.canary import Canary, Finding


class Guard:
    """What it does around each test."""

    def __init__(self, config: pytest.Config, settings: Settings, origins: Origins) -> None:
        """Guard under ``settings``; ``origins`` are told when a test begins and ends."""
        self._config = config
        self._settings = settings
        self._origins = origins
        self._leftovers = Leftovers()
        self._left: list[str] = []
        self._canary: Canary | None = None
        self._item: pytest.Item | None = None
        self.holes: list[str] = []
        """Clients whose calls would go around the cassettes, one sentence each."""
        self.hints: list[str] = []
        """What does not fail the run, one sentence each."""
        self._no_more_clients = (
            latecomers.on_arrival(Step.LOOK, self._leftovers.client_came),
            latecomers.on_arrival(Step.TRY, self._try_client),
        )

    @pytest.hookimpl
    def pytest_unconfigure(self) -> None:
        """Be told of no more clients."""
        for end in self._no_more_clients:
            end()

    # --- the canary

    def look(self, policy: Policy) -> None:
        """Send the canary through every client that has been imported by now, as a cassette under ``policy`` would be opened."""
        if self._settings.canary == "off" or self._config.getoption("collectonly"):
            return
        import vcr as vcrpy

        from llm_vcr.pytest_plugin.canary import Canary
        from llm_vcr.vcrpy_hooks import arguments_of, install

        self._canary = Canary()
        self.send_canary(arguments_of(install(vcrpy.VCR(), policy=policy), {}))

    def send_canary(self, arguments: Mapping[str, Any]) -> None:
        """Try the clients that were not tried yet under a cassette with these arguments.

        Raises:
            pytest.fail.Exception: while a test is running, if calls of its cassette would go around it.
        """
        self._take(self._canary.look(arguments) if self._canary is not None else ())

    def _try_client(self, client: str) -> None:  # noqa: ARG002 - the canary sees for itself
        """Try a client that has just been imported, under every cassette that was tried before, and before anybody can use it."""
        self._take(self._canary.look_again() if self._canary is not None else ())

    def _take(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            fails = finding.escaped and self._settings.canary == "fail"
            _add(self.holes if fails else self.hints, str(finding))
        self._stop_at_a_hole()

    def _stop_at_a_hole(self) -> None:
        """End the run before anything is spent, if there is a client whose calls would go around the cassettes."""
        if self.holes and self._item is not None:
            told = "llm_vcr: " + "\n".join(self.holes)
            self._item.session.shouldfail = told
            pytest.fail(told, pytrace=False)

    # --- whose a call is

    def belongs(self, request: Any) -> bool:
        """Whether a call that is made now is the running test's."""
        if self._origins.of_another() is not None:
            return False
        return not (self._origins.is_background() and is_telemetry(request.host or "", self._settings.telemetry_hosts))

    def take_left(self) -> list[str]:
        """What the last test has left patched, one sentence each."""
        taken, self._left = self._left, []
        return taken

    # --- tests and fixtures

    def begin(self, item: pytest.Item) -> None:
        """A test begins.

        Raises:
            pytest.fail.Exception: if calls of its cassette would go around it.
        """
        self._item = item
        self._leftovers.begin()
        self._origins.begin(item.nodeid)
        self._stop_at_a_hole()

    def end(self, item: pytest.Item) -> None:
        """A test is over."""
        self._item = None
        self._origins.end()
        self._left += self._leftovers.end(item.nodeid)

    @contextlib.contextmanager
    def sets_up(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Iterator[None]:
        """What a fixture of a wider scope starts and patches is not the business of the test it is set up for."""
        before = self._leftovers.fixture_begins()
        # Whether it has undone that is looked at when it has done everything: what is added first comes last.
        fixturedef.addfinalizer(lambda: self._leftovers.fixture_ended(fixturedef))
        with self._origins.nobodys():
            yield
        told = f"the fixture {fixturedef.argname} ({fixturedef.scope} scope, set up for {request.node.nodeid or 'the session'})"
        self._leftovers.fixture_is_there(fixturedef, told, before)

    # --- workers

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Hand over to the controller."""
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput["llm_vcr_guard"] = {"holes": self.holes, "hints": self.hints}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker has found."""
        told = getattr(node, "workeroutput", {}).get("llm_vcr_guard", {})
        for one in told.get("holes", []):
            _add(self.holes, one)
        for one in told.get("hints", []):
            _add(self.hints, one)


def _add(sentences: list[str], sentence: str) -> None:
    if sentence not in sentences:
        sentences.append(sentence)
