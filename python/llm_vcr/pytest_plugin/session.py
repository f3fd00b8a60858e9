"""A run with llm_vcr turned on: the hooks, and what they hand to whom."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from llm_vcr.config import Settings
from llm_vcr.errors import ConfigError, StoreUnavailableError
from llm_vcr.pytest_plugin.attempt import Attempt
from llm_vcr.pytest_plugin.capacity import full
from llm_vcr.pytest_plugin.keys import SuppliedKeys
from llm_vcr.pytest_plugin.marking import Marking, is_automatic, why_off
from llm_vcr.pytest_plugin.naming import cassette_name
from llm_vcr.pytest_plugin.rewriting import FreshConfig, FreshMarkers, without_rewrite
from llm_vcr.pytest_plugin.summary import Summary
from llm_vcr.pytest_plugin.verdict import PROPERTY, judge

if TYPE_CHECKING:
    import vcr as vcrpy

    from llm_vcr.cassette import Policy
    from llm_vcr.stores import Store


class Session:
    """The hooks that are only there when llm_vcr is on."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        """Settle the record mode, so that pytest-recording and ``--block-network`` see it too, and supply keys to SDKs."""
        self._config = config
        self._settings = settings
        self._attempt: Attempt | None = None
        self._marking = Marking(config, settings)
        self._summary = Summary(verbose=config.getoption("llm_vcr_verbose"))
        self._keys = SuppliedKeys()
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
            self._keys.supply(config.rootpath)

    def _default_mode(self) -> str:
        # On CI, cassette files come with the checkout: a call that is not in them is a mistake, not a recording.
        return "none" if os.environ.get("CI") and self._settings.store.startswith("file") else "new_episodes"

    def _open_store(self) -> Store:
        from llm_vcr.stores import open_store

        try:
            store = open_store(self._settings.store, self._settings, root=self._config.rootpath)
            if hasattr(store, "open"):
                store.open()
        except ConfigError as error:
            raise pytest.UsageError(f"llm_vcr: {self._settings.sources.get('store', 'llm_vcr_store')}: {error}") from None
        except StoreUnavailableError as error:
            # A worker that ended here would be a crash to its controller, which looks for itself; each of its tests fails before it calls.
            if self._settings.outage == "fail" and not hasattr(self._config, "workerinput"):
                pytest.exit(f"llm_vcr: {error} (llm_vcr_on_outage = fail)", returncode=pytest.ExitCode.USAGE_ERROR)
        return store

    def header(self) -> list[str]:
        """The line of the report header, and one more where another package takes our import name."""
        from llm_vcr import _core

        lines = [f"llm_vcr: {self._settings.mode}, record mode {self._mode}, store {_core.redact_uri(self._settings.store)}"]
        installed = {dist.metadata["Name"] for _, dist in self._config.pluginmanager.list_plugin_distinfo()}
        if "pytest-llm-vcr" in installed:
            lines.append("llm_vcr: the package pytest-llm-vcr installs the same import name: uninstall it, or llm-vcr-rs")
        return lines

    @pytest.hookimpl
    def pytest_unconfigure(self) -> None:
        """Undo what outlives a test."""
        self._keys.take_back()
        if self._store is not None and hasattr(self._store, "close"):
            self._store.close()

    def pytest_sessionstart(self) -> None:
        """End the run now, where it is not to go on without its store."""
        if self._settings.outage == "fail" and not hasattr(self._config, "workerinput"):
            self._store = self._open_store()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark the tests that get a cassette, so that pytest-recording gives them one."""
        self._marking.mark(items)
        if self._marking.any_marked and self._store is None:
            # Now, as `--block-network` would keep us from connecting later; and not before somebody needs it.
            self._store = self._open_store()

    # --- the cassette of a test

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """Begin an attempt."""
        self._attempt = Attempt(item)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Generator[None, Any, Any]:
        """Take ``rewrite`` out of marker and ``vcr_config`` before pytest-recording acts on it."""
        if fixturedef.argname == "vcr" and self._attempt is not None and request.node.get_closest_marker("vcr") is not None:
            self._attempt.fresh_start = isinstance(request.getfixturevalue("vcr_config"), FreshConfig) or isinstance(
                request.getfixturevalue("vcr_markers"), FreshMarkers
            )
        result = yield
        replaced = without_rewrite(fixturedef.argname, result)
        if replaced is not result and fixturedef.cached_result is not None:
            fixturedef.cached_result = (replaced, *fixturedef.cached_result[1:])
        return replaced

    @pytest.hookimpl(optionalhook=True)
    def pytest_recording_configure(self, vcr: vcrpy.VCR) -> None:
        """Put our policy under the cassette that pytest-recording is about to open."""
        attempt = self._attempt
        if attempt is None:
            return
        from llm_vcr.vcrpy_hooks import install

        policy = self._policy(attempt, vcr)
        install(vcr, policy=policy)
        vcr.register_persister(policy.persister)

    def _policy(self, attempt: Attempt, vcr: vcrpy.VCR) -> Policy:
        from llm_vcr.cassette import Policy
        from llm_vcr.persister import Persister

        item = attempt.item
        settings, marked = self._marking.settings(item)
        mode = settings.record_mode if "record_mode" in marked else self._forced_mode
        fresh_start = attempt.fresh_start or mode == "rewrite" or (self._fresh_start and mode is None)
        forced: dict[str, Any] = {}
        if mode is not None:
            forced["record_mode"] = "new_episodes" if mode == "rewrite" else mode
        if (name := cassette_name(item, vcr, in_files=settings.store.startswith("file"))) is not None:
            forced["path"] = name
        persister = Persister(
            self._store,
            settings=settings,
            root=self._config.rootpath,
            # pytest-recording's persister: the arguments of the marker are cassettes to play from.
            extra_paths=getattr(vcr.persister, "extra_paths", ()),
        )
        return Policy(
            settings,
            persister,
            forced=forced,
            providers_only=is_automatic(item),
            fresh_start=fresh_start,
            on_open=attempt.cassettes.append,
        )

    # --- the outcome

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note how setup and call ended."""
        report = yield
        attempt = self._attempt
        if attempt is not None and attempt.item is item and call.when != "teardown":
            attempt.note(report)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        """Close the gate of a test that did not pass before its cassette is saved, and give the verdict afterwards."""
        attempt = self._attempt
        if attempt is None or attempt.item is not item:
            return (yield)
        attempt.close_gate()
        try:
            return (yield)
        finally:
            self._attempt = None
            self._tell(attempt)

    def _tell(self, attempt: Attempt) -> None:
        item = attempt.item
        disabled = why_off(item)
        if disabled is None and not attempt.cassettes:
            if item.get_closest_marker("vcr") is None or attempt.phases.get("setup") != "passed":
                return
            disabled = "--disable-recording" if self._config.getoption("disable_recording") else "the test opened no cassette"
        verdict = judge(attempt.cassettes, disabled)
        # A rerun replaces what the attempt before it said.
        item.user_properties[:] = [one for one in item.user_properties if one[0] != PROPERTY]
        item.user_properties.append((PROPERTY, verdict.dump()))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather the verdicts; under xdist this runs on the controller."""
        if report.when == "teardown":
            self._summary.add(report.nodeid, dict(report.user_properties).get(PROPERTY))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show them."""
        self._summary.show(terminalreporter)
        if (warning := full(self._settings, self._config.rootpath)) is not None:
            terminalreporter.write_line(f"warning: {warning}", yellow=True)
