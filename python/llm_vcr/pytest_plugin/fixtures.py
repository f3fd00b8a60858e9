"""The calls of fixtures that several tests share (of a class, a module, a package or the whole session).

Such a fixture runs before the cassette of the test that happens to ask for it first, and another test may be first in the next run. So it
has a cassette of its own, open while it is set up, and a second one while it is torn down. What it hands to the tests is theirs: a client
that it made calls into the cassette of each test.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from llm_vcr.pytest_plugin.kept import facts
from llm_vcr.pytest_plugin.naming import SharedFixture, shared_fixture
from llm_vcr.pytest_plugin.spending import notes
from llm_vcr.pytest_plugin.verdict import Verdict, judge

if TYPE_CHECKING:
    from llm_vcr.playback.cassette import Cassette
    from llm_vcr.playback.policy import Policy
    from llm_vcr.pytest_plugin.report import Report
    from llm_vcr.pytest_plugin.summary import Summary

PROPERTY = "llm_vcr_fixtures"
"""The name under which the verdicts of fixtures travel in ``report.user_properties``, with the test that made them run."""

TOLD = "llm_vcr_fixtures"
"""The name under which a worker of xdist hands over those that ran after its last test."""


class MakesPolicies(Protocol):
    """Whoever knows the settings of the run."""

    def policy_shared(self, opened: Callable[[Cassette], None], config: dict[str, Any], *, first: bool) -> Policy:
        """The policy of a fixture's cassette, under the ``vcr_config`` that applies to it; not the ``first`` one does not start anew."""


class SharedFixtures:
    """Opens the cassettes, and tells what came of them."""

    def __init__(self, config: pytest.Config, policies: MakesPolicies, summary: Summary, report: Report | None) -> None:
        """Tell ``summary`` and ``report`` in the end."""
        self._config = config
        self._policies = policies
        self._summary = summary
        self._report = report
        workerinput = getattr(config, "workerinput", None)
        self._process = str(workerinput["workerid"]) if workerinput else "main"
        self._wanted: frozenset[str] = frozenset()
        """The fixtures that tests with a cassette ask for."""
        self._begun: set[str] = set()
        """The cassettes that were opened in this run, each by its path."""
        self._count = 0
        self._pending: list[dict[str, Any]] = []
        """What no report carries yet."""
        self._taken: set[str] = set()
        """What has been told to the summary: a report may come twice (a rerun repeats what the attempt before it had)."""

    # --- whose

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note which fixtures the tests with a cassette ask for, whoever asks first."""
        marked = [item for item in items if item.get_closest_marker("vcr") is not None]
        self._wanted = frozenset(name for item in marked for name in getattr(item, "fixturenames", ()))

    def _shared(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> SharedFixture | None:
        """The fixture, if it is one that gets a cassette."""
        if fixturedef.scope == "function":
            return None
        item = getattr(request, "_pyfuncitem", None)
        if item is None or self._config.getoption("disable_recording"):
            return None
        if fixturedef.argname == "vcr_config" or (fixturedef.argname not in self._wanted and item.get_closest_marker("vcr") is None):
            return None
        index = getattr(request, "param_index", 0)
        return shared_fixture(fixturedef, self._config.rootpath, [request.param] if hasattr(request, "param") else [], index)

    # --- while it runs

    @contextlib.contextmanager
    def sets_up(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Iterator[None]:
        """Open its cassette for as long as it is set up, and put the other one around what it has to do in the end."""
        shared = self._shared(fixturedef, request)
        if shared is None:
            yield
            return
        config = self._vcr_config(fixturedef, request._pyfuncitem)
        finalizers: list[Callable[[], object]] = fixturedef._finalizers
        before = len(finalizers)
        with self._cassette(shared, config, "setup"):
            yield
        if added := finalizers[before:]:
            finalizers[before:] = [lambda: self._tear_down(added, shared, config)]

    def _tear_down(self, finalizers: Sequence[Callable[[], object]], shared: SharedFixture, config: dict[str, Any]) -> None:
        """What the fixture has to do in the end, the last thing first: all of it, whatever fails."""
        with self._cassette(shared, config, "teardown"), contextlib.ExitStack() as stack:
            for finalizer in finalizers:
                stack.callback(finalizer)

    @staticmethod
    def _vcr_config(fixturedef: pytest.FixtureDef[Any], item: Any) -> dict[str, Any]:
        """The user's ``vcr_config``, where it is one for as many tests as the fixture is."""
        scopes = ("function", "class", "module", "package", "session")
        found = item.session._fixturemanager.getfixturedefs("vcr_config", item) or ()
        if not found or scopes.index(found[-1].scope) < scopes.index(fixturedef.scope):
            return {}
        # The test's own request: the one of a fixture of the session sees no conftest.
        config = item._request.getfixturevalue("vcr_config")
        return config if isinstance(config, dict) else {}

    @contextlib.contextmanager
    def _cassette(self, shared: SharedFixture, config: dict[str, Any], phase: str) -> Iterator[None]:
        import vcr as vcrpy

        from llm_vcr.vcrpy_hooks import install

        name = shared.name if phase == "setup" else f"{shared.name}.teardown"
        first = f"{shared.folder}/{name}" not in self._begun
        self._begun.add(f"{shared.folder}/{name}")
        opened: list[Cassette] = []
        policy = self._policies.policy_shared(opened.append, config, first=first)
        vcr = vcrpy.VCR(path_transformer=vcrpy.VCR.ensure_suffix(".yaml"), cassette_library_dir=str(shared.folder))
        vcr.register_persister(policy.persister)
        passed = False
        try:
            with install(vcr, policy=policy).use_cassette(name, **{name: value for name, value in config.items() if name != "record_mode"}):
                try:
                    yield
                    passed = True
                finally:
                    for cassette in opened:
                        cassette.gate = None if passed else f"{phase} of the fixture failed"
        finally:
            self._note(shared, opened, passed=passed)

    # --- what came of it

    def _note(self, shared: SharedFixture, opened: Sequence[Cassette], *, passed: bool) -> None:
        told = tuple(facts(opened, passed=passed, is_own=lambda _: False))
        verdict = judge(opened, (), disabled=None, scope=shared.scope, used=notes(opened), kept=told)
        if verdict.verdict == "NOOP" and not told:
            return
        if self._report is not None:
            self._report.add(shared.nodeid, verdict)
        self._count += 1
        one = {"number": f"{self._process} {self._count}", "nodeid": shared.nodeid, "passed": passed, "verdict": verdict.bounded().dump()}
        self._pending.append(one)

    def hand_to(self, item: pytest.Item) -> None:
        """Let the report of a test that is over carry what the fixtures did for it."""
        if self._pending:
            earlier = [one for name, value in item.user_properties if name == PROPERTY and isinstance(value, list) for one in value]
            item.user_properties[:] = [
                *(one for one in item.user_properties if one[0] != PROPERTY),
                (PROPERTY, [*earlier, *self._pending]),
            ]
            self._pending = []

    def take_from(self, report: pytest.TestReport) -> None:
        """Take it, where all reports come together: it is nothing a test has to say of itself."""
        found = [value for name, value in report.user_properties if name == PROPERTY]
        for value in found:
            if isinstance(value, list):
                self._take(value)
        if found:
            report.user_properties = [one for one in report.user_properties if one[0] != PROPERTY]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker's fixtures did after its last test."""
        self._take(getattr(node, "workeroutput", {}).get(TOLD, []))

    def hand_over(self) -> None:
        """Take what no report has carried: pytest has torn down what a run that was broken off had left."""
        if self._process == "main":
            self._take(self._pending)
        else:
            self._config.workeroutput[TOLD] = self._pending  # type: ignore[attr-defined]  # xdist's
        self._pending = []

    def _take(self, told: Sequence[dict[str, Any]]) -> None:
        for one in told:
            if one["number"] not in self._taken:
                self._taken.add(one["number"])
                self._summary.join(one["nodeid"], Verdict.parse(one["verdict"]), passed=one["passed"])
