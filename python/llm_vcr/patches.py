"""What vcrpy patches while a cassette is open, without what patches nothing.

A third of a small cassette's time went into imports of libraries that are not installed, and into patches that others undo at once.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from typing import Any

from vcr import patch
from vcr.stubs import httpx_stubs

from llm_vcr.replacing import Change, replaced

_LIBRARIES = {"boto3": "botocore", "httplib2": "httplib2", "tornado": "tornado", "aiohttp": "aiohttp", "httpx": "httpx", "httpx2": "httpx2"}
"""The groups of vcrpy's patchers that begin with an import, and what they import."""

_ON_HTTPX = ("httpx_curl_cffi", "pyreqwest")
"""Transports of others for httpx, which vcrpy tries to import for each cassette."""

_TRANSPORTS = (
    ("HTTPTransport", "handle_request", "_HttpxHttpTransport_handle_request"),
    ("AsyncHTTPTransport", "handle_async_request", "_HttpxAsyncHttpTransport_handle_async_request"),
    ("WSGITransport", "handle_request", "_HttpxWsgiTransport_handle_request"),
    ("ASGITransport", "handle_async_request", "_HttpxAsgiTransport_handle_async_request"),
    ("MockTransport", "handle_request", "_HttpxMockTransport_handle_request"),
    ("MockTransport", "handle_async_request", "_HttpxMockTransport_handle_async_request"),
)
"""httpx's own transports, their methods, and the names under which vcrpy keeps these."""


def narrow(cassette: Any) -> None:
    """Let vcrpy patch for ``cassette`` what it would, with the same outcome, but nothing in vain."""
    skip = set(cassette.skip_patchers)
    skip |= {group for group, library in _LIBRARIES.items() if not _is_there(library)}
    if "urllib3" not in skip:
        # Both groups patch the same attributes of urllib3, and the later one of urllib3's own name stays.
        skip.add("requests")
        _import_before_patching("vcr.stubs.requests_stubs")
    if "httpx" not in skip and not any(_is_there(library) for library in _ON_HTTPX) and _knows_transports():
        skip.add("httpx")
        cassette.custom_patches = (*_httpx(cassette), *cassette.custom_patches)
    cassette.skip_patchers = tuple(sorted(skip))


def applied(cassette: Any) -> contextlib.AbstractContextManager[None]:
    """What vcrpy patches for ``cassette``, patched for the time of a ``with`` block."""
    return replaced(_Builder(cassette).build())


class _Builder(patch.CassettePatcherBuilder):  # type: ignore[misc]  # vcrpy is not typed
    """vcrpy's, which makes changes of ours where it would make patches of `unittest.mock`."""

    def _build_patcher(self, owner: Any, name: str, replacement: object) -> Change | None:
        if not hasattr(owner, name):
            return None
        return Change(owner, name, self._recursively_apply_get_cassette_subclass(replacement))

    def _tornado(self) -> Iterator[Change]:
        if _is_there("pycurl"):
            yield from super()._tornado()
            return
        # vcrpy's own looks for pycurl in vain, each time half a millisecond.
        from tornado.simple_httpclient import SimpleAsyncHTTPClient
        from vcr.stubs.tornado_stubs import vcr_fetch_impl

        yield Change(SimpleAsyncHTTPClient, "fetch_impl", vcr_fetch_impl(self._cassette, patch._SimpleAsyncHTTPClient_fetch_impl))


@functools.cache
def _import_before_patching(stubs: str) -> None:
    """Import stubs that derive from what is about to be patched: a stock cassette inside of ours would find no class to derive from."""
    with contextlib.suppress(ImportError):
        importlib.import_module(stubs)


def _is_there(library: str) -> bool:
    # What was imported meanwhile counts, from wherever it came: a client that is not patched would make calls that nobody counts.
    return library in sys.modules or _is_installed(library)


@functools.cache
def _is_installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


@functools.cache
def _knows_transports() -> bool:
    return all(hasattr(patch, original) for _, _, original in _TRANSPORTS)


def _httpx(cassette: Any) -> Iterator[tuple[object, str, object]]:
    """What vcrpy puts in place of httpx's own transports."""
    import httpx

    for transport, method, original in _TRANSPORTS:
        wrap = httpx_stubs.vcr_handle_request if method == "handle_request" else httpx_stubs.vcr_handle_async_request
        yield getattr(httpx, transport), method, wrap(cassette, getattr(patch, original), httpx)
