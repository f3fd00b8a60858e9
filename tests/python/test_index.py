"""The index against the plain matchers, which are asked about each episode in turn."""

from __future__ import annotations

import copy
import json
import os
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import llm_vcr
import pytest
import vcr as vcrpy
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_vcr import _core
from llm_vcr.config import Settings
from llm_vcr.filters import Filters
from llm_vcr.matchers import Matchers
from llm_vcr.playback.cassette import Cassette
from llm_vcr.playback.index import Index
from llm_vcr.playback.place import PARTS
from llm_vcr.vcr_request import Request
from vcr import matchers as plain
from vcr.matchers import requests_match

DEPTH = settings(max_examples=int(os.environ.get("HYPOTHESIS_CASES", "60")), deadline=None)

FILTERS = Filters(Settings())
OURS = FILTERS.matchers
UUIDS = ("550e8400-e29b-41d4-a716-446655440000", "6ba7b810-9dad-41d1-80b4-00c04fd430c8")
LONG = "x" * 3000
"""Long enough to be looked for by its bytes."""


def spelt(kind: str, token: str, text: str, spelling: int) -> bytes:
    """One of four spellings of the same JSON: two orders of the keys, two forms of white space."""
    pairs = [("kind", kind), ("token", token), ("text", text), ("end", "of all the same")]
    separators = (",", ":") if spelling & 2 else None
    return json.dumps(dict(pairs if spelling & 1 else pairs[::-1]), separators=separators).encode()


BODIES = st.one_of(
    st.builds(
        spelt,
        st.sampled_from("ab"),
        st.sampled_from(["", *UUIDS]),
        st.sampled_from(["", LONG, LONG[:-1] + "y", "y" + LONG[1:]]),
        st.integers(0, 3),
    ),
    st.sampled_from([b"", b"no json", b"{", LONG.encode(), b"y" + LONG[1:].encode()]),
)
URLS = st.sampled_from(
    ["https://h/v1", "https://h:443/v1", "http://h/v1", "https://g/v1", "https://h/v2", "https://h/v1?b=1&a=2", "https://h/v1?a=2&b=1"]
)
TYPES = st.sampled_from(
    [{}, {"content-type": "application/json"}, {"Content-Type": "application/json; charset=utf-8"}, {"content-type": "text/plain"}]
)
KEYS = st.sampled_from([{}, {"x-llm-vcr-key": "session"}, {"x-llm-vcr-key": "0123456789abcdef"}])
REQUESTS = st.builds(
    lambda method, url, body, content_type, key: Request(method, url, body, {**content_type, **key}),
    st.sampled_from(["POST", "post", "GET"]),
    URLS,
    BODIES,
    TYPES,
    KEYS,
)


def same_tenant(one: Any, two: Any) -> bool:
    """A matcher of the user's."""
    return len(one.body or b"") % 2 == len(two.body or b"") % 2


MATCH_ON = st.lists(st.sampled_from([*PARTS, OURS.key, OURS.request, same_tenant]), unique=True).flatmap(
    lambda some: st.sampled_from([some, [*some, OURS.body], [OURS.body]])
)


@DEPTH
@given(st.lists(REQUESTS, max_size=12), st.lists(REQUESTS, min_size=1, max_size=6), MATCH_ON, st.data())
def test_the_index_finds_what_the_matchers_agree_on(stored: list[Request], asked: list[Request], match_on: list[Any], data: Any) -> None:
    index = Index(match_on, FILTERS)
    episodes: list[tuple[Any, Any]] = []
    # It grows while it is asked, as a cassette does; and what is asked for is often the very bytes of an episode.
    for request in [*asked, *data.draw(st.lists(st.sampled_from(stored), max_size=6) if stored else st.just([]))]:
        episodes += [(one, None) for one in stored[len(episodes) : data.draw(st.integers(0, len(stored)))]]
        fresh = Request(request.method, request.uri, request.body, dict(request.headers.items()))
        exact, masked = (index.find(episodes, fresh, masked=one) for one in (False, True))
        agreed = [number for number, (one, _) in enumerate(episodes) if requests_match(upper(fresh), upper(one), match_on)]
        assert exact == sorted(exact)
        assert sorted({*exact, *masked}) == agreed
        if OURS.body in match_on:
            assert exact == [number for number in agreed if printed(episodes[number][0]) == printed(fresh)]


def upper(request: Request) -> Request:
    """A request with its method in capitals: to us it does not count how a client writes it, and to vcrpy it does."""
    twin = copy.copy(request)
    twin.method = request.method.upper()
    return twin


def printed(request: Request) -> str:
    """The fingerprint of a request, without any memory of another's."""
    return _core.Rules().fingerprint(request.body, request.body_type, mask_volatile=False)


@DEPTH
@given(REQUESTS, REQUESTS)
def test_only_the_same_bytes_of_the_same_type_share_a_fingerprint(known: Request, request: Request) -> None:
    known, request = (Request(one.method, one.uri, one.body, dict(one.headers.items())) for one in (known, request))
    same = (known.body, known.body_type) == (request.body, request.body_type)
    assert OURS.share(request, known) is same
    for masked in (False, True):
        expected = _core.Rules().fingerprint(request.body, request.body_type, mask_volatile=masked)
        assert OURS.fingerprint(request, masked=masked) == expected


class Counting:
    """The core's rules, and how often they were asked for a fingerprint."""

    def __init__(self, rules: _core.Rules) -> None:
        self.rules, self.asked = rules, 0

    def fingerprint(self, *arguments: Any, **more: Any) -> str:
        self.asked += 1
        return self.rules.fingerprint(*arguments, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rules, name)


def test_a_long_body_that_is_stored_is_not_hashed_again() -> None:
    matchers = Matchers()
    rules = matchers.rules = Counting(matchers.rules)  # type: ignore[assignment]
    index = Index([plain.method, matchers.body], Filters(Settings(), matchers))
    episodes = [(Request("POST", "https://h/v1", spelt("a", "", LONG, number), {}), None) for number in range(2)]
    for number in range(2):
        assert index.find(episodes, Request("POST", "https://h/v1", spelt("a", "", LONG, number), {}), masked=False) == [0, 1]
    assert rules.asked == 2, "one for each stored body"


def test_the_drop_in_matchers_alone_compute_each_fingerprint_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a stock cassette, which asks about each pair, twice a request."""
    matchers = Matchers()
    rules = matchers.rules = Counting(matchers.rules)  # type: ignore[assignment]
    stock = vcrpy.VCR(record_mode="new_episodes")
    stock.register_matcher("drop_in", matchers.body)
    bodies = [f'{{"number": {number}}}'.encode() for number in range(20)]
    with stock.use_cassette(str(tmp_path / "a.yaml")) as cassette:
        for body in bodies:
            cassette.append(vcrpy.request.Request("POST", "https://h/v1", body, {}), ANSWER)
    with stock.use_cassette(str(tmp_path / "a.yaml"), match_on=["drop_in"], record_mode="none") as cassette:
        assert type(cassette) is vcrpy.cassette.Cassette
        for body in bodies:
            request = vcrpy.request.Request("POST", "https://h/v1", body, {})
            assert cassette.can_play_response_for(request)
            assert cassette.play_response(request)
    # vcrpy hands the matcher a fresh copy of the incoming request for each of its two scans; masked prints are asked of unequal pairs.
    stored, incoming = len(bodies), 2 * len(bodies)
    assert rules.asked <= 2 * (stored + incoming), "each body once as it is and once masked, not once for each pair"


ANSWER = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": b"answer"}}


# --- the lookup at first sight

SECRETS = ["", "sk-proj-Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4zAb7dEf0hIj3kLm6n", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"]
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["POST", "post"]),
        st.sampled_from(["https://h/v1", "https://h/v1?key=AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", "https://u:hunter2hunter2@h/v1"]),
        st.sampled_from(SECRETS),
        st.sampled_from(["", UUIDS[0], UUIDS[1], LONG]),
        st.sampled_from([{}, {"authorization": "Bearer sk-another-key-of-somebody"}, {"x-api-key": "session-key"}]),
        st.integers(0, 3),
    ),
    max_size=8,
)


def sent(call: Any) -> Request:
    """A client's request: JSON in one of two orders, or a form with one of two boundaries."""
    method, url, secret, token, headers, spelling = call
    members = {"secret": secret, "token": token}
    if spelling < 2:
        body = json.dumps(dict(sorted(members.items(), reverse=spelling == 1))).encode()
        return Request(method, url, body, {"content-type": "application/json", **headers})
    boundary = "0123456789abcdef0123456789abcdef" if spelling == 2 else "one-of-another-client"
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in members.items()]
    body = "".join([*parts, f"--{boundary}--\r\n"]).encode()
    return Request(method, url, body, {"content-type": f"multipart/form-data; boundary={boundary}", **headers})


def outcome(path: Path, calls: Any, *, repeats: bool, mode: str) -> Any:
    """What a cassette answers to calls, and what it counts."""
    answers = []
    with llm_vcr.VCR(record_mode=mode).use_cassette(path, allow_playback_repeats=repeats) as cassette:
        for call in calls:
            request = sent(call)
            answers.append(cassette.play_response(request)["body"]["string"] if cassette.can_play_response_for(request) else None)
        cassette.dirty = False
    return answers, cassette.counts


@settings(DEPTH, max_examples=25)
@given(CALLS, CALLS, st.booleans(), st.sampled_from(["none", "once", "new_episodes", "all"]))
def test_a_first_look_finds_what_a_thorough_one_does(
    tmp_path_factory: pytest.TempPathFactory, recorded: Any, asked: Any, repeats: bool, mode: str
) -> None:
    path = tmp_path_factory.mktemp("cassettes") / "a.yaml"
    with llm_vcr.VCR().use_cassette(path) as cassette:
        for number, call in enumerate(recorded):
            cassette.append(sent(call), {**ANSWER, "body": {"string": str(number).encode()}})
    assert not path.exists() or b"hunter2" not in path.read_bytes()
    at_first_sight = outcome(path, [*asked, *recorded], repeats=repeats, mode=mode)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Cassette, "_has_at_first_sight", lambda *_: False)
        patched.setattr(Index, "in_turn", lambda *_: None)
        assert outcome(path, [*asked, *recorded], repeats=repeats, mode=mode) == at_first_sight


@pytest.mark.parametrize("spelling", [0, 2, 3])
def test_a_replay_in_recorded_order_hashes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: int) -> None:
    calls = [("POST", "https://h/v1", "", token, {}, spelling) for token in ("", *UUIDS, LONG)]
    with llm_vcr.VCR().use_cassette(tmp_path / "a.yaml") as cassette:
        for number, call in enumerate(calls):
            cassette.append(sent(call), {**ANSWER, "body": {"string": str(number).encode()}})
    hashed = []
    fingerprint = Matchers.fingerprint
    monkeypatch.setattr(Matchers, "fingerprint", lambda *given, **more: hashed.append(given) or fingerprint(*given, **more))
    with llm_vcr.VCR(record_mode="none").use_cassette(tmp_path / "a.yaml") as cassette:

        def played(call: Any) -> bytes:
            request = sent(call)
            assert cassette.can_play_response_for(request)
            body: bytes = cassette.play_response(request)["body"]["string"]
            return body

        assert [played(call) for call in calls] == [b"0", b"1", b"2", b"3"]
        assert not hashed
        assert played(calls[2]) == b"2", "again, and not in turn"
        assert hashed


# --- threads

KINDS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["", UUIDS[0]])), max_size=10)


@settings(DEPTH, max_examples=15)
@given(KINDS, st.lists(KINDS, min_size=2, max_size=4), st.sampled_from(["none", "new_episodes"]))
def test_threads_share_out_the_episodes_of_each_kind(
    tmp_path_factory: pytest.TempPathFactory, recorded: Any, asked: Any, mode: str
) -> None:
    path = tmp_path_factory.mktemp("cassettes") / "a.yaml"

    def made(kind: str, token: str) -> Request:
        return Request("POST", "https://h/v1", spelt(kind, token, "", 1), {"content-type": "application/json"})

    with llm_vcr.VCR().use_cassette(path) as cassette:
        for number, one in enumerate(recorded):
            cassette.append(made(*one), {**ANSWER, "body": {"string": str(number).encode()}})
    played: list[tuple[tuple[str, str], bytes]] = []
    start = threading.Barrier(len(asked))
    with llm_vcr.VCR(record_mode=mode).use_cassette(path, allow_playback_repeats=False) as cassette:

        def ask(calls: Any) -> None:
            start.wait(30)
            for one in calls:
                request = made(*one)
                if cassette.can_play_response_for(request):
                    played.append((one, cassette.play_response(request)["body"]["string"]))

        threads = [threading.Thread(target=ask, args=[calls]) for calls in asked]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        cassette.dirty = False
    there, wanted = Counter(recorded), Counter(one for calls in asked for one in calls)
    assert Counter(one for one, _ in played) == there & wanted
    assert all(recorded[int(number)] == one for one, number in played)
    assert len({number for _, number in played}) == len(played), "an episode was played twice"
