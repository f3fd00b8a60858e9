"""A run with llm_vcr turned on: the hooks, and what they hand to whom."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from llm_vcr import latecomers
from llm_vcr.config import Settings
from llm_vcr.errors import ConfigError, StoreUnavailableError
from llm_vcr.hosts import is_credential, is_provider
from llm_vcr.pytest_plugin.attempt import Attempt
from llm_vcr.pytest_plugin.boundary import PinnedBoundary
from llm_vcr.pytest_plugin.budget import Budget
from llm_vcr.pytest_plugin.closures import Closures
from llm_vcr.pytest_plugin.fixtures import SharedFixtures
from llm_vcr.pytest_plugin.folders import CassetteFolders
from llm_vcr.pytest_plugin.gate import Failure
from llm_vcr.pytest_plugin.guard import Guard
from llm_vcr.pytest_plugin.journal import Journal, read, unread
from llm_vcr.pytest_plugin.keys import SuppliedKeys
from llm_vcr.pytest_plugin.livecalls import LiveCalls
from llm_vcr.pytest_plugin.marking import Marking, is_automatic, why_off
from llm_vcr.pytest_plugin.naming import cassette_name, note_old_recordings
from llm_vcr.pytest_plugin.origins import Origins
from llm_vcr.pytest_plugin.outage import Outage
from llm_vcr.pytest_plugin.recording import Recording
from llm_vcr.pytest_plugin.report import Report
from llm_vcr.pytest_plugin.rewriting import FreshConfig, FreshMarkers, without_rewrite
from llm_vcr.pytest_plugin.totals import Totals
from llm_vcr.pytest_plugin.verdict import PROPERTY, Verdict

if TYPE_CHECKING:
    import vcr as vcrpy

    from llm_vcr.persister import Persister
    from llm_vcr.playback.cassette import Cassette
    from llm_vcr.playback.policy import Policy
    from llm_vcr.stores import Store


_OF_PYTEST_RECORDING = frozenset({"vcr", "vcr_config", "vcr_markers"})
"""The fixtures of a test that we look at."""


class _Vcrpys(NamedTuple):
    """What loads vcrpy, and so waits for the first cassette. Once a run: an import statement for each test takes as long as fifty calls."""

    persister: type[Persister]
    policy: type[Policy]
    install: Callable[..., vcrpy.VCR]
    arguments_of: Callable[[vcrpy.VCR, Mapping[str, Any]], dict[str, Any]]
    context: Callable[[dict[str, Any]], AbstractContextManager[Cassette]]


class Session:
    """The hooks that are only there when llm_vcr is on."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        """Settle the record mode, so that pytest-recording and ``--block-network`` see it too, and supply keys to SDKs."""
        self._config = config
        self._settings = settings
        self._late: _Vcrpys | None = None
        self._attempt: Attempt | None = None
        self._began = False
        self._usage_error = ""
        """What a worker has to complain of."""
        self._marking = Marking(config, settings)
        self._unmatched: set[str] = set()
        """Entries of ``llm_vcr_skip`` that name no test."""
        self._undo = contextlib.ExitStack()
        """What outlives a test, and is undone at the end in reverse order."""
        self._keys = SuppliedKeys()
        self._boundary = PinnedBoundary()
        self._outage = Outage()
        # Only a worker of xdist has it.
        self._workerinput: dict[str, Any] | None = getattr(config, "workerinput", None)
        self._tickets: Path | None = None
        if self._workerinput is not None:
            # Workers draw on the tickets of the process that started them.
            self._tickets = Path(self._workerinput["llm_vcr_tickets"])
        elif settings.max_live_calls is not None or settings.max_live_usd is not None:
            self._tickets = Path(tempfile.mkdtemp(prefix="llm-vcr-"))
        self._down: set[str] = set()
        """The workers that have ended, and told all they could."""
        self._journal: Journal | None = None
        if self._workerinput is not None and self._tickets is not None:
            self._journal = Journal(self._tickets, self._workerinput["workerid"])
            config.pluginmanager.register(self._journal, "llm_vcr_journal")
        budget = Budget(settings.max_live_calls, self._tickets, settings.max_live_usd)
        origins = Origins()
        self._calls = LiveCalls(
            lambda host: is_provider(host, settings.provider_hosts),
            lambda host: is_credential(host, settings.credential_hosts),
            budget,
            origins,
            config.rootpath,
            self._journal,
        )
        self._guard = Guard(config, settings, origins)
        config.pluginmanager.register(self._guard, "llm_vcr_guard")
        self._report: Report | None = None
        if settings.report_folder is not None:
            process = str(self._workerinput["workerid"]) if self._workerinput else "main"
            self._report = Report(config.rootpath / settings.report_folder, process)
        self._totals = Totals(config, settings, budget, self._report)
        self._summary = self._totals.summary
        config.pluginmanager.register(self._totals, "llm_vcr_totals")
        self._shared = SharedFixtures(config, self, self._summary, self._report)
        config.pluginmanager.register(self._shared, "llm_vcr_shared_fixtures")
        self._arrivals = Arrivals(self._shared, self._totals)
        if self._workerinput is None:
            config.pluginmanager.register(self._arrivals, "llm_vcr_arrivals")
        config.pluginmanager.register(Recording(config, self), "llm_vcr_recording")
        config.pluginmanager.register(CassetteFolders(config), "llm_vcr_folders")
        config.pluginmanager.register(Closures(), "llm_vcr_closures")
        flag = config.getoption("record_mode")
        # Stronger than marker and `vcr_config`, which pytest-recording would let win.
        self._forced_mode: str | None = flag or (
            settings.record_mode if settings.sources.get("record_mode", "").startswith(("--", "LLM_VCR")) else None
        )
        self._mode: str = self._forced_mode or settings.record_mode or self._default_mode()
        # pytest-recording would delete the file before the test has shown that it can make a better one.
        self._fresh_start = self._mode == "rewrite"
        config.option.record_mode = "new_episodes" if self._fresh_start else self._mode
        self._store: Store | None = None
        if settings.supply_keys:
            self._undo.callback(self._keys.take_back)
            self._keys.supply(config.rootpath)
        if settings.pin_boundary:
            self._undo.callback(self._boundary.let_go)
            self._boundary.pin()
        if self._report is not None and self._workerinput is None:
            self._report.clear()
        self._undo.callback(self._calls.stop)
        self._calls.watch()

    def _default_mode(self) -> str:
        # On CI, cassette files come with the checkout: a call that is not in them is a mistake, not a recording.
        return "none" if os.environ.get("CI") and self._settings.store.startswith("file") else "new_episodes"

    def _open_store(self) -> Store:
        from llm_vcr.stores import open_store

        try:
            store = open_store(self._settings.store, self._settings, root=self._config.rootpath)
            if hasattr(store, "open"):
                store.open()
            if self._mode == "none":
                self._require_folder()
        except ConfigError as error:
            raise pytest.UsageError(f"llm_vcr: {self._settings.sources.get('store', 'llm_vcr_store')}: {error}") from None
        except StoreUnavailableError as error:
            # A worker that ended here would be a crash to its controller, which looks for itself; its first test ends the run.
            if self._settings.outage == "fail" and self._workerinput is None:
                pytest.exit(f"llm_vcr: {error} (llm_vcr_on_outage = fail)", returncode=pytest.ExitCode.USAGE_ERROR)
        return store

    def _require_folder(self) -> None:
        """A folder that was named and is not there has nothing to replay, and nothing will be recorded into it.

        Raises:
            ConfigError: naming it, unless nobody but CI has asked for the mode.
        """
        folder = self._settings.store.removeprefix("file:").removeprefix("//")
        if not self._settings.store.startswith("file:") or (self._config.rootpath / folder).is_dir():
            return
        if self._forced_mode is not None or self._settings.record_mode is not None:
            expected = "a folder that is there, as record mode none records nothing: record first, or mend the path"
            raise ConfigError("llm_vcr_store", self._settings.store, expected)
        self._guard.hints.append(f"llm_vcr_store = {self._settings.store} is no folder: there is nothing to replay")

    def header(self) -> list[str]:
        """The line of the report header."""
        from llm_vcr import _core

        return [f"llm_vcr: {self._settings.mode}, record mode {self._mode}, store {_core.redact_uri(self._settings.store)}"]

    @pytest.hookimpl
    def pytest_unconfigure(self) -> None:
        """Undo what outlives a test."""
        self._undo.close()
        if self._store is not None and hasattr(self._store, "close"):
            self._store.close()
        if self._tickets is not None and self._workerinput is None:
            shutil.rmtree(self._tickets, ignore_errors=True)

    def pytest_sessionstart(self) -> None:
        """End the run now, where it is not to go on without its store."""
        if self._is_verbose:
            from llm_vcr.pytest_plugin.shown import Shown

            self._config.pluginmanager.register(Shown(), "llm_vcr_shown")
        if self._settings.outage == "fail" and self._workerinput is None:
            self._store = self._open_store()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark the tests that get a cassette, so that pytest-recording gives them one.

        Raises:
            pytest.UsageError: for a marker or a store that cannot be. Of a worker, the controller hears nothing of it but by us.
        """
        try:
            self._mark(items)
        except pytest.UsageError as error:
            self._usage_error = str(error)
            raise

    def _mark(self, items: list[pytest.Item]) -> None:
        self._marking.mark(items)
        if self._is_everything():
            self._unmatched.update(self._marking.unmatched)
        if self._marking.any_marked:
            # Now, as `--block-network` would keep us from connecting later; and not before somebody needs it.
            self._store = self._store or self._open_store()
            # It takes the clients' own functions as they are now, before we watch them; of clients that nobody has imported, later.
            latecomers.import_vcr()
            from llm_vcr import vcrpy_hooks  # noqa: F401

            note_old_recordings(items)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """Make sure that every client goes through the cassettes, before any is used."""
        if self._marking.any_marked:
            persister = self._vcrpys().persister(self._store, settings=self._settings)
            self._guard.look(self._vcrpys().policy(self._settings, persister, providers_only=True, spending=self._calls))

    # --- workers

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of xdist where the tickets are, and where it keeps its journal."""
        self._tickets = self._tickets or Path(tempfile.mkdtemp(prefix="llm-vcr-"))
        node.workerinput["llm_vcr_tickets"] = str(self._tickets)
        node.workerinput["llm_vcr_everything"] = self._is_everything()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker has to tell beside its tests' reports; of one that crashed, what its journal says."""
        self._down.add(node.gateway.id)
        told = getattr(node, "workeroutput", None)
        if told is None:
            self._take_lost(node.gateway.id, "crashed")
            return
        # Once: of a worker that was interrupted, xdist says twice that it is down.
        self._summary.outside += told.pop("llm_vcr_outside", [])
        self._summary.exchanges.update(told.pop("llm_vcr_exchanges", {}))
        self._unmatched.update(told.pop("llm_vcr_unmatched", []))
        for nodeid, verdict in told.pop("llm_vcr_broken_off", []):
            self._totals.lose(nodeid, Verdict.parse(verdict))
        if usage_error := told.get("llm_vcr_usage_error"):
            raise pytest.UsageError(usage_error)

    def _take_lost(self, worker: str, what: str) -> None:
        lost = read(self._tickets, worker, what)
        self._summary.outside += lost.outside
        for nodeid, verdict in lost.verdicts():
            self._totals.lose(nodeid, verdict)

    def _is_everything(self) -> bool:
        """Whether the run collects all tests: then an entry of ``llm_vcr_skip`` that names none of them is a mistake."""
        if self._workerinput is not None:
            return bool(self._workerinput["llm_vcr_everything"])
        return self._totals.collected.is_asked_for

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """The session is over when everybody has torn down what a run that was broken off has left."""
        if self._attempt is not None:
            # The run was broken off in the middle of a test: pytest saves its cassette now, and calls none of the test's hooks.
            self._attempt.close_gate()
        try:
            return (yield)
        finally:
            self._finish(session)

    def _finish(self, session: pytest.Session) -> None:
        """Hand over to the controller, or, as the controller, decide whether the run fails, and tell it."""
        broken_off = self._broken_off()
        self._take_outside_calls("after the last test")
        self._shared.hand_over()
        if self._workerinput is not None:
            told = {
                "llm_vcr_outside": self._summary.outside,
                "llm_vcr_exchanges": dict(self._calls.exchanges),
                "llm_vcr_unmatched": sorted(self._unmatched),
                "llm_vcr_broken_off": broken_off,
                "llm_vcr_usage_error": self._usage_error,
                "llm_vcr_collected": self._totals.told_by_worker(any_marked=self._marking.any_marked),
            }
            self._config.workeroutput.update(told)  # type: ignore[attr-defined]  # xdist's
            return
        for nodeid, verdict in broken_off:
            self._totals.lose(nodeid, Verdict.parse(verdict))
        self._hear_out()
        for worker in unread(self._tickets, self._down):
            self._take_lost(worker, "was stopped")
        self._summary.exchanges.update(self._calls.exchanges)
        unmatched = [f"llm_vcr_skip = {one} names no test" for one in sorted(self._unmatched)]
        holes = [Failure(f"llm_vcr_canary: {one}") for one in self._guard.holes]
        self._totals.decide(session, [*unmatched, *self._guard.hints], holes, any_marked=self._marking.any_marked)
        self._totals.tell(session)

    def _hear_out(self) -> None:
        """Take what workers have sent, and xdist has handed on to nobody because the run was interrupted."""
        waiting = getattr(self._config.pluginmanager.get_plugin("dsession"), "queue", None)
        while waiting is not None and not waiting.empty():
            name, told = waiting.get_nowait()
            if name == "testreport":
                self._arrivals.pytest_runtest_logreport(told["rep"])
            elif name == "workerfinished":
                self._config.hook.pytest_testnodedown(node=told["node"], error=None)

    def _broken_off(self) -> list[tuple[str, str]]:
        """The test that was running when the run was broken off, with its verdict: no report of it carries that."""
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return []
        self._tell(attempt)
        return [(attempt.item.nodeid, str(told)) for name, told in attempt.item.user_properties if name == PROPERTY]

    def _take_outside_calls(self, when: str) -> None:
        if not (self._calls.seen or self._calls.strangers):
            return
        self._summary.outside += [{**call.dump(), "when": when} for call in self._calls.take()]
        self._summary.outside += [{**call.dump(), "when": f"after {call.started_by} was over"} for call in self._calls.take_strangers()]

    # --- the cassette of a test

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """Begin an attempt, before anybody else does anything for the test."""
        self._take_outside_calls(f"before {item.nodeid}" if self._began else "while tests were collected")
        self._began = True
        self._calls.watch()
        self._attempt = Attempt(item)
        self._guard.begin(item)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Generator[None, Any, Any]:
        """Take ``rewrite`` out of marker and ``vcr_config`` before pytest-recording acts on it, and see to what tests share."""
        if fixturedef.scope != "function":
            with self._guard.sets_up(fixturedef, request):
                self._note_fresh_start(fixturedef, request)
                with self._shared.sets_up(fixturedef, request):
                    result = yield
        elif fixturedef.argname in _OF_PYTEST_RECORDING:
            self._note_fresh_start(fixturedef, request)
            result = yield
        else:
            return (yield)
        replaced = without_rewrite(fixturedef.argname, result)
        if replaced is not result and fixturedef.cached_result is not None:
            fixturedef.cached_result = (replaced, *fixturedef.cached_result[1:])
        return replaced

    def _note_fresh_start(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
        if fixturedef.argname == "vcr" and self._attempt is not None and request.node.get_closest_marker("vcr") is not None:
            self._attempt.fresh_start = isinstance(request.getfixturevalue("vcr_config"), FreshConfig) or isinstance(
                request.getfixturevalue("vcr_markers"), FreshMarkers
            )

    @pytest.hookimpl(optionalhook=True)
    def pytest_recording_configure(self, vcr: vcrpy.VCR) -> None:
        """Put our policy under the cassette that pytest-recording is about to open."""
        attempt = self._attempt
        if attempt is None:
            return
        attempt.vcr = vcr
        policy = self._policy(attempt, vcr)
        self._vcrpys().install(vcr, policy=policy)
        vcr.register_persister(policy.persister)

    def _vcrpys(self) -> _Vcrpys:
        if self._late is None:
            from llm_vcr.persister import Persister
            from llm_vcr.playback.policy import Policy
            from llm_vcr.vcrpy_hooks import arguments_of, context, install

            self._late = _Vcrpys(Persister, Policy, install, arguments_of, context)
        return self._late

    def opened_with(self, attempt: Attempt) -> Mapping[str, Any] | None:
        """See `recording.OpensCassettes`."""
        if attempt.vcr is None:
            return None
        made = self._vcrpys().arguments_of(attempt.vcr, {})
        return {name: value for name, value in made.items() if name not in ("path", "persister", "policy")}

    def open_again(self, attempt: Attempt, arguments: Mapping[str, Any], name: str) -> AbstractContextManager[Cassette]:
        """See `recording.OpensCassettes`."""
        policy = self._policy(attempt, None)
        matchers = [*arguments["match_on"]]
        return self._vcrpys().context({**arguments, "match_on": matchers, "path": name, "persister": policy.persister, "policy": policy})

    def _policy(self, attempt: Attempt, vcr: vcrpy.VCR | None) -> Policy:
        """Without a ``vcr``, nobody says anything of the test's cassette."""
        item = attempt.item
        settings, marked = self._marking.settings(item)
        mode = settings.record_mode if "record_mode" in marked else self._forced_mode
        fresh_start = attempt.fresh_start or mode == "rewrite" or (self._fresh_start and mode is None)
        forced: dict[str, Any] = {}
        if mode is not None:
            forced["record_mode"] = "new_episodes" if mode == "rewrite" else mode
        if vcr is not None and (name := cassette_name(item, vcr, in_files=settings.store.startswith("file"))) is not None:
            forced["path"] = name
        persister = self._vcrpys().persister(
            self._store,
            settings=settings,
            root=self._config.rootpath,
            # pytest-recording's persister: the arguments of the marker are cassettes to play from.
            extra_paths=() if vcr is None else getattr(vcr.persister, "extra_paths", ()),
            on_lost=self._outage.note,
        )
        return self._vcrpys().policy(
            settings,
            persister,
            forced=forced,
            providers_only=is_automatic(item),
            fresh_start=fresh_start,
            on_open=attempt.cassettes.append,
            before_open=self._guard.send_canary,
            belongs=self._guard.belongs,
            spending=self._calls,
            answer_refusals=True,
        )

    def policy_shared(self, opened: Callable[[Cassette], None], config: Mapping[str, Any], *, first: bool) -> Policy:
        """See `fixtures.MakesPolicies`: settings that no test has to itself, and providers only, as nobody has marked the fixture."""
        mode = self._forced_mode or config.get("record_mode") or self._mode
        fresh_start = mode == "rewrite" or (isinstance(config, FreshConfig) and self._forced_mode is None)
        if fresh_start or (mode == "all" and not first):
            # What the same fixture recorded a moment ago, for another module, stays.
            mode = "new_episodes"
        return self._vcrpys().policy(
            self._settings,
            self._vcrpys().persister(self._store, settings=self._settings, root=self._config.rootpath, on_lost=self._outage.note),
            forced={"record_mode": mode},
            providers_only=True,
            patches_stay=True,
            fresh_start=fresh_start and first,
            on_open=opened,
            before_open=self._guard.send_canary,
            belongs=self._guard.belongs,
            spending=self._calls,
            answer_refusals=True,
        )

    def policy_inside(self, store: Store) -> Policy:
        """The policy of a cassette in ``store`` that the running test opens by itself: its calls count with the test's."""
        attempt = self._attempt
        settings = self._settings if attempt is None else self._marking.settings(attempt.item)[0]
        return self._vcrpys().policy(
            settings,
            self._vcrpys().persister(store, settings=settings, root=self._config.rootpath),
            forced={} if self._forced_mode is None else {"record_mode": self._mode if self._mode != "rewrite" else "all"},
            on_open=None if attempt is None else attempt.cassettes.append,
            belongs=self._guard.belongs,
            spending=self._calls,
        )

    # --- the outcome

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note how setup and call ended, foresee the verdict, and explain a failure that comes of a miss."""
        report = yield
        attempt = self._attempt
        if attempt is None or attempt.item is not item or call.when == "teardown":
            return report
        attempt.note(report)
        around = self._calls.seen
        if call.when == "call":
            report.user_properties = _others(report.user_properties)
            # For the word beside PASSED, which nobody sees otherwise.
            if self._is_verbose:
                foreseen = attempt.foreseen(around, self._why_disabled(attempt))
                report.user_properties.append((PROPERTY, foreseen.bounded().dump()))
        if report.failed and (explanation := attempt.explanation(around)):
            report.sections.append(("llm_vcr", explanation))
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        """Close the gate of a test that did not pass before its cassette is saved, and give the verdict afterwards."""
        attempt = self._attempt if self._attempt is not None and self._attempt.item is item else None
        if attempt is not None:
            attempt.close_gate()
        try:
            return (yield)
        finally:
            self._guard.end(item)
            self._shared.hand_to(item)
            if attempt is not None:
                self._attempt = None
                attempt.left_behind = self._guard.take_left()
                self._tell(attempt)
                attempt.let_go()
                self._outage.end(item.session)

    def running(self) -> Attempt:
        """The attempt that is under way: a fixture is set up."""
        if self._attempt is None:
            raise RuntimeError("llm_vcr: a fixture of a test is set up, and no test has begun")
        return self._attempt

    def _why_disabled(self, attempt: Attempt) -> str | None:
        """Why a test that could have a cassette has none, or ``None``."""
        if (reason := why_off(attempt.item)) is not None:
            return reason
        if attempt.cassettes or attempt.item.get_closest_marker("vcr") is None:
            return None
        return "--disable-recording" if self._config.getoption("disable_recording") else "the test opened no cassette"

    def _tell(self, attempt: Attempt) -> None:
        item = attempt.item
        around = self._calls.take()
        self._calls.forget_expected()
        if not attempt.cassettes and not around and not attempt.left_behind and attempt.phases.get("setup") != "passed":
            return
        verdict = attempt.verdict(around, self._why_disabled(attempt))
        # A rerun replaces what the attempt before it said, but not what that one spent.
        for name, told in item.user_properties:
            if name == PROPERTY:
                verdict = verdict.after(Verdict.parse(str(told)))
        travelling = verdict.bounded()
        text = self._summary.told(travelling)
        item.user_properties[:] = [*_others(item.user_properties), (PROPERTY, text)]
        if self._report is not None and verdict.verdict != "UNMARKED:NO_TRAFFIC":
            self._report.add(item.nodeid, verdict, text if travelling is verdict else None)

    @property
    def _is_verbose(self) -> bool:
        """Whether somebody sees a word beside each test; with ``-p no:terminal`` there is not even the option."""
        return getattr(self._config.option, "verbose", 0) >= 1


class Arrivals:
    """The reports of all tests, in the one process that hears them."""

    def __init__(self, shared: SharedFixtures, totals: Totals) -> None:
        """Hand them on."""
        self._shared = shared
        self._totals = totals

    # Before JUnit's: what a test cost stands in its properties, and is known only here. What its fixtures did is nothing it has to say.
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a phase of a test."""
        self._shared.take_from(report)
        self._totals.take(report)


def _others(properties: list[tuple[str, object]]) -> list[tuple[str, object]]:
    return [one for one in properties if one[0] != PROPERTY]
