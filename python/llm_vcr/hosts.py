"""Which hosts are LLM providers, and which must never be in a cassette."""

from __future__ import annotations

import fnmatch
import functools
import re

from llm_vcr.config import CREDENTIAL_HOSTS, PROVIDER_HOSTS, TELEMETRY_HOSTS


@functools.lru_cache(maxsize=1024)
def is_provider(host: str, own: tuple[str, ...] = ()) -> bool:
    """Whether ``host`` is in the table of providers, or matches one of the patterns that the user has added."""
    return _pattern(PROVIDER_HOSTS + own).fullmatch(host.lower()) is not None


@functools.lru_cache(maxsize=1024)
def is_credential(host: str, own: tuple[str, ...] = ()) -> bool:
    """Whether credentials are exchanged with ``host``, by the table or one of the patterns that the user has added."""
    return _pattern(CREDENTIAL_HOSTS + own).fullmatch(host.lower()) is not None


@functools.lru_cache(maxsize=1024)
def is_telemetry(host: str, own: tuple[str, ...] = ()) -> bool:
    """Whether ``host`` gathers telemetry, by the table or one of the patterns that the user has added."""
    return _pattern(TELEMETRY_HOSTS + own).fullmatch(host.lower()) is not None


@functools.cache
def _pattern(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, patterns)))
