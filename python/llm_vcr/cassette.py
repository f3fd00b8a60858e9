"""Our cassette: vcrpy's, with an index instead of a scan, answers in recorded order, exact counts, and a gate before the store.

What differs from vcrpy's own, and why: an answer recorded a moment ago is never played in the same run (a 500 would answer its own
retry); repeats come only from what was loaded; what is not worth keeping is sorted out when it is appended, not by a filter that
would also delete stored episodes at load.
"""

from __future__ import annotations

import copy
import functools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import urljoin

from vcr import matchers as vcr_matchers
from vcr.cassette import Cassette as VcrCassette
from vcr.cassette import _run_hooks
from vcr.errors import UnhandledHTTPRequestError
from vcr.matchers import _evaluate_matcher, _normalized_path, _normalized_uri
from vcr.persisters.filesystem import CassetteNotFoundError
from vcr.record_mode import RecordMode

from llm_vcr import patches
from llm_vcr.config import Settings, override
from llm_vcr.filters import Filters, status_code
from llm_vcr.miss import Miss, explain_miss
from llm_vcr.persister import Persister
from llm_vcr.request import header, text
from llm_vcr.vcr_request import Request

MISSES = 20
"""So many misses of a cassette are explained; the others are counted."""


@dataclass
class Counts:
    """What happened at a cassette. Every call of a client is counted in exactly one of the first four."""

    played: int = 0
    """Answered by an episode that had not been played yet."""
    repeated: int = 0
    """Answered by an episode that had been played before."""
    live: int = 0
    """Sent to the provider."""
    refused: int = 0
    """Neither in the cassette nor allowed to be recorded."""
    masked: int = 0
    """Of the played and repeated: only equal when volatile tokens are masked."""
    recorded: int = 0
    """Of the live: their answer is kept in the cassette."""
    shrunk: int = 0
    """Bodies kept with small media in place of the full ones."""


class Spending(Protocol):
    """Whoever counts the calls that cost money."""

    def reserve(self, request: Request) -> str | None:
        """Asked before a call is made: why it must not be, or ``None``, and then it counts as made."""

    def settle(self, request: Request) -> None:
        """Told when the answer to a reserved call has come."""


@dataclass(frozen=True)
class Policy:
    """How a cassette behaves beyond what vcrpy's configuration can say."""

    settings: Settings
    persister: Persister
    forced: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of ``use_cassette`` that win over the user's."""
    providers_only: bool = False
    """Only calls to LLM providers are the cassette's business (automatic marking)."""
    fresh_start: bool = False
    """Record everything anew, and replace what was there only if the recording is kept."""
    on_open: Callable[[Cassette], None] | None = None
    """Called with each cassette that was opened."""
    spending: Spending | None = None
    """Asked before each call goes live."""
    answer_refusals: bool = False
    """A provider's client is given an answer that says why its call was refused, so that it does not retry. (vcrpy raises an exception,
    of which SDKs make a "Connection error" after three tries.)"""

    @functools.cached_property
    def filters(self) -> Filters:
        """The filters under these settings."""
        return Filters(self.settings)

    def under(self, where: str, values: Mapping[str, Any]) -> Policy:
        """The same policy with other settings, except where a stronger source (marker, flag or environment) has set them.

        Raises:
            ConfigError: for a value that cannot be, naming ``where``.
        """
        weak = {name: value for name, value in values.items() if not self.settings.sources.get(name, "").startswith(("--", "LLM_VCR", "@"))}
        return replace(self, settings=override(self.settings, where, **weak)) if weak else self


class Cassette(VcrCassette):  # type: ignore[misc]  # vcrpy is not typed
    """A `vcr.cassette.Cassette` under a `Policy`."""

    def __init__(self, *, policy: Policy, allow_playback_repeats: bool = True, **arguments: Any) -> None:
        """Make an empty cassette under ``policy``; `load` makes and loads one."""
        # vcrpy's own replay loop would also repeat what was recorded a moment ago; ours does not use it.
        super().__init__(allow_playback_repeats=False, **arguments)
        self.policy = policy
        self.counts = Counts()
        self.refused_to_keep: list[str] = []
        """Why answers are not in the cassette, one word or sentence each."""
        self.notes: list[str] = []
        """What a user should know of this cassette."""
        if not self._compares_bodies():
            self.notes.append("match_on has no body: a changed prompt would be given the recorded answer (add 'llm_body')")
        self.gate: str | None = None
        """Why nothing of this cassette may be stored, or ``None`` while it may (the outcome of its test)."""
        self.saved = False
        self.stale = False
        """Its episodes are older than they may be, and played nevertheless, as nothing may be recorded."""
        self.overflow = False
        """The store had no room for what was recorded."""
        self.misses: list[Miss] = []
        """The calls that no episode answered, the first `MISSES` of them explained."""
        self._repeats = allow_playback_repeats
        self._lock = threading.RLock()
        self._index = _Index(self._match_on, policy.filters)
        self._reserved: set[int] = set()
        self._refusals: list[str] = []
        self._user_filter = self._before_record_request

    def _compares_bodies(self) -> bool:
        matchers = self.policy.filters.matchers
        known = (matchers.body, matchers.request, vcr_matchers.body, vcr_matchers.raw_body)
        # A matcher of the user's own may well look at the body: only vcrpy's and ours are known not to.
        return any(one in known or (one not in _KEYS and one not in (matchers.key, vcr_matchers.headers)) for one in self._match_on)

    def why_not_kept(self) -> list[str]:
        """Why calls were made, or refused, without their answer being stored."""
        reasons = list(self.refused_to_keep)
        if self.counts.recorded and self.gate is not None:
            reasons.append(self.gate)
        return reasons + [f"refused: not in the cassette, and {why}" for why in self._refusals]

    # --- loading

    @classmethod
    def load(cls, **arguments: Any) -> Cassette:
        """See `vcr.cassette.Cassette.load`."""
        made: Cassette = super().load(**arguments)
        patches.narrow(made)
        if made.policy.on_open is not None:
            made.policy.on_open(made)
        return made

    def _load(self) -> None:
        """As vcrpy's, but nothing that is stored is ever dropped: filters see what they would see, and cannot delete it."""
        if self.policy.fresh_start:
            return
        try:
            requests, responses, *metadata = self._persister.load_cassette(self._path, serializer=self._serializer)
        except CassetteNotFoundError:
            return
        self.stale = getattr(self._persister, "is_stale", lambda _: False)(self._path)
        if self.stale and self.record_mode != RecordMode.NONE:
            return
        for request, response in zip(requests, responses, strict=False):
            kept = _run_hooks(self._after_load_interaction, request, response, self)
            if kept is None:
                continue
            stored = Request.of(kept[0])
            stored.stored = True
            self._old_interactions.append((stored, kept[1]))
            self.data.append((self._filtered(stored) or stored, self._before_record_response(copy.copy(kept[1])) or kept[1]))
        self._loaded_count = len(self.data)
        self.rewound = True
        self._metadata = metadata[0] if metadata else {}

    # --- what the client asks

    def filter_request(self, request: Any) -> Request | None:
        """The request as it is compared and kept, or ``None`` for one that is none of the cassette's business. Computed once."""
        seen = (request._body if hasattr(request, "_body") else None, request.uri, request.method, tuple(request.headers.items()))
        cached = getattr(request, "_llm_vcr_prepared", None)
        if cached is not None and cached[0] is self and cached[1][0] is seen[0] and cached[1][1:] == seen[1:]:
            prepared: Request | None = cached[2]
            return prepared
        if self.policy.providers_only and self.policy.settings.record_hosts == "providers" and not self.policy.filters.is_provider(request):
            prepared = None
        else:
            prepared = self._filtered(self.policy.filters.prepare(request))
        request._llm_vcr_prepared = (self, seen, prepared)
        return prepared

    def _filtered(self, request: Request) -> Request | None:
        """A prepared request after the user's own filters."""
        filtered = self._user_filter(request)
        return None if filtered is None else Request.of(filtered)

    def can_play_response_for(self, request: Any) -> bool:
        """Whether the cassette has the answer. If so it is this request's from now on, whoever asks meanwhile."""
        prepared = self.filter_request(request)
        if prepared is None:
            return False
        with self._lock:
            if getattr(request, "_llm_vcr_turn", None) is not None:
                return True
            turn = self._find(prepared)
            if turn is not None:
                self._reserved.add(turn.index)
                request._llm_vcr_turn = turn
                return True
            # For a redirect, vcrpy's aiohttp stub asks about stored requests in turn: no client made those.
            if getattr(request, "_llm_vcr_counted", getattr(request, "stored", False)):
                return False
            request._llm_vcr_counted = True
            refused = self._missed(prepared)
            answers = self.policy.answer_refusals and self.policy.filters.is_provider(request)
            if refused is None or (self.write_protected and not answers):
                return False
            request._llm_vcr_turn = _Refusal(refusal_answer(refused))
            return True

    def _missed(self, prepared: Request) -> str | None:
        """Count a call without an episode, and explain it; the explanation if it must not be made, ``None`` if it may."""
        why = None
        if self.write_protected:
            why = f"record mode {self.record_mode.value} records nothing"
        elif self.policy.spending is not None:
            why = self.policy.spending.reserve(prepared)
        if why is None:
            self.counts.live += 1
        else:
            self.counts.refused += 1
            self._refusals.append(why)
        if len(self.misses) >= MISSES:
            return why
        loaded = self.data[: self._loaded_count]
        self.misses.append(explain_miss(prepared, loaded, self._reserved, self.policy.filters.matchers, why or ""))
        return why and "\n".join(self.misses[-1].lines())

    def play_response(self, request: Any) -> Any:
        """The answer that `can_play_response_for` promised this request, or the next one for it."""
        prepared = self.filter_request(request)
        with self._lock:
            turn = getattr(request, "_llm_vcr_turn", None) or (self._find(prepared) if prepared is not None else None)
            if turn is None:
                raise UnhandledHTTPRequestError(
                    f"The cassette ({self._path!r}) doesn't contain the request ({prepared or request!r}) asked for"
                )
            request._llm_vcr_turn = None
            if isinstance(turn, _Refusal):
                return turn.answer
            self._reserved.add(turn.index)
            stored, response = self.data[turn.index]
            if self.play_counts[turn.index] == 0 and turn.index < self._loaded_count:
                self._played_interactions.append((stored, response))
            self.play_counts[turn.index] += 1
            self.counts.repeated += turn.again
            self.counts.played += not turn.again
            self.counts.masked += turn.masked
        # Clients change what they are given (vcrpy's urllib3 stub deletes a header); the next one must not see that.
        return {**response, "headers": dict(response["headers"])} if "headers" in response else response

    def __contains__(self, request: Any) -> bool:
        """Whether a request would be answered."""
        prepared = self.filter_request(request)
        with self._lock:
            return prepared is not None and self._find(prepared) is not None

    def _responses(self, request: Any) -> Iterator[tuple[int, Any]]:
        """All episodes that match, exact ones first, each group in recorded order."""
        prepared = self.filter_request(request)
        if prepared is None:
            return
        with self._lock:
            exact = self._index.find(self.data, prepared, masked=False)
            matching = [*exact, *(one for one in self._index.find(self.data, prepared, masked=True) if one not in set(exact))]
        for index in matching:
            yield index, self.data[index][1]

    def _find(self, prepared: Request) -> _Turn | None:
        """Whose turn it is: the next unplayed exact match, the last exact one again, then the same with volatile tokens masked."""
        if self.record_mode == RecordMode.ALL or not self.rewound or prepared.unsupported:
            return None
        for masked in (False, True):
            loaded = [one for one in self._index.find(self.data, prepared, masked=masked) if one < self._loaded_count]
            fresh = next((one for one in loaded if one not in self._reserved), None)
            if fresh is not None:
                return _Turn(fresh, again=False, masked=masked)
            if loaded and self._repeats:
                return _Turn(loaded[-1], again=True, masked=masked)
        return None

    # --- what the provider answered

    def append(self, request: Any, response: Any) -> None:
        """Take a live answer, if it is worth keeping."""
        prepared = self.filter_request(request)
        if prepared is None:
            return
        if self.policy.spending is not None:
            self.policy.spending.settle(prepared)
        filters = self.policy.filters
        kept, shrunk = None, False
        reason = f"unsupported body: {prepared.unsupported}" if prepared.unsupported else filters.refusal(response)
        if reason is None:
            kept, shrunk = filters.keep_response(copy.deepcopy(response))
            kept = self._before_record_response(kept)
            reason = "dropped by before_record_response" if kept is None else None
        with self._lock:
            if reason is not None:
                self.refused_to_keep.append(reason)
                return
            stored = filters.keep_request(prepared)
            self.counts.shrunk += (stored is not prepared) + shrunk
            self.data.append((stored, kept))
            self.counts.recorded += 1
            self.dirty = True

    # --- saving

    def _save(self, force: bool = False) -> None:
        """Store what was recorded, if the gate is open. It never raises: vcrpy saves before it un-patches."""
        self._drop_dangling_redirects()
        if not (force or self.dirty or self.drop_unused_requests):
            return
        if self.gate is not None:
            # Neither the new answers nor the knowledge of what went unplayed is worth anything after a failure.
            self.dirty = False
            return
        failures = len(getattr(self._persister, "failures", ()))
        try:
            super()._save(force)
        except Exception as error:  # noqa: BLE001 - whatever it is, vcrpy must go on and un-patch
            self.refused_to_keep.append(f"not saved: {type(error).__name__}: {error}")
            return
        self.saved = len(getattr(self._persister, "failures", ())) == failures
        self.overflow = getattr(self._persister, "overflow", False)
        if not self.saved:
            self.refused_to_keep.append(self._persister.failures[-1])

    def _new_interactions(self) -> list[tuple[Any, Any]]:
        """What was recorded now (vcrpy compares each with each to find out)."""
        return list(self.data[self._loaded_count :])

    def _drop_dangling_redirects(self) -> None:
        """A redirect is kept only if it leads to an answer that is."""
        while True:
            answered = {_without_fragment(request.uri) for request, _ in self.data}
            dangling = [
                number
                for number in range(self._loaded_count, len(self.data))
                if (target := _redirect(*self.data[number])) is not None and target not in answered
            ]
            if not dangling:
                return
            for number in reversed(dangling):
                del self.data[number]
                self.counts.recorded -= 1
                self.refused_to_keep.append("a redirect whose target was not kept")
            self._index.clear()


@dataclass(frozen=True)
class _Turn:
    """An episode that is a request's to have."""

    index: int
    again: bool
    masked: bool


@dataclass(frozen=True)
class _Refusal:
    """An answer of ours, in place of a provider's that must not be asked."""

    answer: dict[str, Any]


def refusal_answer(message: str) -> dict[str, Any]:
    """An answer that every SDK turns into one readable error, at once: a status none of them tries again, and a header that says so."""
    body = {"type": "error", "error": {"type": "llm_vcr_refused", "code": "llm_vcr_refused", "message": f"llm_vcr: {message}"}}
    text = json.dumps(body).encode()
    headers = {"content-type": ["application/json"], "content-length": [str(len(text))], "x-should-retry": ["false"]}
    return {"status": {"code": 422, "message": "Refused by llm_vcr"}, "headers": headers, "body": {"string": text}}


def _redirect(request: Any, response: Any) -> str | None:
    """Where a redirect leads, or ``None`` for any other answer."""
    code = status_code(response)
    if code is None or not 300 <= code < 400:
        return None
    location = header(response.get("headers"), "location")
    return _without_fragment(urljoin(request.uri, location)) if location else None


def _without_fragment(uri: str) -> str:
    return uri.partition("#")[0]


# What the index can look up of vcrpy's own matchers; every other one is asked about each candidate.
_KEYS: Mapping[Any, Callable[[Any], Any]] = {
    vcr_matchers.method: lambda one: text(one.method).upper(),
    vcr_matchers.scheme: lambda one: one.scheme,
    vcr_matchers.host: lambda one: one.host,
    vcr_matchers.port: lambda one: one.port,
    vcr_matchers.path: lambda one: _normalized_path(one.path),
    vcr_matchers.query: lambda one: tuple(one.query),
    vcr_matchers.uri: _normalized_uri,
}


class _Index:
    """The episodes by what they are matched on: looking one up costs the same among one and among a thousand."""

    def __init__(self, match_on: Any, filters: Filters) -> None:
        matchers = filters.matchers
        self._matchers = matchers
        self._keys = [_KEYS[one] for one in match_on if one in _KEYS]
        self._by_body = matchers.body in match_on
        self._by_key = matchers.key in match_on
        self._others = [one for one in match_on if one not in _KEYS and one not in (matchers.body, matchers.key)]
        self.clear()

    def clear(self) -> None:
        """Forget everything; it is built again when next asked."""
        self._size = 0
        self._exact: dict[Any, list[int]] = {}
        self._places: dict[Any, list[int]] = {}
        self._masked: dict[Any, tuple[int, dict[str | None, list[int]]]] = {}

    def find(self, data: list[tuple[Any, Any]], request: Request, *, masked: bool) -> list[int]:
        """The numbers of the episodes that match, in recorded order."""
        self._extend(data)
        place = self._place(request)
        if not self._by_body:
            # Without a body there is nothing to mask.
            candidates = [] if masked else self._places.get(place, [])
        elif masked:
            candidates = self._masked_at(place, data).get(self._matchers.fingerprint(request, masked=True), [])
        else:
            candidates = self._exact.get((place, self._matchers.fingerprint(request)), [])
        return [one for one in candidates if self._agrees(request, data[one][0])]

    def _extend(self, data: list[tuple[Any, Any]]) -> None:
        for number in range(self._size, len(data)):
            stored = data[number][0]
            if getattr(stored, "unsupported", None):
                continue
            place = self._place(stored)
            self._places.setdefault(place, []).append(number)
            if self._by_body:
                self._exact.setdefault((place, self._matchers.fingerprint(stored)), []).append(number)
        self._size = len(data)

    def _masked_at(self, place: Any, data: list[tuple[Any, Any]]) -> dict[str | None, list[int]]:
        """The episodes of one place by masked fingerprint: only places where an exact match was missing pay for it."""
        numbers = self._places.get(place, [])
        known, prints = self._masked.get(place, (0, {}))
        for number in numbers[known:]:
            prints.setdefault(self._matchers.fingerprint(data[number][0], masked=True), []).append(number)
        self._masked[place] = (len(numbers), prints)
        return prints

    def _place(self, request: Any) -> tuple[Any, ...]:
        return tuple(key(request) for key in self._keys)

    def _agrees(self, request: Request, stored: Any) -> bool:
        """What cannot be looked up: wildcards, and matchers of the user's."""
        if self._by_body and not self._matchers.same_type(request, stored):
            return False
        if self._by_key and not self._matchers.same_key(request, stored):
            return False
        return all(_evaluate_matcher(one, request, stored)[0] for one in self._others)
