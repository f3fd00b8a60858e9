"""vcrpy's request, with its body read once and cheap to copy: vcrpy copies each request three times and more."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import urlparse

from vcr.request import HeadersDict
from vcr.request import Request as VcrRequest

from llm_vcr import _core
from llm_vcr.errors import UnsupportedBodyError
from llm_vcr.matchers import Matchers
from llm_vcr.request import header, is_one_shot, read_body

# The same few again and again.
_parsed = functools.lru_cache(maxsize=256)(urlparse)


@functools.lru_cache(maxsize=256)
def _host(uri: str) -> str | None:
    return _parsed(uri).hostname


def _headers(headers: Any) -> HeadersDict:
    """Headers as vcrpy has them. Its own way looks each name of a mapping up again, which for those of httpx is a search."""
    # httpx's own mapping decodes each of the pairs that it keeps three times.
    raw = getattr(headers, "raw", None)
    if type(raw) is list and (store := _core.raw_header_store(raw)) is not None:
        return _kept(store)
    if isinstance(headers, Mapping) and not isinstance(headers, HeadersDict):
        store = {name.lower(): (name, value) for name, value in headers.items()}
        if len(store) == len(headers) and not any(isinstance(value, list | tuple) for _, value in store.values()):
            return _kept(store)
    return headers if isinstance(headers, HeadersDict) else HeadersDict(headers)


def _kept(store: dict[str, tuple[str, Any]]) -> HeadersDict:
    """Headers of vcrpy with what they keep: name in lower case, name, value. Its own way there is an update of nothing."""
    made: HeadersDict = HeadersDict.__new__(HeadersDict)
    made._store = store
    return made


class ComparableBody(bytes):
    """A body that compares itself as `matchers` would: in a plain `vcr.VCR` its ``raw_body`` matcher is where we are asked."""

    request: Request
    matchers: Matchers

    def __eq__(self, other: object) -> bool:
        """Whether the other body is the same one in canonical form, from a bearer of the same key."""
        if not isinstance(other, ComparableBody):
            return bytes(self) == other
        try:
            self.matchers.body(self.request, other.request)
            self.matchers.key(self.request, other.request)
        except AssertionError:
            return False
        return True

    def __ne__(self, other: object) -> bool:
        """The opposite of ``==``."""
        return not self == other

    # Equal bodies may differ in every byte, and nobody keeps bodies in a set.
    __hash__ = None  # type: ignore[assignment]

    def __deepcopy__(self, memo: object) -> ComparableBody:
        """Itself: bytes cannot change."""
        return self


class Request(VcrRequest):  # type: ignore[misc]  # vcrpy is not typed
    """A `vcr.request.Request` whose body is bytes (or ``None``) from the start, whatever the client handed over."""

    stored = False
    """It came out of a cassette, rather than from a client just now."""
    borrowed = False
    """It came out of a cassette that is only played from."""
    stale = False
    """It came out of a cassette, and is older than it may be."""
    key: str | None = None
    """Under which its store has it."""
    episode: object = None
    """What it is the request of, where it came out of a store."""
    record: object = None
    """All that its cassette had when it was loaded."""
    unsupported: str | None = None
    """Why the body could not be read. Such a request matches nothing and is not stored."""
    consumed = False
    """The body is a file that was at its end."""
    clean_answer: bytes | None = None
    """The body of its answer, where the request and its answer are known to hold no secret."""
    content_type: str | None = None
    """The type the client will announce, where it is not in the headers yet."""

    _body: Any
    """Bytes or ``None``; anything else only while `unsupported` says why."""

    role: str | None = None
    """Whose key it carries, where that is known already."""

    comparing: Matchers | None = None
    """By whose rules its body compares itself (`comparable`)."""

    drains = True
    """The body is read to its end, because vcrpy sends what it read."""

    def __init__(self, method: str, uri: str, body: object, headers: Any) -> None:
        """Read ``body`` to its end. One that cannot be read is left to vcrpy and marked `unsupported`."""
        headers = _headers(headers)
        if type(body) is bytes:  # httpx: nothing about it needs to be found out
            super().__init__(method, uri, body, headers)
            return
        left = body
        if self.drains and is_one_shot(body):
            # Whatever becomes of the chunks, they are still there to be sent.
            chunks: list[object] = list(cast(Iterable[object], body))
            left, body = chunks, iter(chunks)
        try:
            read = read_body(body, drain=self.drains)
        except UnsupportedBodyError as error:
            super().__init__(method, uri, None, headers)
            self._body = left if self.drains else None
            self.unsupported = str(error)
            return
        super().__init__(method, uri, None if body is None else read.data, headers)
        self.consumed = read.consumed
        self.content_type = read.content_type

    @classmethod
    def loaded(
        cls, method: str, uri: str, headers: Mapping[str, Any], body: bytes | None, store: Mapping[str, tuple[str, Any]] | None = None
    ) -> Request:
        """A stored request, from what a store holds: nothing about its body needs to be found out.

        ``store`` is what vcrpy's requests keep of the headers, where somebody has it already. The request gets one of its own.
        """
        made: Request = cls.__new__(cls)
        made.method, made.uri, made._body = method, uri, body
        made._was_file = made._was_iter = False
        own = _core.header_store(headers) if store is None else dict(store)
        made._headers = _kept({name.lower(): (name, values[0]) for name, values in headers.items()} if own is None else own)
        made.stored = True
        return made

    @classmethod
    def of(cls, request: Any) -> Request:
        """``request`` itself if it is one already, else a copy of it as one."""
        if isinstance(request, Request):
            return request
        body = getattr(request, "_body", None)
        # vcrpy keeps an iterator's chunks as a list, which by itself would be JSON.
        made = cls(request.method, request.uri, body if type(body) is bytes else request.body, dict(request.headers.items()))
        # vcrpy has read a file to its end before we see it; an empty one was consumed by whoever sent it before.
        made.consumed = made.consumed or (bool(getattr(request, "_was_file", False)) and not body)
        return made

    @property
    def uri(self) -> str:
        """Where it goes."""
        return self._uri

    @uri.setter
    def uri(self, uri: str) -> None:
        self._uri = uri
        self.parsed_uri = _parsed(uri)

    @property
    def host(self) -> str | None:
        """The name of the host it goes to."""
        return _host(self._uri)

    @property
    def body(self) -> Any:
        """The body; one that compares itself, where that was asked for."""
        plain = VcrRequest.body.fget(self)
        if self.comparing is None or not (plain is None or isinstance(plain, bytes)):
            return plain
        body = ComparableBody(plain or b"")
        body.request, body.matchers = self, self.comparing
        return body

    @body.setter
    def body(self, value: Any) -> None:
        self.unsupported = None
        if value is not None and type(value) is not bytes:
            try:
                value = read_body(value).data
            except UnsupportedBodyError as error:
                self.unsupported = str(error)
        self._body = value

    def comparable(self, matchers: Matchers) -> Request:
        """This request, with a body that compares itself by the rules of ``matchers``."""
        self.comparing = matchers
        return self

    def _to_dict(self) -> dict[str, Any]:
        return {**super()._to_dict(), "body": VcrRequest.body.fget(self)}

    @property
    def body_type(self) -> str | None:
        """The body's ``Content-Type``: what is announced, else what the client is about to announce."""
        return header(self.headers, "content-type") or self.content_type

    def __copy__(self) -> Request:
        """A copy that shares everything but what is remembered of it."""
        twin: Request = object.__new__(type(self))
        twin.__dict__.update({name: value for name, value in self.__dict__.items() if not name.startswith("_llm_vcr_")})
        return twin

    def __deepcopy__(self, memo: object) -> Request:
        """A copy that shares the body, which nobody can change, and has headers of its own."""
        twin = copy.copy(self)
        twin._headers = _kept(dict(self._headers._store))
        return twin

    def __str__(self) -> str:
        """As vcrpy writes it into logs and errors, without the secrets of the query."""
        return f"<Request ({self.method}) {_core.redact_uri(self.uri)}>"

    __repr__ = __str__

    @classmethod
    def _from_dict(cls, dct: dict[str, Any]) -> Request:
        return cls(**dct)


class AiohttpRequest(Request):
    """A request of aiohttp's: vcrpy's stub sends what the client handed over, not what was read here, so nothing may be used up."""

    drains = False
