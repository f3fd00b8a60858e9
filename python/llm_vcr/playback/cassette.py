"""Our cassette: vcrpy's, with an index instead of a scan, answers in recorded order, exact counts, and a gate before the store.

What differs from vcrpy's own, and why: an answer recorded a moment ago is never played in the same run (a 500 would answer its own
retry); repeats come only from what was loaded; what is not worth keeping is sorted out when it is appended, not by a filter that
would also delete stored episodes at load.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vcr.cassette import Cassette as VcrCassette
from vcr.cassette import _run_hooks
from vcr.errors import UnhandledHTTPRequestError
from vcr.persisters.filesystem import CassetteDecodeError, CassetteNotFoundError
from vcr.record_mode import RecordMode
from vcr.request import HeadersDict

from llm_vcr import leaks
from llm_vcr.exchange.content import Used
from llm_vcr.persister import Persister
from llm_vcr.playback.index import Index
from llm_vcr.playback.miss import Miss, explain_miss
from llm_vcr.playback.policy import Counts, Policy
from llm_vcr.playback.redirects import MAX_HOPS, dangling, without_fragment
from llm_vcr.playback.refusal import Refusal, most_alike, refusal_answer
from llm_vcr.playback.used import used_by
from llm_vcr.request import text
from llm_vcr.stores import CassetteRecord
from llm_vcr.stores.lease import Flight
from llm_vcr.vcr_request import Request

MISSES = 20
"""So many misses of a cassette are explained; the others are counted."""


class Cassette(VcrCassette):  # type: ignore[misc]  # vcrpy is not typed
    """A `vcr.cassette.Cassette` under a `Policy`."""

    gate: str | None = None
    """Why nothing of this cassette may be stored, or ``None`` while it may (the outcome of its test)."""
    saved = False
    overflow = False
    """The store had no room for what was recorded."""
    _base: CassetteRecord | None = None
    _flight: Flight | None = None
    _closed = False
    _hops = 0
    """Redirects followed for one call of aiohttp's."""

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
        self._index = Index(self._match_on, policy.filters)
        if not self._index.compares_bodies:
            self.notes.append("match_on has no body: a changed prompt would be given the recorded answer (add 'llm_body')")
        self.replaces = policy.fresh_start
        """What is stored takes the place of episodes that were there and could not be played: stale ones, or all of them."""
        self.misses: list[Miss] = []
        """The calls that no episode answered, the first `MISSES` of them explained."""
        self.answers: list[tuple[Request, dict[str, Any]]] = []
        """The live calls that were answered, kept or not, with the answers as they would be played."""
        self.masked_values: list[tuple[str, str]] = []
        """What kept a masked replay from being an exact one: cause and JSON path of the first difference, one for each."""
        self._repeats = allow_playback_repeats
        self._lock = threading.RLock()
        self._reserved: set[int] = set()
        self._refusals: list[str] = []
        self._filters_requests = arguments.get("before_record_request") is not None
        self._filters_responses = arguments.get("before_record_response") is not None

    def why_not_kept(self) -> list[str]:
        """Why calls were made, or refused, without their answer being stored."""
        reasons = list(self.refused_to_keep)
        if self.counts.recorded and self.gate is not None:
            reasons.append(self.gate)
        return reasons + [f"refused: not in the cassette, and {why}" for why in self._refusals]

    @property
    def stale(self) -> bool:
        """Something was played that is older than it may be."""
        return self.counts.stale > 0

    # --- loading

    @classmethod
    def load(cls, **arguments: Any) -> Cassette:
        """See `vcr.cassette.Cassette.load`."""
        made: Cassette = super().load(**arguments)
        if made.policy.on_open is not None:
            made.policy.on_open(made)
        return made

    def _load(self) -> None:
        """As vcrpy's, but nothing that is stored is ever dropped: filters see what they would see, and cannot delete it."""
        try:
            requests, responses, *metadata = self._persister.load_cassette(self._path, serializer=self._serializer)
        except (CassetteNotFoundError, CassetteDecodeError):  # the latter is a word of the users' own persisters
            return
        finally:
            self.notes += self._persister.problems if isinstance(self._persister, Persister) else []
        self._base = getattr(requests, "record", None)
        if self.policy.fresh_start:
            return
        self.replaces = self._take_in(zip(requests, responses, strict=False))
        # Where something is to be recorded anew, even the mode `once` may record.
        self.rewound = not self.replaces
        self._metadata = metadata[0] if metadata else {}

    def _take_in(self, interactions: Iterable[tuple[Any, Any]]) -> bool:
        """Add stored episodes to those that can be played, except stale ones that are to be recorded anew; tell whether there were such."""
        left_out = False
        serve = self.record_mode == RecordMode.NONE or self.policy.settings.stale == "serve"
        for request, response in interactions:
            if getattr(request, "stale", False) and not serve:
                left_out = True
                continue
            kept = _run_hooks(self._after_load_interaction, request, response, self)
            if kept is None:
                continue
            stored = Request.of(kept[0])
            stored.stored, stored.borrowed = True, getattr(request, "borrowed", False)
            self._old_interactions.append((stored, kept[1]))
            response = (self._before_record_response(copy.copy(kept[1])) or kept[1]) if self._filters_responses else kept[1]
            self.data.append((self._filtered(stored) or stored, _with_body(response)))
        self._loaded_count = len(self.data)
        return left_out

    def _others_recorded(self) -> bool:
        """Called at a miss, without our lock: wait while another process records this cassette, and take in what it stored."""
        if self.write_protected or self.policy.fresh_start or self.record_mode == RecordMode.ALL:
            return False
        if not isinstance(self._persister, Persister):
            return False
        with self._lock:
            if self._flight is None:
                self._flight = self._persister.flight(self._path)
        if self._flight is None or not self._flight.must_look_again():
            return False
        with self._lock:
            # What was recorded here stands behind what was loaded, and there is nothing yet: who records does not come this way.
            if self._loaded_count == len(self.data):
                self._base, fresh = self._persister.reload(self._path, self._base)
                self._take_in(fresh)
        return True

    def close(self) -> None:
        """Let go of the lease, if there is one; called when the cassette is left, however that came."""
        self._closed = True
        if self._flight is not None:
            self._flight.land()

    # --- what the client asks

    def filter_request(self, request: Any) -> Request | None:
        """The request as it is compared and kept, or ``None`` for one that is none of the cassette's business. Computed once."""
        headers = request.headers
        seen = (
            request._body if hasattr(request, "_body") else None,
            request.uri,
            request.method,
            tuple(headers._store.values() if isinstance(headers, HeadersDict) else headers.items()),
        )
        cached = getattr(request, "_llm_vcr_prepared", None)
        if cached is not None and cached[0] is self and cached[1][0] is seen[0] and cached[1][1:] == seen[1:]:
            prepared: Request | None = cached[2]
            return prepared
        prepared = self._filtered(self.policy.filters.prepare(request)) if self._is_ours(request) else None
        request._llm_vcr_prepared = (self, seen, prepared)
        return prepared

    def _is_ours(self, request: Any) -> bool:
        """Whether a request is the cassette's business."""
        return not self._is_foreign(request) and self._is_wanted(request)

    def _is_wanted(self, request: Any) -> bool:
        """Whether a request goes to whom the cassette has episodes of."""
        policy = self.policy
        return not policy.providers_only or policy.settings.record_hosts != "providers" or policy.filters.is_provider(request)

    def _is_foreign(self, request: Any) -> bool:
        """Whether a client's request belongs into no cassette (credentials), or not into this one (another test's). Found out once."""
        known: bool | None = getattr(request, "_llm_vcr_foreign", None)
        if known is None:
            policy = self.policy
            known = not getattr(request, "stored", False) and (
                policy.filters.is_credential(request) or (policy.belongs is not None and not policy.belongs(request))
            )
            # A connection of http.client's asks the cassette under which it was made, long after that was left.
            known = known or (self._closed and policy.spending is not None)
            request._llm_vcr_foreign = known
        return known

    def _pass_by(self, request: Any) -> bool:
        """Let a foreign request go live, uncounted here; ``True`` if it must not be made, and is to be told so."""
        if getattr(request, "_llm_vcr_turn", None) is not None:
            return True
        if self.policy.spending is None or getattr(request, "_llm_vcr_counted", False):
            return False
        request._llm_vcr_counted = True
        why = self.policy.spending.around(request)
        if why is not None:
            request._llm_vcr_turn = Refusal(refusal_answer(why))
        return why is not None

    def _filtered(self, request: Request) -> Request | None:
        """A prepared request after the user's own filters."""
        if not self._filters_requests:
            return request
        filtered = self._before_record_request(request)
        return None if filtered is None else Request.of(filtered)

    def can_play_response_for(self, request: Any) -> bool:
        """Whether the cassette has the answer. If so it is this request's from now on, whoever asks meanwhile."""
        if self._is_foreign(request):
            return self._pass_by(request)
        if self._has_at_first_sight(request):
            return True
        prepared = self.filter_request(request)
        if prepared is None:
            return False
        while not (found := self._reserve(request, prepared)) and self._others_recorded():
            continue
        if found:
            return True
        with self._lock:
            # For a redirect, vcrpy's aiohttp stub asks about stored requests in turn: no client made those.
            if getattr(request, "_llm_vcr_counted", getattr(request, "stored", False)):
                return False
            request._llm_vcr_counted = True
            refused = self._missed(prepared)
            answers = self.policy.answer_refusals and self.policy.filters.is_provider(request)
            if refused is None or (self.write_protected and not answers):
                return False
            request._llm_vcr_turn = Refusal(refusal_answer(refused))
            return True

    def _has_at_first_sight(self, request: Any) -> bool:
        """Whether an episode matches the request exactly as it came. Mostly one does, and its body need not be searched for secrets."""
        if self._filters_requests or self._index.others or not self.rewound or not self._is_wanted(request):
            return False
        return self._reserve(request, self.policy.filters.probe(request), passes=(False,))

    def _missed(self, prepared: Request) -> str | None:
        """Count a call without an episode, and explain it; the explanation if it must not be made, ``None`` if it may."""
        why = None
        if self.write_protected:
            why = f"record mode {self.record_mode.value} records nothing"
        elif isinstance(self._persister, Persister) and self._persister.lost:
            why = self._persister.lost
        elif self.policy.spending is not None:
            why = self.policy.spending.reserve(prepared)
        if why is None:
            self.counts.live += 1
        else:
            self.counts.refused += 1
            self._refusals.append(why)
        if len(self.misses) >= MISSES:
            return why
        # Where everything is recorded anew, no episode could have been the answer.
        loaded = [] if self.record_mode == RecordMode.ALL else self.data[: self._loaded_count]
        self.misses.append(explain_miss(prepared, loaded, self._reserved, self._index, self.policy.filters.matchers, why or ""))
        return why and "\n".join(self.misses[-1].lines())

    def _reserve(self, request: Any, prepared: Request, passes: tuple[bool, ...] = (False, True)) -> bool:
        """Find this request an episode, and keep it for it."""
        with self._lock:
            if getattr(request, "_llm_vcr_turn", None) is not None:
                return True
            turn = self._find(prepared, passes)
            if turn is None:
                return False
            self._reserved.add(turn.index)
            request._llm_vcr_turn = turn
            if turn.masked:
                why = self.policy.filters.matchers.why(prepared, self.data[turn.index][0])
                self.masked_values.append((why.cause, why.path or ""))
            return True

    def play_response(self, request: Any) -> Any:
        """The answer that `can_play_response_for` promised this request, or the next one for it."""
        turn = getattr(request, "_llm_vcr_turn", None)
        prepared = self.filter_request(request) if turn is None else None
        with self._lock:
            turn = turn or (self._find(prepared) if prepared is not None else None)
            if turn is None:
                raise UnhandledHTTPRequestError(
                    f"The cassette ({self._path!r}) doesn't contain the request ({prepared or request!r}) asked for"
                )
            request._llm_vcr_turn = None
            if isinstance(turn, Refusal):
                return turn.answer
            self._hops = self._hops + 1 if getattr(request, "stored", False) else 0
            if self._hops > MAX_HOPS:
                raise UnhandledHTTPRequestError(f"The cassette ({self._path!r}) has redirects without an end: {prepared}")
            self._reserved.add(turn.index)
            stored, response = self.data[turn.index]
            times = self.play_counts.get(turn.index, 0)  # asked by index, a counter calls a function for each it has not
            if times == 0 and turn.index < self._loaded_count:
                self._played_interactions.append((stored, response))
            self.play_counts[turn.index] = times + 1
            self.counts.repeated += turn.again
            self.counts.played += not turn.again
            self.counts.masked += turn.masked
            self.counts.stale += bool(getattr(stored, "stale", False))
        # Clients change what they are given (vcrpy's urllib3 stub deletes a header); the next one must not see that.
        return {**response, "headers": dict(response["headers"])} if "headers" in response else response

    def __contains__(self, request: Any) -> bool:
        """Whether a request would be answered."""
        prepared = self.filter_request(request)
        with self._lock:
            return prepared is not None and self._find(prepared) is not None

    def as_stored(self, request: Any) -> Any:
        """A request that was refused, as people may see it."""
        prepared = self.filter_request(request)
        if prepared is None:
            return request
        prepared._llm_vcr_counted = True
        return prepared

    def rewind(self) -> None:
        """Play all of it again."""
        with self._lock:
            super().rewind()
            self._reserved.clear()
            self._index.rewind()

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

    def _find(self, prepared: Request, passes: tuple[bool, ...] = (False, True)) -> _Turn | None:
        """Whose turn it is: the next unplayed exact match, the last exact one again, then the same with volatile tokens masked."""
        if self.record_mode == RecordMode.ALL or not (self.rewound or self._loaded_count) or prepared.unsupported:
            return None
        # Mostly it is the next one, and no other can come before that.
        number = self._index.in_turn(self.data, prepared, self._reserved)
        if number is not None and number < self._loaded_count:
            return _Turn(number, again=False, masked=False)
        for masked in passes:
            loaded = [one for one in self._index.find(self.data, prepared, masked=masked) if one < self._loaded_count]
            fresh = next((one for one in loaded if one not in self._reserved), None)
            if fresh is not None:
                return _Turn(fresh, again=False, masked=masked)
            if loaded and self._repeats:
                return _Turn(loaded[-1], again=True, masked=masked)
        return None

    def find_requests_with_most_matches(self, request: Any) -> list[tuple[Any, list[str], list[tuple[str, str]]]]:
        """The nearest episodes, with the matchers that agree, and those that do not with a text that begins with the cause.

        What vcrpy tells in its refusal. Only the few that it shows are explained: that is dear for long bodies.
        """
        prepared = self.filter_request(request)
        if prepared is None:
            return []
        if not getattr(request, "_llm_vcr_counted", False):
            # Nobody asked to play it: vcrpy looks for what a redirect of aiohttp's leads to, and would take what is merely similar.
            target = without_fragment(prepared.uri)
            return [(stored, [], []) for stored, _ in self.data if without_fragment(stored.uri) == target]
        return most_alike(prepared, self.data, self._reserved, self._match_on)

    # --- what the provider answered

    def follow(self, request: Any) -> str | None:
        """Count a call that a client is about to make without asking, to where a redirect leads; why it must not be made, or ``None``."""
        if self._is_foreign(request):
            return self.policy.spending.around(request) if self.policy.spending is not None else None
        prepared = self.filter_request(request)
        if prepared is None:
            return None
        with self._lock:
            why = self.policy.spending.reserve(prepared) if self.policy.spending is not None else None
            if why is None:
                self.counts.live += 1
            else:
                self.counts.refused += 1
                self._refusals.append(why)
        return why

    def append(self, request: Any, response: Any) -> None:
        """Take a live answer, if it is worth keeping."""
        if not isinstance(response, dict):  # no client's; whoever tests hooks of their own may hand over anything
            super().append(request, response)
            return
        prepared = self.filter_request(request)
        if prepared is None:
            return
        if not isinstance(response.get("headers", {}), Mapping):
            # tornado's stub makes a list of pairs, and hands on the client's own answer, so that nobody sees the difference.
            response = {**response, "headers": dict(response["headers"])}
        filters = self.policy.filters
        kept, shrunk = None, False
        refused = filters.refusal(response)
        # What is not kept may be compressed in a way that nobody reads.
        played = filters.as_played(response) if refused is None else response
        self.answers.append((prepared, played))
        if self.policy.spending is not None:
            self.policy.spending.settle(prepared, played)
        reason = f"unsupported body: {prepared.unsupported}" if prepared.unsupported else refused
        if reason is None:
            kept, shrunk = filters.keep_response(copy.deepcopy(response))
            kept = self._before_record_response(kept)
            reason = "dropped by before_record_response" if kept is None else None
        with self._lock:
            if reason is not None:
                self.refused_to_keep.append(reason)
                return
            _show(response, played)
            stored = filters.keep_request(prepared)
            self.counts.shrunk += (stored is not prepared) + shrunk
            self._look_for_secrets(stored, kept)
            self.data.append((stored, kept))
            self.counts.recorded += 1
            self.dirty = True

    def _look_for_secrets(self, stored: Request, kept: Any) -> None:
        """Look now, while a provider is waited for anyway: what holds none needs no look when it is saved.

        Where a filter of the user's comes after ours, only what is saved can tell.
        """
        body = (kept.get("body") or {}).get("string")
        theirs = self._filters_requests or self._filters_responses or self._before_save_interaction
        if not theirs and isinstance(body, bytes) and leaks.is_clean(body):
            stored.clean_answer = body

    def replayed(self) -> Iterator[tuple[Request, dict[str, Any], int]]:
        """The episodes that were played, and how often each."""
        for index, times in self.play_counts.items():
            if times and index < self._loaded_count:
                yield *self.data[index], times

    def used(self) -> Iterator[tuple[Used, int, int]]:
        """Of calls to providers: what each has used, and how many like it were live and replayed."""
        return used_by(self)

    @property
    def own_persister(self) -> Persister | None:
        """The persister, unless the user has one of their own."""
        return self._persister if isinstance(self._persister, Persister) else None

    def unplayed(self) -> list[str]:
        """The keys (`CassetteRecord.keyed`) of the episodes that were loaded from this very cassette, may be played, and were not."""
        replaced = self.saved and self.record_mode == RecordMode.ALL
        if self._base is None or replaced or len(self._played_interactions) >= len(self._base.episodes):
            return []
        there = {id(request.episode) for request, _ in self.data[: self._loaded_count] if not getattr(request, "borrowed", False)}
        played = {id(request.episode) for request, _ in self._played_interactions if not getattr(request, "borrowed", False)}
        return [key for key, one in self._base.keyed().items() if id(one) in there - played]

    # --- saving

    def _persist(self, cassette_dict: dict[str, Any]) -> None:
        """As vcrpy's, with what was loaded beside it. What is only played from is left out before the user's hooks make it anew."""
        pairs = zip(cassette_dict["requests"], cassette_dict["responses"], strict=True)
        own = [pair for pair in pairs if not getattr(pair[0], "borrowed", False)]
        if self._before_save_interaction or not isinstance(self._persister, Persister):
            # Ours changes nothing of what it is given.
            hooked = (_run_hooks(self._before_save_interaction, copy.deepcopy(request), copy.deepcopy(one), self) for request, one in own)
            own = [one for one in hooked if one is not None]
        data: dict[str, Any] = {"requests": [request for request, _ in own], "responses": [one for _, one in own]}
        if self._metadata:
            data["metadata"] = self._metadata
        if isinstance(self._persister, Persister):
            data["base"] = self._base
            data["replace"] = self.policy.fresh_start or self.record_mode == RecordMode.ALL
            data["played"] = self._played_keys()
        self._persister.save_cassette(self._path, data, serializer=self._serializer)

    def _save(self, force: bool = False) -> None:
        """Store what was recorded, if the gate is open. It never raises: vcrpy saves before it un-patches."""
        failures = len(getattr(self._persister, "failures", ()))
        try:
            self._drop_dangling_redirects()
            if isinstance(self._persister, Persister):
                self._persister.note_played(self._path, self._played_keys())
            if not (force or self.dirty or self.drop_unused_requests):
                return
            if self.gate is not None:
                # Neither the new answers nor the knowledge of what went unplayed is worth anything after a failure.
                self.dirty = False
                return
            super()._save(force)
        except Exception as error:  # noqa: BLE001 - whatever it is, vcrpy must go on and un-patch
            self.refused_to_keep.append(f"not saved: {type(error).__name__}: {error}")
            return
        self.saved = len(getattr(self._persister, "failures", ())) == failures
        self.overflow = getattr(self._persister, "overflow", False)
        if not self.saved:
            self.refused_to_keep.append(self._persister.failures[-1])
        self.notes += [one for one in getattr(self._persister, "problems", ()) if one not in self.notes]

    def _played_keys(self) -> frozenset[str]:
        """The stored episodes that were played, by the keys they have in a shared store."""
        played = (getattr(request, "key", None) for request, _ in self._played_interactions if not getattr(request, "borrowed", False))
        return frozenset(key for key in played if key is not None)

    def _new_interactions(self) -> list[tuple[Any, Any]]:
        """What was recorded now (vcrpy compares each with each to find out)."""
        return list(self.data[self._loaded_count :])

    def _rerecorded_interactions(self) -> list[tuple[Any, Any]]:
        """As vcrpy's, which compares each with each and explains every difference: what matches nothing new stays, in front of that."""
        recorded = self._new_interactions()
        if self.drop_unused_requests or not self._loaded_count:
            return recorded
        taken: set[int] = set()
        for request, _ in recorded:
            # Whatever matches exactly also does with its volatile tokens masked; without a body there is nothing to mask.
            taken.update(self._index.find(self.data, request, masked=True) or self._index.find(self.data, request, masked=False))
        return [one for number, one in enumerate(self.data[: self._loaded_count]) if number not in taken] + recorded

    def _drop_dangling_redirects(self) -> None:
        """A redirect is kept only if it leads, over others or not, to an answer that is."""
        numbers = dangling(self.data, self._loaded_count)
        if not numbers:
            return
        for number in reversed(numbers):
            del self.data[number]
            self.counts.recorded -= 1
            self.refused_to_keep.append("a redirect whose target was not kept")
        self.dirty = len(self.data) > self._loaded_count or bool(self._metadata)
        self._index.clear()


@dataclass
class _Turn:
    """An episode that is a request's to have."""

    index: int
    again: bool
    masked: bool


def _with_body(response: dict[str, Any]) -> dict[str, Any]:
    """An answer that every client can play: vcrpy's aiohttp records a redirect without a body, and its other clients look for one."""
    body = response.get("body")
    return {**response, "body": {**body, "string": b""}} if isinstance(body, dict) and "string" not in body else response


def _show(live: dict[str, Any], played: dict[str, Any]) -> None:
    """Let the client that recorded an answer see it as it will be played. Only cookies stay: a login must work while it is recorded."""
    cookies = {name: values for name, values in live["headers"].items() if text(name).lower() == "set-cookie"}
    live.update(played, headers=played["headers"] | cookies)
