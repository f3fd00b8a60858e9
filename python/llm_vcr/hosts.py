"""Which hosts are LLM providers."""

from __future__ import annotations

import fnmatch
import functools
import re

from llm_vcr.config import PROVIDER_HOSTS


def is_provider(host: str, own: tuple[str, ...] = ()) -> bool:
    """Whether ``host`` is in the table of providers, or matches one of the patterns that the user has added."""
    return _pattern(own).fullmatch(host.lower()) is not None


@functools.cache
def _pattern(own: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(host) for host in (*PROVIDER_HOSTS, *own)))
