"""A suite written for llm-mock, unchanged: its marker, its context manager, its fixtures.

Opt in with ``-p llm_vcr.compat.llm_mock`` in pytest's ``addopts``, and uninstall llm-mock. Then ``@pytest.mark.llm_replay(...)`` works, and
``from llm_mock import llm_mock`` finds this module. What differs from llm-mock 1.0: every HTTP client is answered and not only httpx; what
is recorded goes through the filters and the gate (no secrets, 2xx only, nothing of a block that raises); fixtures are written in
`llm_vcr.json_layout`, with what was in them; ``match_on`` of the marker counts; and an answer recorded in a block is not played in it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from llm_vcr import config
from llm_vcr.errors import CassetteFileError, ConfigError

if TYPE_CHECKING:
    from llm_vcr.playback.cassette import Cassette
    from llm_vcr.playback.policy import Policy, Spending

DEFAULT_MATCH_ON = ("model", "messages", "temperature")

_MODES = {"replay": "none", "auto": "new_episodes", "record": "all"}

_PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}

_UNSAID: Mapping[str, Any] = {"temperature": 1.0}
"""What a request means that leaves a field out; any other field it leaves out counts as null."""

_HASH = "x-llm-mock-hash"
"""A header of a stored request: under which hash llm-mock had it, which may be of other fields than those asked for now."""

FixtureParseError = CassetteFileError

_running: list[pytest.Config] = []
"""The runs of pytest in this process, the innermost last."""


def __getattr__(name: str) -> Any:
    if name != "FixtureNotFoundError":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # What a call raises that no fixture answers. vcrpy is loaded when a test needs it, as everywhere.
    from vcr.errors import CannotOverwriteExistingCassetteException

    return CannotOverwriteExistingCassetteException


@contextlib.contextmanager
def llm_mock(
    mode: Literal["record", "replay", "auto"],
    fixture: str | os.PathLike[str],
    provider: Literal["anthropic", "openai", "all"] = "all",
    match_on: Sequence[str] = DEFAULT_MATCH_ON,
) -> Iterator[Cassette | None]:
    """Answer calls to LLM providers from the file ``fixture`` (``.json`` is added), and record into it unless ``mode`` is ``replay``.

    ``auto`` records what is not there, ``record`` every call anew. Requests are the same where the fields ``match_on`` of their JSON are.
    A ``provider`` other than ``all`` keeps calls to any other from being made. ``LLM_MOCK_DISABLED`` in the environment turns it off.

    Raises:
        ConfigError: for an unknown mode or provider.
        CassetteFileError: where there is a fixture that cannot be read.
    """
    for where, value, known in (("mode", mode, tuple(_MODES)), ("provider", provider, ("all", *_PATHS))):
        if value not in known:
            raise ConfigError(f"llm_mock({where}=…)", value, f"one of {', '.join(known)}{config.nearest(str(value), known)}")
    if os.environ.get("LLM_MOCK_DISABLED") or config.disabled():
        yield None
        return
    import vcr

    from llm_vcr.vcrpy_hooks import install

    policy = _policy(functools.partial(hash_of, match_on=tuple(match_on)))
    same = _Same(tuple(match_on), policy)
    policy = replace(policy, spending=_Only(provider, policy.spending), providers_only=True, answer_refusals=False)
    recorder = install(vcr.VCR(match_on=("method", "scheme", "host", "port", "path")), policy=policy)
    recorder.register_matcher("llm_mock", same)
    with recorder.use_cassette(
        str(_file(fixture)),
        persister=policy.persister,
        record_mode=policy.forced.get("record_mode", _MODES[mode]),
        match_on=("method", "scheme", "host", "port", "path", "llm_mock"),
    ) as cassette:
        yield cassette


def _file(fixture: str | os.PathLike[str]) -> Path:
    path = Path(fixture)
    return (path if path.suffix == ".json" else path.with_suffix(".json")).absolute()


def _policy(hash_: Callable[[Mapping[str, Any]], str]) -> Policy:
    """The policy of the run that is going on, or that of a script's own cassette."""
    from llm_vcr.compat.fixtures import Fixtures
    from llm_vcr.persister import Persister
    from llm_vcr.playback.policy import Policy

    root = _running[-1].rootpath if _running else Path.cwd()
    session = _running[-1].pluginmanager.get_plugin("llm_vcr_session") if _running else None
    if session is not None:
        ours: Policy = session.policy_inside(Fixtures(root, hash_))
    else:
        settings = config.read()
        ours = Policy(settings, Persister(Fixtures(root, hash_), settings=settings, root=root))
    # A fixture is what its author has committed: it is fresh until somebody records it anew.
    ours.persister.ttl = math.inf
    return ours


def hash_of(request: Mapping[str, Any], match_on: Sequence[str] = DEFAULT_MATCH_ON) -> str:
    """The hash by which llm-mock finds an interaction: of certain fields of its JSON."""
    key = {name: request.get(name, _UNSAID.get(name)) for name in match_on}
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class _Only:
    """Keeps calls from being made to providers that were not asked for; the others count as they would."""

    provider: str
    inner: Spending | None

    def reserve(self, request: Any) -> str | None:
        if self.provider != "all" and not str(request.path).endswith(_PATHS[self.provider]):
            return f"llm_mock(provider={self.provider!r}) is for calls to …{_PATHS[self.provider]}"
        return self.inner.reserve(request) if self.inner is not None else None

    def settle(self, request: Any, response: Mapping[str, Any]) -> None:
        if self.inner is not None:
            self.inner.settle(request, response)

    def around(self, request: Any) -> str | None:
        return self.inner.around(request) if self.inner is not None else None


class _Same:
    """Whether two requests are the same in the fields that count; bodies that are no JSON object, as a whole."""

    def __init__(self, match_on: tuple[str, ...], policy: Policy) -> None:
        self._match_on = match_on
        self._matchers = policy.filters.matchers
        self.__name__ = "llm_mock"

    def __call__(self, incoming: Any, recorded: Any) -> None:
        mine, theirs = self._hash(incoming), self._hash(recorded)
        if mine is None or theirs is None:
            self._matchers.body(incoming, recorded)
        # Media in what is stored may be small: then only the canonical form tells.
        elif mine not in (theirs, recorded.headers.get(_HASH)) and not self._matchers.same_members(incoming, recorded, self._match_on):
            raise AssertionError(str(self._matchers.why(incoming, recorded)))

    def _hash(self, request: Any) -> str | None:
        known: dict[tuple[str, ...], str | None] | None = getattr(request, "_llm_vcr_mock_hash", None)
        if known is None:
            known = request._llm_vcr_mock_hash = {}
        if self._match_on not in known:
            known[self._match_on] = hash_of(body, self._match_on) if isinstance(body := _document(request), dict) else None
        return known[self._match_on]


def _document(request: Any) -> Any:
    try:
        return json.loads(request.body or b"")
    except (ValueError, TypeError, RecursionError):
        return None


# --- the plugin

_MARKER = (
    "llm_replay(fixture, mode='replay', provider='all', match_on=('model', 'messages', 'temperature')): "
    "answer LLM calls from a fixture file, as llm-mock does."
)

_NAMES = ("llm_mock", "llm_mock.context_manager", "llm_mock.fixture_store")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer llm-mock's option, and its import name: conftests import it before pytest is configured."""
    present = sys.modules.get("llm_mock")
    if (present is not None and present.__name__ != __name__) or _is_installed():
        raise pytest.UsageError("llm_vcr.compat.llm_mock stands in for llm-mock, which is installed too: pip uninstall llm-mock")
    sys.modules.update(dict.fromkeys(_NAMES, sys.modules[__name__]))
    parser.addoption("--llm-mock-disabled", action="store_true", default=False, help="as LLM_MOCK_DISABLED=1: call the real provider")


def _is_installed() -> bool:
    from importlib.metadata import PackageNotFoundError, distribution

    with contextlib.suppress(PackageNotFoundError):
        return bool(distribution("llm-mock"))
    return False


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)
    _running.append(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Undo what would outlive the run."""
    if config in _running:
        _running.remove(config)
    if not _running:
        for name in _NAMES:
            if sys.modules.get(name) is sys.modules[__name__]:
                del sys.modules[name]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Run a marked test inside of `llm_mock`."""
    told = arguments(item)
    if told is None or item.config.getoption("--llm-mock-disabled"):
        return (yield)
    with llm_mock(**told):
        return (yield)


def arguments(item: pytest.Item) -> dict[str, Any] | None:
    """What the marker of a test says, for `llm_mock`; ``None`` where it has none.

    Raises:
        pytest.UsageError: naming the test and what is wrong.
    """
    marker = item.get_closest_marker("llm_replay")
    if marker is None:
        return None
    told = {"mode": "replay", **dict(zip(("fixture", "mode", "provider", "match_on"), marker.args, strict=False)), **marker.kwargs}
    unknown = told.keys() - {"fixture", "mode", "provider", "match_on"}
    if unknown or not told.get("fixture") or len(marker.args) > 4:
        expected = "fixture, mode, provider and match_on, of which fixture must be there"
        raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.llm_replay takes {expected}; it has {marker.args!r}, {marker.kwargs!r}")
    name = str(told["fixture"])
    # A bare name stands for a file beside the test; whatever looks like a path is one, from where pytest was started.
    told["fixture"] = name if "/" in name or "\\" in name else str(item.path.parent / "fixtures" / name)
    return told
