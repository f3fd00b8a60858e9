"""Recording over http.client, urllib3, requests and boto3 from several threads.

For every live call vcrpy takes all its patches off and puts them back (`vcr.patch.force_reset`). Threads that make their calls meanwhile
go to the network, unseen: three of four with eight threads. The patches are in the way of one thing only: a class whose methods look
itself up by its global name finds vcrpy's in its place. Of http.client that is ``HTTPSConnection.__init__``, which gets globals of its own
here; urllib3's and botocore's classes do no such thing. httplib2's do, so for them vcrpy goes on as before.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import threading
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

CLIENTS = ()
NEEDS = (
    "vcr.patch:force_reset",
    "vcr.patch:_HTTPSConnection",
    "vcr.stubs:VCRConnection.__init__",
    "vcr.stubs:VCRConnection.connect",
    "vcr.stubs:VCRConnection.getresponse",
    "vcr.stubs:VCRHTTPSConnection._baseclass",
)

_at_work = threading.local()


def patches() -> Iterator[tuple[object, str, object]]:
    """What is put in place of what."""
    from vcr import patch, stubs

    yield patch, "force_reset", functools.partial(_reset_where_needed, patch.force_reset)
    for name in ("__init__", "connect", "getresponse"):
        yield stubs.VCRConnection, name, _on_behalf_of(getattr(stubs.VCRConnection, name))
    yield stubs.VCRHTTPSConnection, "_baseclass", _self_contained(patch._HTTPSConnection)


def _on_behalf_of(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, with its connection noted for the time of the call: `force_reset` is not told whose it is."""

    @functools.wraps(method)
    def call(connection: Any, *arguments: Any, **keywords: Any) -> Any:
        before = getattr(_at_work, "base", None)
        _at_work.base = connection._baseclass
        try:
            return method(connection, *arguments, **keywords)
        finally:
            _at_work.base = before

    return call


@contextlib.contextmanager
def _reset_where_needed(reset: Callable[[], contextlib.AbstractContextManager[Any]]) -> Iterator[None]:
    base = getattr(_at_work, "base", None)
    if base is not None and base.__module__.partition(".")[0] == "httplib2":
        with reset():
            yield
    else:
        yield


def _self_contained(original: type[http.client.HTTPSConnection]) -> type[http.client.HTTPSConnection]:
    """The class, with an ``__init__`` that finds the class itself by the global name."""
    function: Any = original.__init__
    own: Any = FunctionType(
        function.__code__,
        {**function.__globals__, original.__name__: original},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    own.__kwdefaults__ = function.__kwdefaults__
    return type(original.__name__, (original,), {"__init__": own, "__module__": original.__module__})
