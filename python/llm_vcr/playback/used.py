"""What the calls that a cassette saw have used, as their providers tell it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llm_vcr.exchange.content import NO_ANSWER, Used, used

if TYPE_CHECKING:
    from llm_vcr.playback.cassette import Cassette


def used_by(cassette: Cassette) -> Iterator[tuple[Used, int, int]]:
    """Of calls to providers: what each has used, and how many like it were live and replayed."""
    if (unanswered := cassette.counts.live - len(cassette.answers)) > 0:
        # It broke off, or its client did not wait: the provider may charge it all the same.
        yield NO_ANSWER, unanswered, 0
    is_provider = cassette.policy.filters.is_provider
    answered = [(request, response, 1, 0) for request, response in cassette.answers]
    answered += [(request, response, 0, times) for request, response, times in cassette.replayed()]
    for request, response, live, replayed in answered:
        if not is_provider(request) or request.unsupported:
            continue
        found = used(str(request.method), request.uri, request.headers, request._body, response)
        if found is not None:
            yield found, live, replayed
