"""What can be imported is what is promised, and importing it costs next to nothing."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
import subprocess
import sys

import llm_vcr
import pytest
from llm_vcr import errors

PROMISED = {
    "VCR": "(**overrides: 'Any') -> 'vcrpy.VCR'",
    "canonical_body": "(body: 'object', content_type: 'str | bytes | None' = None, *, mask_volatile: 'bool' = False) -> 'bytes'",
    "explain": "(a: 'object', b: 'object', content_type: 'str | bytes | None' = None) -> '_core.Mismatch'",
    "fingerprint": "(body: 'object', content_type: 'str | bytes | None' = None, *, mask_volatile: 'bool' = False) -> 'str'",
    "install": "(vcr: 'vcrpy.VCR', settings: 'Settings | None' = None, *, policy: 'Policy | None' = None) -> 'vcrpy.VCR'",
    "key_fingerprint": "(headers: 'Mapping[str, object]') -> 'str'",
    "materialize": "(body: 'object') -> 'bytes'",
    "open_store": "(url: 'str', settings: 'Settings | None' = None, *, root: 'str | os.PathLike[str] | None' = None) -> 'Store'",
    "rewrite_multipart": "(body: 'object', content_type: 'str | bytes') -> 'Rewritten'",
    "shrink_media": "(body: 'object', content_type: 'str | bytes | None' = None) -> 'bytes'",
    "vcr_config": "(**overrides: 'Any') -> 'dict[str, Any]'",
}
"""The functions of the design's table of public names, as they are called."""

CLASSES = {
    *("CassetteFileError", "ConfigError", "ConsumedBodyWarning", "LiveCallRefusedError", "LlmVcrError", "LlmVcrWarning"),
    *("NotSavedWarning", "ReportFileError", "SecretWarning", "StoreUnavailableError", "StoreWarning", "UnsupportedBodyError"),
    *("Mismatch", "Persister", "Rewritten"),
}


def test_all_is_exactly_what_can_be_imported() -> None:
    assert sorted(llm_vcr.__all__) == dir(llm_vcr)
    assert {*llm_vcr.__all__} == {*PROMISED, *CLASSES, "matchers"}
    for name in llm_vcr.__all__:
        assert getattr(llm_vcr, name) is not None
    code = "from llm_vcr import *; print(sorted(name for name in dir() if not name.startswith('__')))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.strip() == str(sorted(llm_vcr.__all__))


@pytest.mark.parametrize("name", PROMISED)
def test_a_function_is_called_as_promised(name: str) -> None:
    function = getattr(llm_vcr, name)
    assert str(inspect.signature(function)) == PROMISED[name]
    assert inspect.getdoc(function)


@pytest.mark.parametrize("name", sorted(CLASSES - {"Mismatch"}))  # what comes from Rust is documented in the stub
def test_a_class_is_documented(name: str) -> None:
    assert inspect.isclass(getattr(llm_vcr, name))
    assert inspect.getdoc(getattr(llm_vcr, name))


@pytest.mark.parametrize(("name", "registered"), [("body", "llm_body"), ("key", "llm_key"), ("request", "llm_request")])
def test_the_matchers_have_vcrpys_shape(name: str, registered: str) -> None:
    matcher = getattr(llm_vcr.matchers, name)
    assert matcher.__name__ == registered
    assert list(inspect.signature(matcher).parameters) == ["incoming", "recorded"]
    assert llm_vcr.VCR().matchers[registered].__name__ == registered


def test_what_there_is_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        llm_vcr.nothing  # noqa: B018 - asking is the test
    with pytest.raises(ImportError):
        from llm_vcr import nothing  # noqa: F401


HEAVY = ("vcr", "redis", "yaml", "httpx", "httpx2", "requests", "urllib3", "aiohttp", "pytest", "asyncio")


@pytest.mark.parametrize("statement", ["import llm_vcr", "import llm_vcr; llm_vcr.materialize(b''); llm_vcr.fingerprint(b'{}')"])
def test_importing_it_loads_nothing_heavy(statement: str) -> None:
    code = f"import sys; before = {{*sys.modules}}; {statement}; print(*({{*sys.modules}} - before))"
    told = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(told.stdout.split())
    assert "llm_vcr.errors" in loaded
    assert not [name for name in loaded if name.partition(".")[0] in HEAVY]


@pytest.mark.parametrize(
    "module", [one.name for one in pkgutil.walk_packages(llm_vcr.__path__, "llm_vcr.") if not one.name.endswith("__main__")]
)
def test_every_module_can_be_imported_alone(module: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", f"import {module}"], check=True, timeout=60)


def all_errors() -> list[BaseException]:
    return [
        llm_vcr.LlmVcrError("text"),
        llm_vcr.ConfigError("llm_vcr_ttl", -1, "a positive duration"),
        llm_vcr.UnsupportedBodyError("text"),
        llm_vcr.CassetteFileError("a.yaml", 3, "the file is empty"),
        llm_vcr.CassetteFileError("a.yaml", None, "the file is empty"),
        llm_vcr.LiveCallRefusedError("text"),
        llm_vcr.StoreUnavailableError("redis://localhost", "refused"),
        llm_vcr.ReportFileError("summary.json", "it is not JSON"),
        llm_vcr.StoreWarning("text"),
        llm_vcr.LlmVcrWarning("text"),
        llm_vcr.ConsumedBodyWarning("text"),
        llm_vcr.NotSavedWarning("text"),
        llm_vcr.SecretWarning("text"),
        llm_vcr.StoreUnavailableError("redis://h", "reason"),
        llm_vcr.StoreWarning("text"),
    ]


def test_every_error_is_there() -> None:
    defined = {name for name, one in vars(errors).items() if inspect.isclass(one) and one.__module__ == errors.__name__}
    assert defined == {type(one).__name__ for one in all_errors()} <= {*llm_vcr.__all__}


@pytest.mark.parametrize("error", all_errors(), ids=lambda error: type(error).__name__)
def test_an_error_survives_the_way_to_the_controller(error: BaseException) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error), copy.copy(error)):
        assert type(again) is type(error)
        assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))


def test_errors_are_caught_as_pythons_own() -> None:
    assert issubclass(llm_vcr.ConfigError, ValueError)
    assert issubclass(llm_vcr.UnsupportedBodyError, TypeError)
    assert issubclass(llm_vcr.LlmVcrWarning, UserWarning)
    assert str(llm_vcr.CassetteFileError("a.yaml", 3, "the file is empty")).startswith(
        "a.yaml, line 3: the file is empty. The file was left as it is"
    )


def test_the_rust_classes_know_where_they_live() -> None:
    core = importlib.import_module("llm_vcr._core")
    assert llm_vcr.Mismatch is core.Mismatch
    for name in ("Rules", "Mismatch"):
        assert getattr(core, name).__module__ == "llm_vcr._core"
    rules = core.Rules(ignore=["a"])
    assert copy.deepcopy(rules) is rules
    mismatch = llm_vcr.explain(b'{"a": 1}', b'{"a": 2}')
    assert (mismatch.cause, mismatch.path) == ("number", "a")
    with pytest.raises(AttributeError):
        mismatch.cause = "other"  # type: ignore[misc]
