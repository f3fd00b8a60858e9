"""`vcr_config` and `install` on anybody's `vcr.VCR`, and under pytest-recording without our plugin."""

from __future__ import annotations

import copy
import io
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import llm_vcr
import pytest
import vcr as vcrpy
from llm_vcr import _core
from llm_vcr.playback.cassette import Cassette
from llm_vcr.vcrpy_hooks import check_internals
from pytest_recording._vcr import CombinedPersister
from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.persisters.filesystem import FilesystemPersister
from vcr.serializers import yamlserializer

from tests.fake_provider import FakeProvider, noise_png

KEY = "sk-proj-v0XKHD5xIFxUYA5oiXdYlu2FG" + "_2CgDgkWSn3NZ71"
PHOTO = noise_png(200, 150, random.Random(1))


def ask(url: str, prompt: str = "hello", key: str = KEY, **more: Any) -> str:
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}], **more}
    return httpx2.post(f"{url}/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=10).text


def edit(url: str, photo: bytes = PHOTO, prompt: str = "a hat") -> bytes:
    files = {"image": ("a.png", io.BytesIO(photo), "image/png")}
    fields = {"prompt": prompt, "model": "gpt-image-2", "size": "64x64"}
    return httpx2.post(f"{url}/v1/images/edits", files=files, data=fields, headers={"Authorization": f"Bearer {KEY}"}, timeout=10).content


# --- a plain vcr.VCR, with nothing of ours but its keyword arguments


def plain(**more: Any) -> vcrpy.VCR:
    return vcrpy.VCR(**llm_vcr.vcr_config(**more))


def refused(call: Callable[[], Any]) -> bool:
    try:
        call()
    except CannotOverwriteExistingCassetteException:
        return True
    return False


def test_a_plain_vcr_replays_the_same_and_refuses_the_rest(provider: FakeProvider, tmp_path: Path) -> None:
    url, path = provider.url, str(tmp_path / "a.yaml")
    same = {"a": {"b": 1, "c": [2]}, "at": "2026-11-21T10:00:00Z", "id": "550e8400-e29b-41d4-a716-446655440000"}
    with plain().use_cassette(path) as cassette:
        assert not isinstance(cassette, Cassette)
        first = ask(url, metadata=same), edit(url)
    provider.stop()
    again = {"id": "6ba7b810-9dad-41d1-80b4-00c04fd430c8", "at": "2025-01-01T00:00:00Z", "a": {"c": [2], "b": 1}}
    with plain(record_mode="none").use_cassette(path, allow_playback_repeats=True):
        assert ask(url, metadata=again) == first[0]
        assert len(edit(url)) > 100
        assert refused(lambda: ask(url, "another prompt", metadata=same))
        assert refused(lambda: ask(url, metadata={**same, "a": 1}))
        assert refused(lambda: ask(url, key="sk-another-key", metadata=same))
        assert refused(lambda: edit(url, prompt="a cap"))
        assert refused(lambda: edit(url, PHOTO[:-20] + bytes(20)))


def test_a_plain_vcr_stores_no_secret_and_no_failure(provider: FakeProvider, tmp_path: Path) -> None:
    url, path = provider.url, tmp_path / "a.yaml"
    with plain().use_cassette(str(path)):
        ask(url, f"my key is {KEY}")
        ask(url, "fail always with 503")
        edit(url)
    text = path.read_text(encoding="utf-8")
    assert KEY not in text
    assert "code: 503" not in text
    assert "set-cookie" not in text.lower()
    assert text.count("\n- request:") == 2
    assert len(text) < len(PHOTO), "the picture was stored in full"


def test_a_plain_vcr_leaves_stored_episodes_as_they_are(provider: FakeProvider, tmp_path: Path) -> None:
    path = str(tmp_path / "a.yaml")
    with vcrpy.VCR().use_cassette(path):
        ask(provider.url, "one")
        ask(provider.url, "fail always with 404")
    stock = FilesystemPersister.load_cassette(path, yamlserializer)
    with plain(record_mode="new_episodes").use_cassette(path):
        ask(provider.url, "one")
        ask(provider.url, "two")
    requests, responses = FilesystemPersister.load_cassette(path, yamlserializer)
    assert len(requests) == 3
    assert [one._to_dict() for one in requests[:2]] == [one._to_dict() for one in stock[0]]
    assert responses[:2] == stock[1]


def test_settings_and_keywords_are_told_apart() -> None:
    config = llm_vcr.vcr_config(media="keep", ignore=["a"], record_mode="none", filter_headers=["x"], match_on=["uri"])
    assert (config["record_mode"], config["filter_headers"], config["match_on"]) == ("none", ["x"], ["uri"])
    assert not {"media", "ignore"} & config.keys()
    assert vcrpy.VCR(**config).match_on == ["uri"]


def test_settings_of_a_plain_vcr_count(provider: FakeProvider, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    ours = {"media": "keep", "ignore": ["user"], "credential": "ignore"}
    with plain(**ours).use_cassette(str(path)):
        first = ask(provider.url, user="a")
        edit(provider.url)
    assert path.stat().st_size > len(PHOTO)
    with plain(**ours, record_mode="none").use_cassette(str(path)):
        assert ask(provider.url, user="b", key="sk-another") == first


def test_a_users_filter_runs_after_ours_there_too(provider: FakeProvider, tmp_path: Path) -> None:
    seen = []

    def mine(request: Any) -> Any:
        seen.append(dict(request.headers))
        return request

    with plain(before_record_request=mine).use_cassette(str(tmp_path / "a.yaml")):
        ask(provider.url)
    assert seen
    assert all(KEY not in str(headers) and "x-llm-vcr-key" in headers for headers in seen)


def test_a_deep_copy_does_the_same(provider: FakeProvider, tmp_path: Path) -> None:
    config = copy.deepcopy(llm_vcr.vcr_config())
    with vcrpy.VCR(**config).use_cassette(str(tmp_path / "a.yaml")):
        first = ask(provider.url)
    with vcrpy.VCR(**copy.deepcopy(config), record_mode="none").use_cassette(str(tmp_path / "a.yaml")):
        assert ask(provider.url) == first


# --- install


def test_install_on_a_configured_vcr_takes_its_settings_over(provider: FakeProvider, tmp_path: Path) -> None:
    ours = llm_vcr.install(plain(ignore=["user"], media="keep"))
    with ours.use_cassette(tmp_path / "a.yaml") as cassette:
        first = ask(provider.url, user="a")
        assert isinstance(cassette, Cassette)
        assert cassette.policy.settings.media == "keep"
    with ours.use_cassette(tmp_path / "a.yaml", record_mode="none") as cassette:
        assert ask(provider.url, user="b") == first
        assert cassette.counts.played == 1


def test_install_changes_one_object_only() -> None:
    attributes = {name: getattr(vcrpy.VCR, name) for name in dir(vcrpy.VCR)}
    other = vcrpy.VCR()
    before = dict(vars(other))
    llm_vcr.install(vcrpy.VCR())
    assert vars(other) == before
    assert {name: getattr(vcrpy.VCR, name) for name in dir(vcrpy.VCR)} == attributes


def test_a_persister_of_the_users_stays(provider: FakeProvider, tmp_path: Path) -> None:
    kept: dict[str, Any] = {}

    class Memory:
        @staticmethod
        def load_cassette(path: str, serializer: Any) -> Any:
            if path not in kept:
                raise vcrpy.persisters.filesystem.CassetteNotFoundError
            return kept[path]

        @staticmethod
        def save_cassette(path: str, cassette_dict: Any, serializer: Any) -> None:
            kept[path] = cassette_dict["requests"], cassette_dict["responses"]

    mine = vcrpy.VCR()
    mine.register_persister(Memory)
    ours = llm_vcr.install(mine)
    with ours.use_cassette("a"):
        first = ask(provider.url)
    with ours.use_cassette("a", record_mode="none"):
        assert ask(provider.url) == first
    assert KEY not in repr([one._to_dict() for one in kept["a"][0]])


def test_a_vcrpy_that_lacks_something_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(vcrpy.cassette.Cassette, "write_protected")
    check_internals.cache_clear()
    with pytest.raises(llm_vcr.LlmVcrError, match=r"vcrpy 9\.\d.* no longer has vcr\.cassette:Cassette\.write_protected"):
        llm_vcr.install(vcrpy.VCR())


# --- pytest-recording


def test_pytest_recordings_reader_reads_what_we_write(provider: FakeProvider, tmp_path: Path) -> None:
    path = str(tmp_path / "a.yaml")
    with llm_vcr.VCR().use_cassette(path):
        ask(provider.url, "one ☀")
        edit(provider.url)
    requests, responses = CombinedPersister([]).load_cassette(path, yamlserializer)
    stock_requests, stock_responses = FilesystemPersister.load_cassette(path, yamlserializer)
    assert [one._to_dict() for one in requests] == [one._to_dict() for one in stock_requests]
    assert responses == stock_responses
    assert len(responses) == 2


def test_under_pytest_recording_without_our_plugin(provider: FakeProvider, pytester: pytest.Pytester, monkeypatch: Any) -> None:
    monkeypatch.setenv("PROVIDER_URL", provider.url)
    pytester.makeconftest(
        """
        import llm_vcr, pytest

        @pytest.fixture(scope="session")
        def vcr_config():
            return llm_vcr.vcr_config(ignore=["user"])
        """
    )
    pytester.makepyfile(
        """
        import io, os, random, httpx2, pytest

        URL = os.environ["PROVIDER_URL"]
        HEADERS = {"Authorization": "Bearer sk-any"}

        @pytest.mark.vcr
        def test_chat():
            body = {"model": "m", "user": str(random.random()), "messages": [{"role": "user", "content": "hello"}]}
            assert httpx2.post(URL + "/v1/chat/completions", json=body, headers=HEADERS, timeout=5).status_code == 200

        @pytest.mark.vcr
        def test_upload():
            files = {"file": ("a.wav", io.BytesIO(b"RIFF\\0\\0\\0\\0WAVEfmt " + bytes(100)), "audio/wav")}
            answer = httpx2.post(URL + "/v1/audio/transcriptions", files=files, data={"model": "w"}, headers=HEADERS, timeout=5)
            assert answer.status_code == 200
        """
    )
    for mode, calls in (("once", 2), ("none", 2)):
        told = pytester.runpytest_subprocess("-p", "no:llm_vcr", f"--record-mode={mode}", "-q")
        told.assert_outcomes(passed=2)
        assert provider.count == calls
    assert "sk-any" not in "".join(one.read_text() for one in pytester.path.rglob("*.yaml"))
    assert "llm_vcr" not in told.stdout.str()


def test_what_the_core_calls_a_secret_is_what_the_test_plants() -> None:
    assert _core.scan(KEY.encode()), "this file's key is no key: its tests would prove nothing"
    assert "vcr" in sys.modules
