"""What is patched while a cassette is open: all that vcrpy would, put back whatever happens, and built once for many cassettes."""

from __future__ import annotations

import gc
import http.client
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import httpx
import llm_vcr
import pytest
import requests
import vcr as vcrpy
from hypothesis import given
from hypothesis import strategies as st
from llm_vcr import _core, patches
from llm_vcr.swaps import Swaps
from vcr.patch import CassettePatcherBuilder

from tests.fake_provider import FakeProvider


def every_patch() -> Iterator[tuple[Any, str]]:
    """What stock vcrpy patches for everything that is installed here."""
    with vcrpy.VCR().use_cassette("nowhere.yaml", record_mode="none") as cassette:
        for patcher in CassettePatcherBuilder(cassette).build():
            if isinstance(patcher, mock._patch):  # type: ignore[attr-defined]
                yield patcher.getter(), patcher.attribute


PLACES = [*every_patch()]
KEY = {"Authorization": "Bearer sk-of-the-session"}


def found() -> list[Any]:
    """What stands in each of those places."""
    return [(owner.__dict__.get(name), getattr(owner, name)) for owner, name in PLACES]


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = found()
    yield
    assert found() == before


def test_all_that_vcrpy_patches_is_patched(tmp_path: Path) -> None:
    before = found()
    for _ in range(3):
        with llm_vcr.VCR().use_cassette(tmp_path / "a.yaml"):
            same = [place for place, was, now in zip(PLACES, before, found(), strict=True) if was[1] == now[1]]
            assert not same
        assert found() == before


def test_what_a_user_skips_is_not_patched(tmp_path: Path) -> None:
    with llm_vcr.VCR().use_cassette(tmp_path / "a.yaml", skip_patchers=["httpx"]):
        assert httpx.HTTPTransport.handle_request is vcrpy.patch._HttpxHttpTransport_handle_request
        assert http.client.HTTPConnection is not vcrpy.patch._HTTPConnection


def test_the_patches_are_built_once(tmp_path: Path) -> None:
    ours = llm_vcr.VCR()
    seen = []
    for number in range(6):
        # What others have left to be collected counts as held, and a set that is held is built anew.
        gc.collect()
        with ours.use_cassette(tmp_path / f"{number}.yaml"):
            seen.append((id(httpx.HTTPTransport.handle_request), id(http.client.HTTPConnection)))
    assert len({*seen[1:]}) == 1


def test_what_knows_no_cassette_may_be_held(tmp_path: Path) -> None:
    ours = llm_vcr.VCR()
    held, seen = [], set()
    with ours.use_cassette(tmp_path / "first.yaml"):
        pass
    for number in range(4):
        with ours.use_cassette(tmp_path / f"{number}.yaml"):
            # Of the class that is put in the place of vcrpy's.
            held.append(vcrpy.stubs.Request("GET", "http://localhost/", None, {}))
            seen.add(id(http.client.HTTPConnection))
    assert len(seen) == 1


def test_each_call_goes_to_the_cassette_that_is_open(provider: FakeProvider, tmp_path: Path) -> None:
    ours = llm_vcr.VCR()
    with httpx.Client(headers=KEY) as client, requests.Session() as session:
        session.headers.update(KEY)
        for number in range(3):
            with ours.use_cassette(tmp_path / f"{number}.yaml") as outer:
                client.get(f"{provider.url}/v1/models", params={"outer": number})
                with ours.use_cassette(tmp_path / f"{number}-inner.yaml") as inner:
                    client.get(f"{provider.url}/v1/models", params={"inner": number})
                    session.get(f"{provider.url}/v1/models", params={"inner": number}, timeout=10)
                session.get(f"{provider.url}/v1/models", params={"outer": number}, timeout=10)
            assert [one.query for one in outer.requests] == [[("outer", str(number))]] * 2
            assert [one.query for one in inner.requests] == [[("inner", str(number))]] * 2


def test_what_outlives_its_cassette_stays_its_own(provider: FakeProvider, tmp_path: Path) -> None:
    ours = llm_vcr.VCR()
    with ours.use_cassette(tmp_path / "a.yaml") as first:
        connection: Any = http.client.HTTPConnection("127.0.0.1", provider.port)
        send = httpx.HTTPTransport.handle_request
    with ours.use_cassette(tmp_path / "b.yaml") as second:
        assert patches.actual(connection.cassette) is first
        connection.request("GET", "/v1/models", headers=KEY)
        connection.getresponse().read()
        with httpx.HTTPTransport() as transport:
            send(transport, httpx.Request("GET", f"{provider.url}/v1/models", headers=KEY)).read()
    connection.close()
    assert (len(first), len(second)) == (2, 0)


def test_a_cassette_is_not_kept_alive(provider: FakeProvider, tmp_path: Path) -> None:
    ours = llm_vcr.VCR()
    gc.collect()
    gc.disable()  # it is gone when it is left, and not some time later
    try:
        for _ in range(2):
            with ours.use_cassette(tmp_path / "a.yaml") as cassette, httpx.Client(headers=KEY) as client:
                client.get(f"{provider.url}/v1/models")
            left = [weakref.ref(one) for one in (cassette, *cassette.requests)]
            del cassette
            assert [one() for one in left] == [None, None]
    finally:
        gc.enable()


def test_a_context_is_used_once_at_a_time(tmp_path: Path) -> None:
    for library in (vcrpy.VCR(), llm_vcr.VCR()):
        context = library.use_cassette(tmp_path / "a.yaml")
        for _ in range(2):
            with context, pytest.raises(AssertionError, match="already open"):
                context.__enter__()
        with pytest.raises(TypeError, match="needs a path"):
            library.use_cassette().__enter__()
        (tmp_path / "b.yaml").write_text("broken: [")
        for _ in range(2):
            with pytest.raises(Exception, match=r"(?i)b\.yaml|expected"):
                context = library.use_cassette(tmp_path / "b.yaml").__enter__()


def test_somebody_elses_patch_is_seen_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = llm_vcr.VCR()
    with ours.use_cassette(tmp_path / "a.yaml"):
        pass

    def theirs(*_: Any) -> Any:
        raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr(httpx.HTTPTransport, "handle_request", theirs)
        with ours.use_cassette(tmp_path / "b.yaml"):
            assert httpx.HTTPTransport.handle_request is not theirs
        assert httpx.HTTPTransport.handle_request is theirs


def test_patches_of_the_users_last_as_long_as_the_cassette(tmp_path: Path) -> None:
    place = SimpleNamespace(value=1)
    ours = llm_vcr.VCR(custom_patches=((place, "value", [2]),))
    for _ in range(2):
        with ours.use_cassette(tmp_path / "a.yaml"):
            assert place.value == [2]
        assert place.value == 1


def test_cassettes_of_several_threads_leave_nothing_behind(tmp_path: Path) -> None:
    ours = llm_vcr.VCR()
    with ours.use_cassette(tmp_path / "first.yaml"):
        pass
    start = threading.Barrier(4)

    def work(name: str) -> None:
        start.wait(30)
        for number in range(5):
            # Threads that leave in another order than they entered in undo each other's patches, with vcrpy as with us.
            with turns, ours.use_cassette(tmp_path / f"{name}{number}.yaml"):
                assert httpx.HTTPTransport.handle_request is not vcrpy.patch._HttpxHttpTransport_handle_request

    turns = threading.Lock()
    threads = [threading.Thread(target=work, args=[name]) for name in "abcd"]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)


# --- swaps, against `mock.patch.object`


def classes() -> dict[str, Any]:
    class Base:
        a = 1
        b = staticmethod(len)

    class Sub(Base):
        a = 2

        @classmethod
        def c(cls) -> None:
            """Be a descriptor, which a class does not give as it holds it."""

    return {"Base": Base, "Sub": Sub, "module": SimpleNamespace(a=1, b=2, c=3)}


def states(owners: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: {key: owner.__dict__[key] for key in ("a", "b", "c") if key in owner.__dict__} for name, owner in owners.items()}


PLACED = [(owner, name) for owner in ("Base", "Sub", "module") for name in "abc" if (owner, name) != ("Base", "c")]


@given(st.lists(st.tuples(st.sampled_from(PLACED), st.integers())))
def test_swaps_do_what_mock_does(drawn: list[tuple[tuple[str, str], int]]) -> None:
    some = [(*place, new) for place, new in drawn]
    owners, twins = classes(), classes()
    before = states(owners)
    swaps = Swaps((owners[owner], name, new) for owner, name, new in some)
    patchers = [mock.patch.object(twins[owner], name, new) for owner, name, new in some]
    for _ in range(2):
        assert swaps.fits()
        swaps.put()
        for patcher in patchers:
            patcher.start()
        read = [[getattr(both[owner], name) for owner, name, _ in some] for both in (owners, twins)]
        assert read[0] == read[1]
        swaps.put_back()
        for patcher in reversed(patchers):
            patcher.stop()
        assert states(owners) == before


@given(st.lists(st.tuples(st.sampled_from(["module", "Own", "Heir"]), st.sampled_from(["a", "b", "gone"]), st.integers(0, 2)), max_size=4))
def test_what_stands_is_what_a_look_at_each_finds(drawn: list[tuple[str, str, int]]) -> None:
    first = type("First", (), {"a": object(), "b": object()})
    heir = type("Heir", (first,), {"b": object()})
    module = {"a": object(), "b": object()}
    owners: dict[str, tuple[Any, Any]] = {
        "module": (module, module.get),
        "Own": (vars(first), vars(first).get),
        "Heir": (heir, lambda name: getattr(heir, name, None)),
    }
    there = [owners[owner][1](name) for owner, name, _ in drawn]
    values = [one if kind else object() for one, (_, _, kind) in zip(there, drawn, strict=True)]
    found = _core.stand(tuple(owners[one][0] for one, _, _ in drawn), tuple(name for _, name, _ in drawn), tuple(values))
    assert found == all(one is not None and one is value for one, value in zip(there, values, strict=True))


def test_swaps_that_cannot_all_be_put_are_not_put() -> None:
    owners = classes()
    before = states(owners)
    swaps = Swaps([(owners["Base"], "a", 5), (owners["Sub"], "b", 6), (int, "real", 7)])
    with pytest.raises(TypeError):
        swaps.put()
    assert states(owners) == before


def test_what_is_replaced_by_itself_is_put_back_too() -> None:
    owners = classes()
    swaps = Swaps([(owners["Base"], "a", owners["Base"].a), (owners["module"], "b", 7)])
    before = states(owners)
    for theirs_stays, left in ((True, 9), (False, 1)):
        swaps.put()
        owners["Base"].a = 9
        swaps.put_back(theirs_stays=theirs_stays)
        assert owners["Base"].a == left
        owners["Base"].a = 1
    assert states(owners) == before
    owners["Base"].a = 9
    assert not swaps.fits()


def test_what_others_took_for_the_original_is_told_by_its_place() -> None:
    # vcrpy puts one class of its own in several places of urllib3.
    owners = classes()
    before = states(owners)
    below, above = (Swaps([(owners["Base"], "a", value), (owners["module"], "b", value)]) for value in (object(), object()))
    below.put()
    ours = owners["Base"].a
    owners["Base"].a = owners["module"].b = "theirs"
    below.put_back(theirs_stays=True)
    above.put()
    owners["Base"].a = owners["module"].b = ours  # they leave, and put back what they had found
    above.put_back(theirs_stays=True)
    assert states(owners) == before


@pytest.mark.parametrize(("owner", "name"), [("Base", "a"), ("Sub", "b"), ("module", "c")])
def test_swaps_do_not_fit_what_has_changed(owner: str, name: str) -> None:
    owners = classes()
    swaps = Swaps([(owners[owner], name, 5)])
    assert swaps.fits()
    setattr(owners[owner], name, 9)
    assert not swaps.fits()
