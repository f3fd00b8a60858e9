"""The pytest plugin: hooks only. What they need is imported when a run turns llm_vcr on; a run that does not pays for this file.

Who wins, strongest first: ``LLM_VCR_DISABLE``, ``@pytest.mark.llm_vcr``, the command line, the environment, ``@pytest.mark.vcr``, the
fixture ``vcr_config``, the ini file.
"""

from __future__ import annotations

import contextlib
from typing import Literal

import pytest

from llm_vcr.pytest_plugin.own_modules import as_written

with as_written():
    from llm_vcr import config as settings
    from llm_vcr.errors import ConfigError

_MARKERS = (
    "llm_vcr(off=None, **settings): give this test a cassette of llm_vcr, under settings of its own "
    "(media, ttl, ignore, mask, credential, status, record_mode …), or none, with the reason (off=...).",
    "cassette_ttl(seconds): how long what this test records is fresh, as in LiteLLM's suite; 0, less, and 'inf' are for ever.",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer each setting as an option and in the ini file."""
    group = parser.getgroup("llm_vcr", "LLM calls: recorded once, replayed for free")
    for row in settings.TABLE.values():
        kind: Literal["linelist", "string"] = "linelist" if row.many else "string"
        parser.addini(row.ini, row.help, type=kind)
        if row.name == "mode":
            group.addoption(row.flag, dest=row.ini, nargs="?", const="auto", default=None, help=row.help)
        else:
            group.addoption(row.flag, dest=row.ini, default=None, help=row.help)
    group.addoption(
        "--llm-vcr-verbose", action="store_true", default=False, help="the verdict of every test, beside PASSED and in the summary"
    )


_RIVALS = {
    "pytest-vcr": "it patches the same clients, and pytest-recording refuses to run beside it",
    "cassetter": "it replaces the vcrpy that we build on",
    "pytest-llm-vcr": "it installs the same import name as llm-vcr-rs",
}


# Before pytest-recording, which would stop the run with a traceback.
@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the settings, and register everything else only if they say so."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    try:
        _reject_unknown(config)
        chosen = settings.read(
            # As text, so that several may stand on one line as they do on the command line.
            ini={
                name: "\n".join(value) if row.many else value for name, row in settings.TABLE.items() if (value := config.getini(row.ini))
            },
            flags={name: value for name, row in settings.TABLE.items() if (value := config.getoption(row.ini, None)) is not None},
        )
    except ConfigError as error:
        raise pytest.UsageError(f"llm_vcr: {error}") from None
    if chosen.mode == "off" or settings.disabled():
        return
    installed = {dist.metadata["Name"].lower().replace("_", "-") for _, dist in config.pluginmanager.list_plugin_distinfo()}
    for rival, why in _RIVALS.items():
        if rival in installed:
            raise pytest.UsageError(
                f"llm_vcr = {chosen.mode}: it cannot run beside {rival}: {why}. Uninstall {rival}, or set llm_vcr = off"
            )
    if not config.pluginmanager.has_plugin("recording"):
        raise pytest.UsageError(
            f"llm_vcr = {chosen.mode}: it drives the plugin pytest-recording, which is not active (was it blocked with -p no:recording?)"
        )
    if config.getoption("llm_vcr_verbose"):
        config.option.verbose = max(getattr(config.option, "verbose", 0), 1)
    run = contextlib.ExitStack()
    run.enter_context(as_written())
    config.add_cleanup(run.close)
    from llm_vcr.pytest_plugin.session import Session

    config.pluginmanager.register(Session(config, chosen), "llm_vcr_session")


def _reject_unknown(config: pytest.Config) -> None:
    """A misspelt key in the ini file would otherwise be a setting that is silently not in force."""
    known = {row.ini for row in settings.TABLE.values()}
    # pytest 9.2 deprecates the public name and offers nothing else that tells which keys there are; pytest 8 has only that one.
    present = config._inicfg if hasattr(config, "_inicfg") else config.inicfg
    for key, value in present.items():
        if key.startswith("llm_vcr") and key not in known:
            nearest = settings.nearest(key, tuple(sorted(known)))
            raise ConfigError(key, getattr(value, "value", value), f"a known setting, one of {', '.join(sorted(known))}{nearest}")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say in one line what is in force."""
    session = config.pluginmanager.get_plugin("llm_vcr_session")
    return session.header() if session is not None else []
