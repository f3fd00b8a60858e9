"""What is done to a request and an answer before they are compared or kept.

`Filters.before_record_request` and its three siblings are vcrpy hooks, for a `vcr.VCR` that knows nothing of us. vcrpy runs the first
three times a request and again on each stored episode; so it is idempotent, and inert on what is stored. Our own cassette calls
`prepare`, `keep_request`, `refusal` and `keep_response` instead, each when its time has come.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from typing import Any

from llm_vcr import _core
from llm_vcr.config import MEDIA_MIN, Settings
from llm_vcr.encoding import decoded
from llm_vcr.exchange.content import headers as headers_of
from llm_vcr.exchange.content import status_code
from llm_vcr.hosts import is_credential, is_provider
from llm_vcr.matchers import KEY_HEADER, SESSION, Matchers
from llm_vcr.request import header, text
from llm_vcr.vcr_request import Request

# The same few again and again.
_redacted = functools.lru_cache(maxsize=256)(_core.redact_uri)


class StoredResponse(dict[str, Any]):
    """A response that came out of a cassette: to be played as it is."""


class Filters:
    """The filters under certain settings. Immutable, so a deep copy is itself (pytest-recording copies its configuration deeply)."""

    def __init__(self, settings: Settings | None = None, matchers: Matchers | None = None) -> None:
        """Filter under ``settings``; ``matchers`` are theirs, made here if not given."""
        self.settings = settings or Settings()
        self.matchers = matchers or Matchers(self.settings)

    def __deepcopy__(self, memo: object) -> Filters:
        """Itself."""
        return self

    # --- what our cassette calls

    def prepare(self, request: Any) -> Request:
        """The request as it is compared and kept: key fingerprinted, secrets out, boundary fixed. One from a cassette stays as it is."""
        ours: Request = copy.deepcopy(Request.of(request))
        if ours.stored:
            return ours
        role = self.matchers.role(ours) or SESSION
        for name in [name for name in ours.headers if _core.is_secret_header(text(name))]:
            del ours.headers[name]
        if self.settings.credential != "ignore":
            ours.headers[KEY_HEADER] = role
        ours.method = text(ours.method).upper()
        ours.uri = _core.redact_uri(ours.uri)
        for name, values in clean_values({name: [value] for name, value in ours.headers.items()}).items():
            ours.headers[name] = values[0]
        if ours.unsupported is None and ours._body:
            self._clean_body(ours)
        return ours

    def probe(self, request: Any) -> Request:
        """The request as far as a look at the stored ones needs it: nothing of its body or headers is searched for secrets."""
        ours: Request = Request.of(request).__copy__()
        if not ours.stored:
            ours.role = self.matchers.role(ours) or SESSION
            ours.method = text(ours.method).upper()
            uri = _redacted(ours.uri)
            if uri != ours.uri:
                ours.uri = uri
        return ours

    def keep_request(self, prepared: Request) -> Request:
        """The prepared request as it is stored: its media as a small file that tells type, length and SHA-256 of the full one."""
        if prepared.stored or prepared.unsupported or self.settings.media == "keep" or not prepared._body:
            return prepared
        small = self.matchers.rules.shrink_request(prepared._body, prepared.body_type, MEDIA_MIN)
        if small is prepared._body:
            return prepared
        kept: Request = copy.deepcopy(prepared)
        _set_body(kept, small)
        return kept

    def refusal(self, response: Any) -> str | None:
        """Why an answer is not kept, or ``None`` for one that is: 2xx, a redirect (for now), and what `Settings.status` adds."""
        code = status_code(response)
        if code is None or 200 <= code < 400 or code in self.settings.status:
            return None
        return f"status {code}"

    def as_played(self, response: dict[str, Any]) -> dict[str, Any]:
        """The answer as a client sees it on replay, and so while recording: decoded, without what identifies a run or an account."""
        kept = decoded(response)
        headers = {name: values for name, values in headers_of(kept).items() if not _core.is_incidental_header(text(name))}
        return {**kept, "headers": headers}

    def keep_response(self, response: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """The answer as it is stored: `as_played`, without secrets, its media as a small file (told beside it)."""
        shrunk = False
        kept = self.as_played(response)
        kept["headers"] = headers = {**kept["headers"], **clean_values(kept["headers"])}
        body = kept.get("body") or {}
        data = body.get("string")
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogatepass")
        if isinstance(data, bytes) and data:
            clean = _core.redact_keys(data)
            if self.settings.media == "shrink":
                # With its digest: a test that sends back the image it was given sends the small one on replay, and that must match.
                small = _core.shrink(clean, header(headers, "content-type"), MEDIA_MIN, digest=True)
                shrunk, clean = small is not clean, small
            if clean is not body["string"]:
                kept["body"] = {**body, "string": clean}
                for name in [name for name in headers if text(name).lower() == "content-length"]:
                    headers[name] = [str(len(clean))]
        return kept, shrunk

    def is_provider(self, request: Any) -> bool:
        """Whether a request goes to an LLM provider, by the table of hosts and the settings' own."""
        return is_provider(request.host or "", self.settings.provider_hosts)

    def is_credential(self, request: Any) -> bool:
        """Whether a request exchanges credentials: such a one is in no cassette."""
        return is_credential(request.host or "", self.settings.credential_hosts)

    # --- vcrpy's hooks

    def before_record_request(self, request: Any) -> Request:
        """`prepare` and `keep_request`, for vcrpy."""
        return self.keep_request(self.prepare(request))

    def before_record_response(self, response: Any) -> Any:
        """`keep_response`, for vcrpy. It never drops one: at load that would delete a stored episode."""
        return response if isinstance(response, StoredResponse) or not isinstance(response, dict) else self.keep_response(response)[0]

    def after_load_interaction(self, request: Any, response: Any) -> tuple[Request, Any]:
        """Mark what comes out of a cassette, so that the filters leave it alone."""
        ours = Request.of(request)
        ours.stored = True
        return ours, StoredResponse(response) if isinstance(response, dict) else response

    def before_save_interaction(self, request: Any, response: Any) -> tuple[Any, Any] | None:
        """Keep what was stored before and the answers worth keeping; nobody can read an unsupported body back."""
        if isinstance(response, StoredResponse):
            return request, dict(response)
        if getattr(request, "unsupported", None) or self.refusal(response):
            return None
        return request, response

    def _clean_body(self, request: Request) -> None:
        """Secrets out of a body, and its boundary fixed."""
        body = _core.redact(request._body)
        content_type = request.body_type
        if content_type is not None:
            body, fixed, _ = _core.rewrite_multipart(body, content_type)
            if fixed != header(request.headers, "content-type"):
                _set_header(request, "Content-Type", fixed)
                request.content_type = fixed
        _set_body(request, body)


def _set_body(request: Request, body: bytes) -> None:
    if body is not request._body:
        request.body = body
        if "content-length" in request.headers:
            request.headers["content-length"] = str(len(body))


def _set_header(request: Request, name: str, value: str) -> None:
    """Replace a header where it stands; one that is only announced (aiohttp) is written down, so that the stored body can be read."""
    request.headers[name] = value


_URI_HEADERS = ("location", "content-location", "referer")


def clean_values(headers: Mapping[str, Any]) -> dict[str, Any]:
    """The headers whose values hold a secret, without it; mostly none."""
    flat = {name: values if isinstance(values, list | tuple) else [values] for name, values in headers.items()}
    # One look at all of them, because there is nearly never anything to be found.
    everything = "\n".join(text(value) for values in flat.values() for value in values).encode("utf-8", "surrogatepass")
    if _core.redact(everything) is everything and not any(text(name).lower() in _URI_HEADERS for name in flat):
        return {}
    clean = {name: [_clean_value(text(name), text(value)) for value in values] for name, values in flat.items()}
    return {name: values for name, values in clean.items() if values != [text(value) for value in flat[name]]}


def _clean_value(name: str, value: str) -> str:
    if name.lower() in _URI_HEADERS:
        value = _core.redact_uri(value)
    return _core.redact(value.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
