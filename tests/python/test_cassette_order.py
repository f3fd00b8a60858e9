"""Which episode answers which call, in every record mode, and what is counted and stored of it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import llm_vcr
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_vcr import NotSavedWarning
from llm_vcr.playback.cassette import Cassette
from llm_vcr.vcr_request import Request
from vcr.cassette import Cassette as VcrCassette
from vcr.errors import UnhandledHTTPRequestError

URL = "https://api.openai.com/v1/chat/completions"
UUIDS = ("550e8400-e29b-41d4-a716-446655440000", "6ba7b810-9dad-41d1-80b4-00c04fd430c8", "")


def asked(body: str, **headers: str) -> Request:
    return Request("POST", URL, body.encode(), {"Content-Type": "application/json", **headers})


def answer(text: str, status: int = 200, **headers: list[str]) -> dict[str, Any]:
    return {"status": {"code": status, "message": "OK"}, "headers": headers, "body": {"string": text.encode()}}


def prompt(kind: str, token: str) -> str:
    return f'{{"kind": "{kind}", "token": "{token}"}}'


def record(path: Path, *bodies: str, **more: Any) -> None:
    """A cassette in which the answer to each call is its number."""
    with llm_vcr.VCR(**more).use_cassette(path) as cassette:
        for number, body in enumerate(bodies):
            make_call(cassette, body, str(number))


def make_call(cassette: Cassette, body: str, live: str, status: int = 200) -> str | None:
    """What vcrpy's stubs do for one call; the text of the answer, ``None`` where it was refused."""
    request = asked(body)
    if cassette.can_play_response_for(request):
        response = cassette.play_response(request)
    elif cassette.write_protected and cassette.filter_request(request):
        return None
    else:
        response = answer(live, status)
        cassette.append(request, response)
    text: str = response["body"]["string"].decode()
    return text


def stored(path: Path) -> list[tuple[str, str]]:
    with llm_vcr.VCR(record_mode="none").use_cassette(path) as cassette:
        return [(request.body.decode(), response["body"]["string"].decode()) for request, response in cassette.data]


class Dull:
    """The order of answers as the design says it, the slow way."""

    def __init__(self, recorded: list[tuple[str, str]], *, repeats: bool) -> None:
        self.recorded, self.repeats = recorded, repeats
        self.played: set[int] = set()
        self.counts = {"played": 0, "repeated": 0, "masked": 0}

    def ask(self, kind: str, token: str) -> int | None:
        exact = [number for number, one in enumerate(self.recorded) if one == (kind, token)]
        masked = [number for number, one in enumerate(self.recorded) if (one[0], one[1] != "") == (kind, token != "")]
        for group in (exact, masked):
            unplayed = [number for number in group if number not in self.played]
            found = unplayed[0] if unplayed else group[-1] if group and self.repeats else None
            if found is not None:
                self.played.add(found)
                self.counts["played" if unplayed else "repeated"] += 1
                self.counts["masked"] += group is masked
                return found
        return None


CALLS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(UUIDS)), max_size=8)
numbers: Iterator[int] = itertools.count()


@given(CALLS, CALLS, st.booleans(), st.sampled_from(["none", "new_episodes", "once"]))
def test_the_order_of_answers(tmp_path_factory: pytest.TempPathFactory, recorded: Any, asks: Any, repeats: bool, mode: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"{next(numbers)}.yaml"
    record(path, *(prompt(*one) for one in recorded))
    dull = Dull(recorded, repeats=repeats)
    expected = [dull.ask(*one) for one in asks]
    ours = llm_vcr.VCR(record_mode=mode)
    with ours.use_cassette(path, allow_playback_repeats=repeats) as cassette:
        got = [make_call(cassette, prompt(*one), "live") for one in asks]
        protected = cassette.write_protected
    missed = None if protected else "live"
    assert got == [missed if one is None else str(one) for one in expected]
    misses = expected.count(None)
    counts = cassette.counts
    assert {name: getattr(counts, name) for name in dull.counts} == dull.counts
    assert (counts.live, counts.refused) == ((0, misses) if protected else (misses, 0))
    assert counts.recorded == counts.live
    assert counts.played + counts.repeated + counts.live + counts.refused == len(asks)
    assert [text for _, text in stored(path)] == [str(one) for one in range(len(recorded))] + ["live"] * counts.recorded


def test_a_miss_is_not_answered_by_what_was_recorded_just_now(tmp_path: Path) -> None:
    for repeats in (True, False):
        with llm_vcr.VCR(record_mode="new_episodes").use_cassette(tmp_path / f"{repeats}.yaml", allow_playback_repeats=repeats) as cassette:
            assert [make_call(cassette, "{}", str(number)) for number in range(3)] == ["0", "1", "2"]
            assert cassette.counts.live == cassette.counts.recorded == 3


@pytest.mark.parametrize(
    ("mode", "there", "answered", "kept"),
    [
        ("once", False, "live", ["live"]),
        ("once", True, None, ["old"]),
        ("new_episodes", False, "live", ["live"]),
        ("new_episodes", True, "live", ["old", "live"]),
        ("none", False, None, []),
        ("none", True, None, ["old"]),
        ("all", False, "live", ["live"]),
        ("all", True, "live", ["old", "live"]),
    ],
)
def test_a_call_that_is_not_in_the_cassette(tmp_path: Path, mode: str, there: bool, answered: str | None, kept: list[str]) -> None:
    path = tmp_path / "a.yaml"
    if there:
        with llm_vcr.VCR().use_cassette(path) as cassette:
            make_call(cassette, '{"old": 1}', "old")
    with llm_vcr.VCR(record_mode=mode).use_cassette(path) as cassette:
        assert make_call(cassette, '{"new": 1}', "live") == answered
    assert [text for _, text in stored(path)] == kept
    assert path.exists() == bool(kept)


def test_the_mode_all_records_anew_what_is_called_again(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    record(path, '{"a": 1}', '{"b": 1}', '{"a": 1}')
    with llm_vcr.VCR(record_mode="all").use_cassette(path) as cassette:
        assert make_call(cassette, '{"a": 1}', "new") == "new"
        assert (cassette.counts.live, cassette.counts.played) == (1, 0)
    assert stored(path) == [('{"b": 1}', "1"), ('{"a": 1}', "new")]


@given(CALLS, CALLS, st.booleans())
def test_what_is_recorded_anew_takes_the_place_of_what_vcrpy_says(
    tmp_path_factory: pytest.TempPathFactory, before: list[tuple[str, str]], now: list[tuple[str, str]], drop: bool
) -> None:
    path = tmp_path_factory.mktemp("anew") / "a.yaml"
    record(path, *(prompt(*call) for call in before))
    with llm_vcr.VCR(record_mode="all").use_cassette(path, drop_unused_requests=drop) as cassette:
        for number, call in enumerate(now):
            make_call(cassette, prompt(*call), f"new {number}")
        assert cassette._rerecorded_interactions() == VcrCassette._rerecorded_interactions(cassette)


# --- what is kept


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_a_failure_is_counted_and_not_kept(tmp_path: Path, status: int) -> None:
    path = tmp_path / "a.yaml"
    with llm_vcr.VCR().use_cassette(path) as cassette:
        assert make_call(cassette, "{}", "error", status) == "error"
        assert make_call(cassette, "{}", "answer") == "answer"
    assert (cassette.counts.live, cassette.counts.recorded) == (2, 1)
    assert cassette.why_not_kept() == [f"status {status}"]
    assert [text for _, text in stored(path)] == ["answer"]


def test_other_statuses_are_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with llm_vcr.VCR(status=[401]).use_cassette(path) as cassette:
        make_call(cassette, '{"a": 1}', "refused", 401)
        make_call(cassette, '{"b": 1}', "broken", 500)
    assert [text for _, text in stored(path)] == ["refused"]


def test_a_stored_failure_is_played_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with llm_vcr.VCR(status=[404]).use_cassette(path) as cassette:
        make_call(cassette, '{"a": 1}', "not found", 404)
    with llm_vcr.VCR(record_mode="new_episodes").use_cassette(path) as cassette:
        assert make_call(cassette, '{"a": 1}', "live") == "not found"
        make_call(cassette, '{"b": 1}', "live")
    assert [text for _, text in stored(path)] == ["not found", "live"]


@pytest.mark.parametrize("location", ["/v1/next", "https://api.openai.com/v1/next", "https://api.openai.com/v1/next#part"])
def test_a_redirect_is_kept_with_what_it_leads_to(tmp_path: Path, location: str) -> None:
    with llm_vcr.VCR().use_cassette(tmp_path / "a.yaml") as cassette:
        cassette.append(asked("{}"), answer("", 307, location=[location]))
        cassette.append(Request("POST", "https://api.openai.com/v1/next", b"{}", {}), answer("there"))
    assert [text for _, text in stored(tmp_path / "a.yaml")] == ["", "there"]


@pytest.mark.parametrize("location", ["/v1/next", "http://[::1", "mailto:a@b"])
def test_a_redirect_that_leads_nowhere_is_not(tmp_path: Path, location: str) -> None:
    with llm_vcr.VCR().use_cassette(tmp_path / "a.yaml") as cassette:
        cassette.append(asked("{}"), answer("", 307, location=[location]))
        cassette.append(Request("POST", "https://api.openai.com/v1/next", b"{}", {}), answer("error", 500))
        cassette.append(asked('{"other": 1}'), answer("other"))
    assert [text for _, text in stored(tmp_path / "a.yaml")] == ["other"]
    assert cassette.counts.recorded == 1
    assert "a redirect whose target was not kept" in cassette.why_not_kept()


def test_a_chain_of_redirects_is_kept_or_dropped_as_a_whole(tmp_path: Path) -> None:
    hops = [Request("GET", f"https://h/{number}", None, {}) for number in range(4)]
    for end, kept in ((200, 4), (500, 0)):
        path = tmp_path / f"{end}.yaml"
        with llm_vcr.VCR().use_cassette(path) as cassette:
            for number, hop in enumerate(hops[:-1]):
                cassette.append(hop, answer("", 302, location=[f"/{number + 1}"]))
            cassette.append(hops[-1], answer("end", end))
        assert cassette.counts.recorded == kept
        assert path.exists() == bool(kept)


def test_redirects_in_a_circle_are_not_kept(tmp_path: Path) -> None:
    with llm_vcr.VCR().use_cassette(tmp_path / "a.yaml") as cassette:
        for number in range(3):
            cassette.append(Request("GET", f"https://h/{number}", None, {}), answer("", 302, location=[f"/{(number + 1) % 3}"]))
    assert not (tmp_path / "a.yaml").exists()


# --- what vcrpy promises and we keep


def test_unused_episodes_are_dropped_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    record(path, '{"a": 1}', '{"b": 1}', '{"c": 1}')
    with llm_vcr.VCR(record_mode="new_episodes").use_cassette(path, drop_unused_requests=True) as cassette:
        make_call(cassette, '{"b": 1}', "")
        make_call(cassette, '{"d": 1}', "new")
    assert stored(path) == [('{"b": 1}', "1"), ('{"d": 1}', "new")]


def test_after_a_failure_nothing_is_dropped_or_stored(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    record(path, '{"a": 1}', '{"b": 1}')
    before = path.read_bytes()
    for gate in (True, False):
        opened = llm_vcr.VCR(record_mode="new_episodes").use_cassette(path, drop_unused_requests=True)
        cassette = opened.__enter__()
        make_call(cassette, '{"c": 1}', "new")
        if gate:
            cassette.gate = "the test failed"
            opened.__exit__(None, None, None)
        else:
            opened.__exit__(ValueError, ValueError(), None)
        assert path.read_bytes() == before
        assert not cassette.saved


def test_nothing_is_written_where_nothing_was_recorded(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    record(path, '{"a": 1}')
    before = path.stat()
    with llm_vcr.VCR(record_mode="new_episodes").use_cassette(path) as cassette:
        make_call(cassette, '{"a": 1}', "")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    with llm_vcr.VCR().use_cassette(tmp_path / "b.yaml"):
        pass
    assert not (tmp_path / "b.yaml").exists()


def test_what_vcrpys_own_interface_says(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    record(path, '{"a": 1}', '{"b": 1}', '{"a": 1}')
    with llm_vcr.VCR(record_mode="none").use_cassette(path) as cassette:
        assert (len(cassette), cassette.play_count, cassette.all_played) == (3, 0, False)
        assert asked('{"a": 1}') in cassette
        assert asked('{"x": 1}') not in cassette
        assert [one["body"]["string"] for one in cassette.responses_of(asked('{"a": 1}'))] == [b"0", b"2"]
        with pytest.raises(UnhandledHTTPRequestError):
            cassette.responses_of(asked('{"x": 1}'))
        with pytest.raises(UnhandledHTTPRequestError):
            cassette.play_response(asked('{"x": 1}'))
        assert cassette.counts == type(cassette.counts)(), "asking is no call"
        for body in ('{"a": 1}', '{"b": 1}', '{"a": 1}'):
            make_call(cassette, body, "")
        assert (cassette.play_count, cassette.all_played) == (3, True)
        cassette.rewind()
        assert cassette.play_count == 0
        assert [make_call(cassette, '{"a": 1}', "") for _ in range(3)] == ["0", "2", "2"]


def test_a_custom_matcher_decides_with_ours(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    ours = llm_vcr.VCR(record_mode="none")
    ours.register_matcher("tenant", lambda r1, r2: r1.headers.get("tenant") == r2.headers.get("tenant"))
    with llm_vcr.VCR().use_cassette(path) as cassette:
        cassette.append(asked("{}", tenant="a"), answer("a"))
        cassette.append(asked("{}", tenant="b"), answer("b"))
    with ours.use_cassette(path, additional_matchers=["tenant"]) as cassette:
        assert [cassette.play_response(asked("{}", tenant=one))["body"]["string"] for one in "ba"] == [b"b", b"a"]
        assert not cassette.can_play_response_for(asked("{}", tenant="c"))


def test_a_match_without_a_body_is_noted(tmp_path: Path) -> None:
    for match_on, noted in (
        (["method", "uri"], True),
        (["uri", "llm_body"], False),
        (["uri", "body"], False),
        (["uri", "llm_request"], False),
    ):
        with llm_vcr.VCR(match_on=match_on).use_cassette(tmp_path / "a.yaml") as cassette:
            assert bool(cassette.notes) is noted


def test_eight_threads_share_out_the_episodes(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    record(path, *["{}"] * 40)
    got: list[str | None] = []
    start = threading.Barrier(8)
    with llm_vcr.VCR(record_mode="none").use_cassette(path, allow_playback_repeats=False) as cassette:

        def ask() -> None:
            start.wait()
            got.extend([make_call(cassette, "{}", "") for _ in range(6)])

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(60)
    assert sorted(one for one in got if one is not None) == sorted(map(str, range(40)))
    assert (cassette.counts.played, cassette.counts.refused) == (40, 8)


@pytest.mark.parametrize("token", UUIDS[:2], ids=["exact", "masked"])
def test_an_episode_that_was_promised_is_nobody_elses(tmp_path: Path, token: str) -> None:
    path = tmp_path / "a.yaml"
    record(path, *[prompt("a", UUIDS[0])] * 3)
    with llm_vcr.VCR(record_mode="none").use_cassette(path, allow_playback_repeats=False) as cassette:
        first, second, third, fourth = (asked(prompt("a", token)) for _ in range(4))
        assert [cassette.can_play_response_for(one) for one in (first, second, first, third, fourth)] == [True] * 4 + [False]
        assert [cassette.play_response(one)["body"]["string"] for one in (third, first, second)] == [b"2", b"0", b"1"]


def test_a_save_that_fails_is_told_and_raises_nothing(tmp_path: Path) -> None:
    class Broken:
        @staticmethod
        def load_cassette(path: str, serializer: Any) -> Any:
            return [], []

        @staticmethod
        def save_cassette(path: str, cassette_dict: Any, serializer: Any) -> None:
            raise OSError(28, "No space left on device")

    ours = llm_vcr.VCR(record_mode="new_episodes")
    with ours.use_cassette(tmp_path / "a.yaml", persister=Broken) as cassette:
        make_call(cassette, "{}", "answer")
    assert cassette.why_not_kept() == ["not saved: OSError: [Errno 28] No space left on device"]
    assert not cassette.saved
    assert issubclass(NotSavedWarning, UserWarning)
