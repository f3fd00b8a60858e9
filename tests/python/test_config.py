"""Settings: what cannot be is an error that names setting, value and what was expected; and who wins."""

from __future__ import annotations

import math
import re
from dataclasses import fields
from enum import Enum
from typing import Any

import llm_vcr
import pytest
from llm_vcr import ConfigError, config
from llm_vcr.config import TABLE, Settings, override, read
from vcr.record_mode import RecordMode


def test_every_row_is_a_field_and_every_field_a_row() -> None:
    assert [*TABLE] == [one.name for one in fields(Settings) if one.name != "sources"]
    for row in TABLE.values():
        assert re.fullmatch(r"llm_vcr(_[a-z_]+)?", row.ini)
        assert row.flag == "--" + row.ini.replace("_", "-")
        assert row.env == row.ini.upper()
        assert row.help
        default = getattr(Settings(), row.name)
        assert isinstance(default, tuple) == row.many
        if default not in (None, (), ""):
            assert row.read("here", default) == default, "a default that may not be written down"


BAD: list[tuple[str, object, str]] = [
    ("mode", "autp", r"one of auto, marked, off \(did you mean 'auto'\?\)"),
    ("record_mode", "newepisodes", "did you mean 'new_episodes'"),
    ("record_mode", None, "one of once, new_episodes, none, all, rewrite"),
    ("record_hosts", "some", "one of providers, all"),
    ("provider_hosts", ["https://api.x.ai"], "host names without scheme"),
    ("provider_hosts", ["api.x.ai/v1"], "host names without scheme"),
    ("provider_hosts", ["localhost:8080"], "without scheme, port"),
    ("provider_hosts", [""], "host names"),
    ("store", "", "a store"),
    ("store", "reddis://localhost", "did you mean 'redis'"),
    ("store", "redis://", "a URL with a host"),
    ("store", "redis:", "a URL with a host"),
    ("store", "redis://[::1", "a URL with a host"),
    ("store", "s3://bucket", "a store"),
    ("ttl", "0", "a positive duration"),
    ("ttl", -5, "a positive duration"),
    ("ttl", "-1h", "a positive duration"),
    ("ttl", "5 years", "a positive duration"),
    ("ttl", "nan", "a positive duration"),
    ("ttl", True, "a positive duration"),
    ("ttl", "", "a positive duration"),
    ("media", "drop", "one of shrink, keep"),
    ("ignore", ["a."], "JSON paths such as"),
    ("ignore", ["messages["], "JSON paths such as"),
    ("mask", ["("], "regular expressions"),
    ("mask", ["(?=ahead)"], "without look-around"),
    ("credential", "off", "one of role, strict, ignore"),
    ("supply_keys", "maybe", "true or false"),
    ("supply_keys", 2, "true or false"),
    ("status", ["2xx"], "HTTP status codes such as 401"),
    ("status", [99], "HTTP status codes"),
    ("status", [600], "HTTP status codes"),
    ("status", "401, nope", "HTTP status codes"),
]


@pytest.mark.parametrize(("name", "value", "expected"), BAD, ids=str)
def test_what_cannot_be_names_setting_value_and_expectation(name: str, value: object, expected: str) -> None:
    ways: list[tuple[Any, str]] = [
        (lambda: read(ini={name: value}, env={}), TABLE[name].ini),
        (lambda: read(flags={name: value}, env={}), TABLE[name].flag),
        (lambda: override(Settings(), "@pytest.mark.llm_vcr", **{name: value}), f"@pytest.mark.llm_vcr({name}=…)"),
    ]
    if isinstance(value, str) and value:
        ways.append((lambda: read(env={TABLE[name].env: value}), TABLE[name].env))
    for way, where in ways:
        with pytest.raises(ConfigError) as caught:
            way()
        assert caught.value.setting == where
        assert str(caught.value).startswith(f"{where} = {value!r}: expected ")
        assert re.search(expected, str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("mode", "true", "auto"),
        ("mode", "", "auto"),
        ("mode", True, "auto"),
        ("mode", "false", "off"),
        ("mode", False, "off"),
        ("record_mode", RecordMode.NEW_EPISODES, "new_episodes"),
        ("record_mode", "rewrite", "rewrite"),
        ("provider_hosts", "API.X.ai, *.internal", ("api.x.ai", "*.internal")),
        ("provider_hosts", ["::1", "127.0.0.1"], ("::1", "127.0.0.1")),
        ("store", "file", "file"),
        ("store", "file:tests/cassettes", "file:tests/cassettes"),
        ("ttl", "90m", 5400.0),
        ("ttl", " 1.5 h ", 5400.0),
        ("ttl", 60, 60.0),
        ("ttl", 0.5, 0.5),
        ("ttl", "7d", 604800.0),
        ("ttl", "2w", 1209600.0),
        ("ttl", "inf", math.inf),
        ("ttl", math.inf, math.inf),
        ("ttl", "Never", math.inf),
        ("ignore", "metadata.trace_id\nmessages[*].id", ("metadata.trace_id", "messages[*].id")),
        ("ignore", "a, b.c", ("a", "b.c")),
        ("mask", "run-[0-9]{1,3}", ("run-[0-9]{1,3}",)),
        ("mask", "a{1,3}\nb", ("a{1,3}", "b")),
        ("mask", ["a,b"], ("a,b",)),
        ("supply_keys", "No", False),
        ("supply_keys", 1, True),
        ("status", 401, (401,)),
        ("status", {401}, (401,)),
        ("status", "401,404", (401, 404)),
        ("status", "", ()),
        ("placeholder_keys", "a", ("a",)),
    ],
)
def test_what_may_be_written(name: str, value: object, expected: object) -> None:
    assert getattr(read(flags={name: value}, env={}), name) == expected
    assert getattr(override(Settings(), "here", **{name: value}), name) == expected


def test_the_flag_wins_over_the_environment_and_that_over_the_file() -> None:
    ini = {"media": "keep", "ttl": "1h", "status": ["401"]}
    env = {"LLM_VCR_TTL": "2h", "LLM_VCR_STATUS": "402", "LLM_VCR_MASK": ""}
    settings = read(ini=ini, env=env, flags={"status": "403"})
    assert (settings.media, settings.ttl, settings.status, settings.mask) == ("keep", 7200.0, (403,), ())
    assert settings.sources == {"media": "llm_vcr_media", "ttl": "LLM_VCR_TTL", "status": "--llm-vcr-status"}


def test_override_keeps_the_rest_and_says_where_from() -> None:
    first = read(ini={"media": "keep", "ttl": "1h"}, env={})
    second = override(first, "@pytest.mark.llm_vcr", ttl="2h")
    assert (first.ttl, second.ttl, second.media) == (3600.0, 7200.0, "keep")
    assert second.sources == {"media": "llm_vcr_media", "ttl": "@pytest.mark.llm_vcr"}
    assert {**vars(second), "sources": {}} == {**vars(Settings(media="keep", ttl=7200.0)), "sources": {}}


@pytest.mark.parametrize("name", ["LLM_VCR_MEDAI", "LLM_VCR_IGNORES", "LLM_VCR_RECORD_MODES", "LLM_VCR_TTLS", "LLM_VCR_MODE"])
def test_a_misspelt_name_in_the_environment_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}.*did you mean LLM_VCR"):
        read(env={name: "1"})


def test_other_names_in_the_environment_are_left_alone() -> None:
    names = ("LLM_VCR_DISABLE", "LLM_VCR_RECORD", "LLM_VCR_CASSETTE_DIR", "LLM_VCR_DEMO_URL", "VCR_MODE", "LLM_MEDIA")
    assert vars(read(env=dict.fromkeys(names, "1"))) == vars(Settings())


@pytest.mark.parametrize("name", ["medai", "trace", "sources"])
def test_an_unknown_name_is_an_error(name: str) -> None:
    ways: list[Any] = [
        lambda: read(ini={name: "1"}, env={}),
        lambda: override(Settings(), "@pytest.mark.llm_vcr", **{name: "1"}),
        lambda: config.lookup(name),
    ]
    for way in ways:
        with pytest.raises(ConfigError) as caught:
            way()
        assert name in str(caught.value)
        assert "media" in str(caught.value), "the known ones are named"


@pytest.mark.parametrize(
    "url", ["redis://:hunter2@", "redis://user:hunter2@[::1", "redsi://:hunter2@host:6379", "s3://user:hunter2@bucket/?api_key=hunter2"]
)
def test_no_password_in_an_error(url: str) -> None:
    for way in (lambda: read(env={"LLM_VCR_STORE": url}), lambda: llm_vcr.open_store(url)):
        with pytest.raises(ConfigError) as caught:
            way()
        assert "hunter2" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize(("value", "off"), [("1", True), ("yes", True), ("anything", True), ("", False), ("0", False), ("False", False)])
def test_the_switch_that_turns_everything_off(value: str, off: bool) -> None:
    assert config.disabled({"LLM_VCR_DISABLE": value}) is off
    assert config.disabled({}) is False


def test_a_python_enum_counts_by_its_value() -> None:
    class Mode(Enum):
        KEEP = "keep"

    assert override(Settings(), "here", media=Mode.KEEP).media == "keep"


def test_settings_through_the_public_functions() -> None:
    for function in (llm_vcr.VCR, llm_vcr.vcr_config):
        with pytest.raises(ConfigError, match=r"media=…\) = 'all': expected one of shrink, keep"):
            function(media="all")
    with pytest.raises(TypeError, match="no_such_keyword"):
        llm_vcr.VCR(no_such_keyword=1)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().media = "keep"  # type: ignore[misc]
