"""Hosts of providers, of credentials and of telemetry: by table, without a regular expression, as `fnmatch` would say."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_vcr.config import CREDENTIAL_HOSTS, PROVIDER_HOSTS, TELEMETRY_HOSTS
from llm_vcr.hosts import is_credential, is_provider, is_telemetry

SOME = st.text("ab.*?[]!", max_size=8)


@given(st.text("ab.\n", max_size=8), st.lists(SOME, max_size=3).map(tuple))
def test_patterns_mean_what_fnmatch_says(host: str, own: tuple[str, ...]) -> None:
    assert is_provider(host, own) == any(fnmatch.fnmatchcase(host, one) for one in own)


@pytest.mark.parametrize(
    ("table", "of"), [(PROVIDER_HOSTS, is_provider), (CREDENTIAL_HOSTS, is_credential), (TELEMETRY_HOSTS, is_telemetry)]
)
def test_every_entry_is_found_and_nothing_around_it(table: tuple[str, ...], of: object) -> None:
    assert callable(of)
    for pattern in table:
        host = pattern.replace("*", "eu-1")
        assert of(host.upper())
        assert not of(f"{host}.example.org") or pattern.endswith("*")
    assert not of("example.org")
