"""Redirects: each is an episode of its own, and worth keeping only with the answer it leads to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urljoin

from llm_vcr.content import status_code
from llm_vcr.request import header

MAX_HOPS = 20
"""So many redirects lead on, as browsers have it: vcrpy follows those of aiohttp itself, and would go on for ever."""


def target(request: Any, response: Any) -> str | None:
    """Where a redirect leads, or ``None`` for any other answer."""
    code = status_code(response)
    if code is None or not 300 <= code < 400:
        return None
    location = header(response.get("headers"), "location")
    if not location:
        return None
    try:
        return without_fragment(urljoin(request.uri, location))
    except ValueError:  # half an IPv6 address
        return location


def dangling(episodes: Sequence[tuple[Any, Any]], start: int) -> list[int]:
    """The numbers, from ``start`` on, of the redirects that lead, over others or not, to no answer among ``episodes``."""
    if all(target(*episode) is None for episode in episodes[start:]):
        return []
    targets = [target(*episode) for episode in episodes]
    uris = [without_fragment(request.uri) for request, _ in episodes]
    leads = {uri for uri, to in zip(uris, targets, strict=True) if to is None}
    while more := {uri for uri, to in zip(uris, targets, strict=True) if to in leads and uri not in leads}:
        leads |= more
    return [number for number in range(start, len(episodes)) if not leads.issuperset({targets[number]} - {None})]


def without_fragment(uri: str) -> str:
    """What of a URI is sent (RFC 9110, section 4.2.5)."""
    return uri.partition("#")[0]
