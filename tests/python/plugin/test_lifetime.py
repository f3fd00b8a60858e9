"""LiteLLM's names for how long a recording is fresh."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from llm_vcr import ConfigError, config

from tests.python.plugin.conftest import Suite


def seconds_of(suite: Suite, name: str = "test_one") -> Any:
    return yaml.safe_load((suite.path / f"cassettes/test_it/{name}.yaml").read_text()).get("ttl_seconds")


@pytest.mark.parametrize(
    ("marker", "environment", "seconds"),
    [
        (None, "3600", 3600),
        (None, "0", None),
        (None, "-1", None),
        (None, "inf", None),
        ("60", "3600", 60),
        ("'60'", None, 60),
        ("0", "3600", None),
        ("-5", "3600", None),
        ("'inf'", "3600", None),
    ],
)
def test_litellms_names(
    suite: Suite, marker: str | None, environment: str | None, seconds: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if environment is not None:
        monkeypatch.setenv("CASSETTE_TTL_SECONDS", environment)
    line = f"@pytest.mark.cassette_ttl({marker})" if marker else "# no marker"
    suite.write(source=f"{line}\ndef test_one(): ask('one')\n")
    assert suite.run("--strict-markers").passed(1).live == 1
    assert seconds_of(suite) == seconds
    assert suite.run().passed(1).live == 0


def test_the_nearest_marker_counts_and_ours_is_stronger(suite: Suite) -> None:
    suite.write(
        source="""
        pytestmark = pytest.mark.cassette_ttl(100)

        def test_one(): ask("one")

        @pytest.mark.cassette_ttl(200)
        def test_two(): ask("two")

        @pytest.mark.llm_vcr(ttl="5m")
        def test_three(): ask("three")
    """
    )
    suite.run().passed(3)
    assert [seconds_of(suite, f"test_{name}") for name in ("one", "two", "three")] == [100, 200, 300]


@pytest.mark.parametrize("arguments", ["", "'1h'", "1, 2", "1.5"])
def test_a_marker_that_cannot_be(suite: Suite, arguments: str) -> None:
    suite.write(source=f"@pytest.mark.cassette_ttl({arguments})\ndef test_one(): ask('one')\n")
    run = suite.run()
    assert run.code == 4
    assert "test_one: @pytest.mark.cassette_ttl takes one whole number of seconds" in run.text
    assert run.live == 0


def test_the_environment_is_checked_and_ours_is_stronger() -> None:
    with pytest.raises(ConfigError, match=r"CASSETTE_TTL_SECONDS.*whole number of seconds"):
        config.read(env={"CASSETTE_TTL_SECONDS": "1h"})
    chosen = config.read(env={"CASSETTE_TTL_SECONDS": "0", "LLM_VCR_TTL": "1h"})
    assert (chosen.ttl, chosen.sources["ttl"]) == (3600, "LLM_VCR_TTL")
    assert config.read(env={"CASSETTE_TTL_SECONDS": "0"}, ini={"ttl": "1h"}).ttl == float("inf")
    # In our own names, 0 is no duration: only LiteLLM's mean "for ever" by it.
    with pytest.raises(ConfigError, match="a positive duration"):
        config.read(env={"LLM_VCR_TTL": "0", "CASSETTE_TTL_SECONDS": "5"})
