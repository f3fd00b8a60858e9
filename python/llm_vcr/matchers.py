"""Drop-in vcrpy matchers.

vcrpy calls them with the request being made first and the recorded one second; an ``AssertionError`` says no match, and its text why.

`body` and `key` decide what our own cassettes decide, pair by pair: what vcrpy cannot express is their order (exact before masked).
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from llm_vcr import _core
from llm_vcr.config import PLACEHOLDER_KEY, PROVIDER_KEYS, Settings
from llm_vcr.errors import ConfigError, UnsupportedBodyError
from llm_vcr.request import first, header, read_body, text

KEY_HEADER = "x-llm-vcr-key"
"""The header of a stored request that tells whose key it was made with: ``session``, or 16 hex digits."""

SESSION = "session"

FIELDS = {
    "model": ("model", "modelId"),
    "messages": ("messages", "input", "prompt", "contents", "content", "query", "documents", "message", "chat_history"),
    "system": ("system", "instructions", "systemInstruction", "system_instruction", "preamble"),
    "tools": ("tools", "tool_choice", "toolConfig", "tool_config", "functions", "function_call", "parallel_tool_calls"),
    "sampling": (
        *("temperature", "top_p", "top_k", "topP", "topK", "n", "seed", "stop", "stop_sequences", "stopSequences"),
        *("max_tokens", "max_completion_tokens", "max_output_tokens", "maxTokens", "presence_penalty", "frequency_penalty"),
        *("generationConfig", "generation_config", "inferenceConfig", "additionalModelRequestFields", "logit_bias", "logprobs"),
        *("response_format", "text", "reasoning", "reasoning_effort", "thinking", "size", "quality", "dimensions", "encoding_format"),
    ),
    "stream": ("stream", "stream_options"),
}
"""What the structured matcher looks at, by the names of its fields."""

_ABSENT: Final = object()

_CREDENTIALS = frozenset({*_core.CREDENTIAL_HEADERS, *(name.encode() for name in _core.CREDENTIAL_HEADERS)})

_BOUNDARIES = 4096
"""So many bytes the boundaries of a body may differ in length; else it is hashed."""

_Prints = tuple[_core.Rules, bytes, str | None, dict[bool, str]]
"""Fingerprints of a request, masked and not, under certain rules, of a certain body and type."""

RequestMatcher = Callable[[Any, Any], None]


class Matchers:
    """The matchers under certain settings. Immutable, so a deep copy is itself."""

    def __init__(self, settings: Settings | None = None) -> None:
        """Match under ``settings``, or under the defaults."""
        self.settings = settings or Settings()
        self.rules = _core.Rules(ignore=list(self.settings.ignore), mask=list(self.settings.mask))
        placeholders = {PLACEHOLDER_KEY, *self.settings.placeholder_keys}
        self._placeholder_prints = {_core.key_fingerprint([("authorization", key)], "") for key in placeholders}
        self.body = _named("llm_body", self._body)
        self.key = _named("llm_key", self._key)
        self.request = self.structured()

    def __deepcopy__(self, memo: object) -> Matchers:
        return self

    def structured(self, fields: Sequence[str] = tuple(FIELDS)) -> RequestMatcher:
        """The matcher ``llm_request`` that compares only these fields of a JSON body, and any other body as a whole.

        Raises:
            ConfigError: for a field that is not one of `FIELDS`.
        """
        unknown = [one for one in fields if one not in FIELDS]
        if unknown:
            raise ConfigError("structured(fields=…)", unknown[0], f"fields among {', '.join(FIELDS)}")
        members = frozenset(member for one in fields for member in FIELDS[one])
        return _named("llm_request", functools.partial(self._structured, members))

    def fingerprint(self, request: Any, *, masked: bool = False) -> str | None:
        """The fingerprint of a request's body, computed once for each request; ``None`` where the body cannot be read."""
        read = _body_of(request)
        if read is None:
            return None
        data, content_type = read
        cached: _Prints | None = getattr(request, "_llm_vcr_prints", None)
        if cached is None or cached[0] is not self.rules or cached[1] is not data or cached[2] != content_type:
            cached = (self.rules, data, content_type, {})
            _remember(request, "_llm_vcr_prints", cached)
        if masked not in cached[3]:
            cached[3][masked] = self.rules.fingerprint(data, content_type, mask_volatile=masked)
        return cached[3][masked]

    def same_bytes(self, request: Any, stored: Any) -> bool:
        """Whether a body is the stored one byte for byte, but for a boundary; if so its fingerprints are the same, whatever they are."""
        mine, theirs = _body_of(request), _body_of(stored)
        if mine is None or theirs is None:
            return False
        return mine == theirs or _same_parts(*mine, *theirs)

    def share(self, request: Any, known: Any) -> bool:
        """Let a request have the fingerprints of ``known``, if that has the very same body: comparing takes a tenth of hashing."""
        read = _body_of(request)
        if read is None or read != _body_of(known):
            return False
        self.fingerprint(known)
        prints: _Prints = known._llm_vcr_prints
        _remember(request, "_llm_vcr_prints", (self.rules, *read, prints[3]))
        return True

    def role(self, request: Any) -> str | None:
        """Whose key a request carries: ``session``, 16 hex digits, or ``None`` where a stored request does not tell."""
        told = getattr(request, "role", None) or header(request.headers, KEY_HEADER)
        if told is not None:
            return str(told)
        pairs, query = _credentials(request.headers), str(request.uri).partition("?")[2]
        print_ = _core.key_fingerprint(pairs, query) if pairs or query else _core.NO_KEY
        if print_ == _core.NO_KEY:
            return None
        strict = self.settings.credential == "strict"
        return SESSION if not strict and (print_ in self._placeholder_prints or print_ in _session_prints()) else print_

    def same_key(self, incoming: Any, recorded: Any) -> bool:
        """Whether the recorded answer may be given to the bearer of the incoming request's key."""
        if self.settings.credential == "ignore":
            return True
        there = self.role(recorded)
        return there is None or there == (self.role(incoming) or SESSION)

    def media_type(self, request: Any) -> str:
        """The media type that a body announces, in lower case and without parameters; empty where there is none."""
        return _media_type(request)

    def same_type(self, incoming: Any, recorded: Any) -> bool:
        """Whether two bodies announce the same media type, or one announces none (as aiohttp's recorded requests)."""
        here, there = _media_type(incoming), _media_type(recorded)
        return not here or not there or here == there

    def _body(self, incoming: Any, recorded: Any) -> None:
        mine, theirs = self.fingerprint(incoming), self.fingerprint(recorded)
        if mine is None or theirs is None:
            if incoming is recorded:
                return
            raise AssertionError(f"unsupported-body: {_unsupported(incoming) or _unsupported(recorded)}; it equals nothing but itself")
        if mine != theirs and self.fingerprint(incoming, masked=True) != self.fingerprint(recorded, masked=True):
            raise AssertionError(str(self.why(incoming, recorded)))
        if not self.same_type(incoming, recorded):
            raise AssertionError(f"content-type: {_media_type(incoming)} != {_media_type(recorded)} (recorded)")

    def why(self, incoming: Any, recorded: Any) -> _core.Mismatch:
        """Where two readable bodies part ways."""
        data, content_type = _body_of(incoming) or (b"", None)
        recorded_data, recorded_type = _body_of(recorded) or (b"", None)
        return self.rules.explain(data, _essential(content_type), recorded_data, _essential(recorded_type))

    def _key(self, incoming: Any, recorded: Any) -> None:
        if not self.same_key(incoming, recorded):
            raise AssertionError(
                f"credential: {self.role(incoming) or SESSION} != {self.role(recorded)} (recorded). "
                "The answer was recorded with another API key: use that key, list the key in llm_vcr_placeholder_keys, "
                "or set llm_vcr_credential = ignore"
            )

    def _structured(self, members: frozenset[str], incoming: Any, recorded: Any) -> None:
        mine, theirs = self._projected(incoming, members), self._projected(recorded, members)
        if mine is None or theirs is None:
            self._body(incoming, recorded)
        elif not any(mine(masked) == theirs(masked) for masked in (False, True)):
            raise AssertionError(str(self.why(incoming, recorded)))

    def same_members(self, incoming: Any, recorded: Any, members: Iterable[str]) -> bool:
        """Whether these members of two JSON objects are the same; of any other body, ``False``."""
        chosen = frozenset(members)
        mine, theirs = self._projected(incoming, chosen), self._projected(recorded, chosen)
        return mine is not None and theirs is not None and mine(False) == theirs(False)

    def _projected(self, request: Any, members: frozenset[str]) -> Callable[[bool], str] | None:
        """The fingerprint of the chosen members of a JSON object, or ``None`` for any other body."""
        read = _body_of(request)
        if read is None or not read[0].lstrip().startswith(b"{"):
            return None
        try:
            names = json.loads(read[0]).keys()
        except (ValueError, RecursionError):
            return None
        left_out = tuple(sorted(name for name in names if name not in members))
        rules = _without(left_out, self.settings.ignore, self.settings.mask)
        return lambda masked: rules.fingerprint(read[0], "application/json", mask_volatile=masked)


def _named(name: str, matcher: RequestMatcher) -> RequestMatcher:
    """A function of this name: vcrpy asks each matcher for its ``__name__``, and a method's cannot be set."""

    def call(incoming: Any, recorded: Any) -> None:
        matcher(incoming, recorded)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"The matcher ``{name}``: raises ``AssertionError`` where the recorded request is another one."
    return call


@functools.lru_cache(maxsize=256)
def _without(members: tuple[str, ...], ignore: tuple[str, ...], mask: tuple[str, ...]) -> _core.Rules:
    return _core.Rules(ignore=[*ignore, *(f"[{json.dumps(one, ensure_ascii=False)}]" for one in members)], mask=list(mask))


def _credentials(headers: Any) -> list[tuple[str, str]]:
    """The headers that carry a key; mostly one."""
    store = getattr(headers, "_store", None)
    if isinstance(store, dict):  # vcrpy's own headers, by their names in lower case
        if _CREDENTIALS.isdisjoint(store):
            return []
        return [(text(name), text(first(kept[1]))) for name, kept in store.items() if name in _CREDENTIALS]
    pairs = ((text(name).lower(), value) for name, value in headers.items())
    return [(name, text(first(value))) for name, value in pairs if name in _CREDENTIALS]


def _session_prints() -> frozenset[str]:
    return _prints_of(tuple(value for name in PROVIDER_KEYS if (value := os.environ.get(name))))


@functools.lru_cache(maxsize=8)
def _prints_of(keys: tuple[str, ...]) -> frozenset[str]:
    return frozenset(_core.key_fingerprint([("authorization", key)], "") for key in keys)


def _body_of(request: Any) -> tuple[bytes, str | None] | None:
    """A request's body and its type, read once; ``None`` where it is of a type nobody can read."""
    if getattr(request, "unsupported", None):
        return None
    body = getattr(request, "_body", _ABSENT)
    if body is _ABSENT:
        body = request.body
    content_type = header(request.headers, "content-type")
    if type(body) is bytes:
        return body, content_type or getattr(request, "content_type", None)
    cached = getattr(request, "_llm_vcr_read", None)
    if cached is None or cached[0] is not body:
        try:
            cached = (body, read_body(request.body))
        except UnsupportedBodyError:
            return None
        _remember(request, "_llm_vcr_read", cached)
    return cached[1].data, content_type or cached[1].content_type or getattr(request, "content_type", None)


def _same_parts(data: bytes, content_type: str | None, stored: bytes, stored_type: str | None) -> bool:
    """Whether two multipart bodies are the same once the first one's boundary is the fixed one, as it is in what is stored."""
    if not content_type or not stored_type or not content_type.startswith("multipart/") or not stored_type.startswith("multipart/"):
        return False
    # What was shrunk is far off; a boundary stands at the two ends and between the parts.
    if abs(len(data) - len(stored)) > _BOUNDARIES:
        return False
    rewritten, fixed, _ = _core.rewrite_multipart(data, content_type)
    return (rewritten, fixed) == (stored, stored_type)


def _unsupported(request: Any) -> str | None:
    told: str | None = getattr(request, "unsupported", None)
    return told


def _media_type(request: Any) -> str:
    read = _body_of(request)
    if read is None or not read[0]:
        return ""
    return (read[1] or "").partition(";")[0].strip().lower()


def _essential(content_type: str | None) -> str | None:
    """A type without its parameters, which do not count; a boundary is what a multipart cannot be read without."""
    if content_type is None or content_type.lower().startswith("multipart/"):
        return content_type
    return content_type.partition(";")[0]


def _remember(request: Any, name: str, value: object) -> None:
    try:
        setattr(request, name, value)
    except AttributeError:  # a request of somebody's own with fixed slots: computed again each time
        return


@functools.cache
def _default() -> Matchers:
    return Matchers()


def body(incoming: Any, recorded: Any) -> None:
    """Match by the canonical form of the body: boundaries, key order and white space do not count, uuids and times are masked."""
    _default().body(incoming, recorded)


def key(incoming: Any, recorded: Any) -> None:
    """Match by whose API key it is: the session's own, or a certain other one."""
    _default().key(incoming, recorded)


def request(incoming: Any, recorded: Any) -> None:
    """Match by model, messages, system prompt, tools, sampling parameters and stream flag of a JSON body."""
    _default().request(incoming, recorded)


for _function, _name in ((body, "llm_body"), (key, "llm_key"), (request, "llm_request")):
    _function.__name__ = _name
