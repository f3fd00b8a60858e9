"""Bodies without a length, which urllib.request sends in chunks.

vcrpy sends them whole, and still under the header that announces chunks: the server waits for a chunk until somebody gives up. Here the
header goes where http.client was asked to make the chunks; it then says how long the whole is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

CLIENTS = ()
NEEDS = ("vcr.stubs:VCRConnection.request",)


def patches() -> Iterator[tuple[object, str, object]]:
    """What is put in place of what."""
    from vcr import stubs

    yield stubs.VCRConnection, "request", _sent_whole(stubs.VCRConnection.request)


def _sent_whole(request: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(request)
    def call(
        connection: Any,
        method: str,
        url: str,
        body: object = None,
        headers: Mapping[Any, Any] | None = None,
        *arguments: Any,
        encode_chunked: bool = False,
        **keywords: Any,
    ) -> Any:
        if encode_chunked and headers:
            headers = {name: value for name, value in headers.items() if str(name).lower() != "transfer-encoding"}
        return request(connection, method, url, body, headers, *arguments, **keywords)

    return call
