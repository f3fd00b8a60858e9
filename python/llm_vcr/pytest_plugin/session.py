"""A run with llm_vcr turned on: which tests get a cassette, under which policy, what may be stored, and what came of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llm_vcr import config as table
from llm_vcr.config import Settings
from llm_vcr.errors import ConfigError, StoreUnavailableError
from llm_vcr.pytest_plugin.summary import Summary
from llm_vcr.pytest_plugin.verdict import PROPERTY, judge

if TYPE_CHECKING:
    import vcr as vcrpy

    from llm_vcr.cassette import Cassette, Policy
    from llm_vcr.stores import Store

FULL = 0.85
"""From this used share of its memory on, a store is said to be nearly full."""

_AUTOMATIC = pytest.StashKey[bool]()
_OFF = pytest.StashKey[str]()


class Attempt:
    """One attempt at a test: a rerun is another one, and knows nothing of the first."""

    def __init__(self, item: pytest.Item) -> None:
        self.item = item
        self.cassettes: list[Cassette] = []
        self.fresh_start = False
        """``rewrite`` was asked for, by the marker or by ``vcr_config``."""
        self.phases: dict[str, str] = {}

    def why_not(self) -> str | None:
        """Why nothing of this attempt may be stored, or ``None``: its setup and its call must have passed."""
        for phase in ("setup", "call"):
            outcome = self.phases.get(phase)
            if outcome != "passed":
                return f"{phase} {outcome}" if outcome else f"no {phase}"
        return None


class Session:
    """The hooks that are only there when llm_vcr is on."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        """Settle the record mode, so that pytest-recording and ``--block-network`` see it too, and supply keys to SDKs."""
        self._config = config
        self._settings = settings
        self._attempt: Attempt | None = None
        self._summary = Summary(verbose=config.getoption("llm_vcr_verbose"))
        self._supplied: list[str] = []
        self._store: Store | None = None
        flag = config.getoption("record_mode")
        # Stronger than marker and `vcr_config`, which pytest-recording would let win.
        self._forced_mode: str | None = flag or (
            settings.record_mode if settings.sources.get("record_mode", "").startswith(("--", "LLM_VCR")) else None
        )
        self._mode: str = self._forced_mode or settings.record_mode or self._default_mode()
        # pytest-recording would delete the file before the test has shown that it can make a better one.
        self._fresh_start = self._mode == "rewrite"
        config.option.record_mode = "new_episodes" if self._fresh_start else self._mode
        self._store_notes: list[str] = []
        self._check_store()
        self._supply_keys()

    def _default_mode(self) -> str:
        # On CI, cassette files come with the checkout: a call that is not in them is a mistake, not a recording.
        return "none" if os.environ.get("CI") and self._settings.store.startswith("file") else "new_episodes"

    def _check_store(self) -> None:
        from llm_vcr.stores import open_store

        try:
            self._store = open_store(self._settings.store, self._settings, root=self._config.rootpath)
            if hasattr(self._store, "open"):
                # Before anything blocks sockets, and before the first call that would be paid for.
                self._store.open()
        except StoreUnavailableError as error:
            if self._settings.outage == "fail":
                raise pytest.UsageError(f"llm_vcr: {error} (llm_vcr_on_outage = fail)") from None
            self._store_notes.append(f"llm_vcr: warning: {error}")
        except ConfigError as error:
            raise pytest.UsageError(f"llm_vcr: {self._settings.sources.get('store', 'llm_vcr_store')}: {error}") from None

    def _check_room(self) -> None:
        try:
            used = self._store.capacity() if self._store is not None else None
        except StoreUnavailableError:
            return
        if used is not None and used >= FULL:
            self._store_notes.append(f"llm_vcr: warning: the store is {used:.0%} full: flush it (llm-vcr flush), or raise its maxmemory")

    def header(self) -> list[str]:
        """The line of the report header, and one more where another package takes our import name."""
        lines = [f"llm_vcr: {self._settings.mode}, record mode {self._mode}, store {table_store(self._settings)}"]
        self._check_room()
        lines += self._store_notes
        installed = {dist.metadata["Name"] for _, dist in self._config.pluginmanager.list_plugin_distinfo()}
        if "pytest-llm-vcr" in installed:
            lines.append("llm_vcr: the package pytest-llm-vcr installs the same import name: uninstall it, or llm-vcr-rs")
        return lines

    # --- keys

    def _supply_keys(self) -> None:
        """Let SDKs construct without a key, as a contributor's who only replays. A key in a ``.env`` file is left to be loaded."""
        if not self._settings.supply_keys:
            return
        dotenv = self._config.rootpath / ".env"
        loaded_later = dotenv.read_text("utf-8", "replace") if dotenv.is_file() else ""
        for name in table.SUPPLIED_KEYS:
            if name not in os.environ and name not in loaded_later:
                os.environ[name] = table.PLACEHOLDER_KEY
                self._supplied.append(name)

    @pytest.hookimpl
    def pytest_unconfigure(self) -> None:
        """Take the supplied keys away again, unless somebody has set others meanwhile."""
        for name in self._supplied:
            if os.environ.get(name) == table.PLACEHOLDER_KEY:
                del os.environ[name]
        self._supplied.clear()
        if self._store is not None and hasattr(self._store, "close"):
            self._store.close()

    # --- which tests

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark the tests that get a cassette, so that pytest-recording gives them one."""
        for item in items:
            if not isinstance(item, pytest.Function):
                continue
            off = self._marker(item).get("off")
            if off:
                item.stash[_OFF] = str(off)
                continue
            explicit = item.get_closest_marker("vcr") is not None
            if explicit:
                continue
            if item.get_closest_marker("llm_vcr") is not None or (self._settings.mode == "auto" and self._is_below_paths(item)):
                item.stash[_AUTOMATIC] = True
                item.add_marker(pytest.mark.vcr)

    def _is_below_paths(self, item: pytest.Item) -> bool:
        roots = [self._config.rootpath / one for one in self._settings.paths]
        return not roots or any(item.path == root or root in item.path.parents for root in roots)

    def _marker(self, item: pytest.Item) -> dict[str, Any]:
        """The arguments of all ``llm_vcr`` markers of a test, the nearest one last; checked, so that a misspelt one is no silent one."""
        merged: dict[str, Any] = {}
        for marker in reversed(list(item.iter_markers("llm_vcr"))):
            if marker.args:
                raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.llm_vcr takes keyword arguments only, got {marker.args!r}")
            merged.update(marker.kwargs)
        try:
            table.override(self._settings, "@pytest.mark.llm_vcr", **{name: value for name, value in merged.items() if name != "off"})
        except ConfigError as error:
            raise pytest.UsageError(f"{item.nodeid}: {error}") from None
        return merged

    # --- the cassette of a test

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """Begin an attempt."""
        self._attempt = Attempt(item)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        """Take ``rewrite`` out of marker and ``vcr_config`` before pytest-recording acts on it: it would delete the file first."""
        result = yield
        if fixturedef.argname not in ("vcr_config", "vcr_markers") or self._attempt is None:
            return result
        if fixturedef.argname == "vcr_config" and isinstance(result, dict) and result.get("record_mode") == "rewrite":
            replaced: Any = {**result, "record_mode": "new_episodes"}
        elif fixturedef.argname == "vcr_markers" and any(mark.kwargs.get("record_mode") == "rewrite" for mark in result):
            replaced = [_without_rewrite(mark) for mark in result]
        else:
            return result
        self._attempt.fresh_start = True
        if fixturedef.cached_result is not None:
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
        marker = {name: value for name, value in self._marker(item).items() if name != "off"}
        settings = table.override(self._settings, "@pytest.mark.llm_vcr", **marker)
        mode = settings.record_mode if "record_mode" in marker else self._forced_mode
        fresh_start = attempt.fresh_start or mode == "rewrite" or (self._fresh_start and mode is None)
        forced: dict[str, Any] = {}
        if mode is not None:
            forced["record_mode"] = "new_episodes" if mode == "rewrite" else mode
        if (name := _cassette_name(item, vcr, in_files=settings.store.startswith("file"))) is not None:
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
            providers_only=item.stash.get(_AUTOMATIC, False),
            fresh_start=fresh_start,
            on_open=attempt.cassettes.append,
        )

    # --- the outcome

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note how each phase ended. An expected failure is what the test is for, so it counts as passed."""
        report = yield
        attempt = self._attempt
        if attempt is not None and attempt.item is item and call.when != "teardown":
            expected = report.outcome == "skipped" and hasattr(report, "wasxfail")
            attempt.phases[report.when or ""] = "passed" if expected else report.outcome
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        """Close the gate of a test that did not pass before its cassette is saved, and give the verdict afterwards."""
        attempt = self._attempt
        if attempt is None or attempt.item is not item:
            return (yield)
        for cassette in attempt.cassettes:
            cassette.gate = attempt.why_not()
        try:
            return (yield)
        finally:
            self._attempt = None
            self._tell(attempt)

    def _tell(self, attempt: Attempt) -> None:
        item = attempt.item
        disabled = item.stash.get(_OFF, None)
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


def table_store(settings: Settings) -> str:
    """The store in the header, without a password."""
    from llm_vcr import _core

    return _core.redact_uri(settings.store)


def _without_rewrite(mark: pytest.Mark) -> pytest.Mark:
    if mark.kwargs.get("record_mode") != "rewrite":
        return mark
    decorated: pytest.MarkDecorator = getattr(pytest.mark, mark.name)(*mark.args, **{**mark.kwargs, "record_mode": "new_episodes"})
    return decorated.mark


def _cassette_name(item: pytest.Item, vcr: vcrpy.VCR, *, in_files: bool) -> str | None:
    """A name no other test has, where pytest-recording's own would be shared, or ``None`` where its own will do.

    pytest-recording writes ``[a/b]`` and ``[a:b]`` both as ``[a-b]``. A recording that is there under the old name is still used.
    """
    from pytest_recording.plugin import get_default_cassette_name

    if item.get_closest_marker("default_cassette") is not None:
        return None
    cls = getattr(item, "cls", None)
    plain = f"{cls.__name__}.{item.name}" if cls else item.name
    safe: str = get_default_cassette_name(cls, item.name)
    if safe == plain:
        return None
    own = f"{safe}-{hashlib.sha256(item.nodeid.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    if not in_files:
        return own
    folder = Path(vcr.cassette_library_dir or ".")
    suffixes = (".yaml", ".json")
    if not any((folder / f"{own}{suffix}").exists() for suffix in suffixes) and any(
        (folder / f"{safe}{suffix}").exists() for suffix in suffixes
    ):
        return None
    return own


__all__ = ["Attempt", "Session"]
