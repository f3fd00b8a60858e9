"""One episode as it would be recorded today: what a recording from elsewhere lacks, and what it should not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from llm_vcr import _core
from llm_vcr.exchange import content
from llm_vcr.exchange.content import body
from llm_vcr.filters import Filters
from llm_vcr.leaks import header_kind
from llm_vcr.matchers import KEY_HEADER
from llm_vcr.request import header, text
from llm_vcr.stores.base import Episode
from llm_vcr.vcr_request import Request


class Repair:
    """The repairs under certain settings: the same filters that a call goes through when it is recorded."""

    def __init__(self, filters: Filters) -> None:
        """Repair as ``filters`` would record."""
        self._filters = filters

    def episode(self, one: Episode) -> tuple[Episode, list[str]]:
        """The episode as it would be recorded, and what was done to it; the same object where there was nothing to do."""
        request, kept_response = self._request(one), self._response(one)
        done = list(dict.fromkeys([*self._request_changes(one, request), *self._response_changes(one, kept_response)]))
        return (replace(one, request=request, response=kept_response, key=None) if done else one), done

    def _request(self, one: Episode) -> dict[str, Any]:
        first = {
            name: values[0] if isinstance(values, list | tuple) and values else values for name, values in one.request["headers"].items()
        }
        incoming = Request(one.request["method"], one.request["uri"], one.request["body"], first)
        kept = self._filters.keep_request(self._filters.prepare(incoming))
        headers = {name: [value] for name, value in kept.headers.items()}
        if header(one.request["headers"], KEY_HEADER) is None:
            # With whose key it was made nobody can say any more: a stock cassette answers any.
            headers.pop(KEY_HEADER, None)
        return {"method": kept.method, "uri": kept.uri, "headers": headers, "body": kept._body}

    def _response(self, one: Episode) -> dict[str, Any]:
        if "status_code" in one.response:
            # The layout of old httpx cassettes: played as it is.
            return dict(one.response)
        return self._filters.keep_response(dict(one.response))[0]

    def _request_changes(self, one: Episode, kept: dict[str, Any]) -> Iterator[str]:
        before, after = one.request["body"] or b"", kept["body"] or b""
        media_type = header(one.request["headers"], "content-type")
        if kept["uri"] != one.request["uri"]:
            yield "secret"
        yield from _headers(one.request["headers"], kept["headers"])
        if before != after:
            clean = _core.redact(before)
            if clean is not before:
                yield "secret"
            if media_type is not None and _core.rewrite_multipart(clean, media_type)[0] != clean:
                yield "boundary"
            elif clean == before:
                yield "media"
            if len(after) < len(clean) // 2:
                yield "media"

    def _response_changes(self, one: Episode, kept: dict[str, Any]) -> Iterator[str]:
        before, after = content.headers(one.response), content.headers(kept)
        yield from _headers(before, after)
        if header(before, "content-encoding") is not None and header(after, "content-encoding") is None:
            yield "compressed answer"
        elif body(one.response) != body(kept):
            yield "media" if len(body(kept)) < len(body(one.response)) // 2 else "secret"


def _headers(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Of what kind the headers are that are gone."""
    for name, values in before.items():
        if name not in after:
            yield "secret" if header_kind(text(name), text(_first(values))) else "incidental header"


def _first(values: Any) -> Any:
    return values[0] if isinstance(values, list | tuple) and values else values
