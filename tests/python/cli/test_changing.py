"""clear, normalize, dedupe, prune: a copy is put aside, and what is not meant stays as it is."""

from __future__ import annotations

import asyncio
import io
import json
import os
from pathlib import Path

import aiohttp
import httpx
import llm_vcr
import pytest
import requests
import vcr as vcrpy

from tests.fake_provider import FakeProvider
from tests.python.cli.place import HELLO, IMAGE, STREAM, Place, episode, everywhere

KEY = "sk-proj-" + "aB3dE5gH7jK9" * 8


def backups(place: Place) -> dict[str, Path]:
    folder = place.root / ".llm-vcr" / "backup"
    return {"/".join(path.relative_to(folder).parts[1:]): path for path in folder.rglob("*.yaml")}


def test_clear_forgets_a_cassette_and_keeps_a_copy(place: Place) -> None:
    before = (place.root / HELLO).read_bytes()
    told = place.json("clear", HELLO)
    assert told["cleared"] == "all"
    assert place.store.load(HELLO) is None
    assert place.store.load(STREAM) is not None
    assert backups(place)[HELLO].read_bytes() == before
    assert (place.root / ".llm-vcr" / ".gitignore").read_text() == "*\n"


@everywhere
def test_clear_one_episode(place: Place) -> None:
    second = place.json("show", HELLO, "2")["episodes"][0]
    recorded_at = place.load(HELLO).recorded_at
    told = place.json("clear", HELLO, "--episode", second["fingerprint"])
    assert told["left"] == 2
    left = place.json("show", HELLO)
    assert [one["request"]["body"]["messages"][0]["content"] for one in left["episodes"]] == ["hi", "hi"]
    assert place.load(HELLO).recorded_at == recorded_at, "it became no fresher"
    assert "forgot 1 episode" in place.run("clear", HELLO, "--episode", "1").output


def test_clear_a_file_that_cannot_be_read(place: Place) -> None:
    (place.root / HELLO).write_text("interactions: [")
    assert place.run("clear", HELLO).exit_code == 0
    assert not (place.root / HELLO).exists()
    assert backups(place)[HELLO].read_text() == "interactions: ["


@everywhere
def test_clear_what_is_not_there(place: Place) -> None:
    result = place.run("clear", "test_helo")
    assert result.exit_code == 2
    assert HELLO in result.output


@everywhere
def test_normalize_has_nothing_to_do_with_what_we_wrote(empty: Place) -> None:
    with FakeProvider() as provider, llm_vcr.VCR().use_cassette(HELLO) as cassette:
        for call in calls(provider.url).values():
            call()
    assert cassette.counts.recorded == 5
    before = (empty.root / HELLO).read_bytes()
    assert empty.json("normalize")["cassettes"] == []
    assert "nothing to repair" in empty.run("normalize", "--write").output
    assert (empty.root / HELLO).read_bytes() == before
    assert not backups(empty)


def test_normalize_takes_secrets_out(empty: Place) -> None:
    empty.put(
        HELLO, episode(f"my key: {KEY}", headers={"authorization": [f"Bearer {KEY}"]}, uri=f"https://api.openai.com/v1/x?api_key={KEY}")
    )
    before = (empty.root / HELLO).read_bytes()
    told = empty.json("normalize", status=1)
    assert (told["written"], told["cassettes"][0]["repairs"]) == (False, {"secret": 1})
    assert (empty.root / HELLO).read_bytes() == before, "without --write nothing is changed"
    assert empty.json("scan", status=1)["secrets"]
    assert empty.json("normalize", "--write")["written"]
    assert empty.json("scan")["secrets"] == []
    assert backups(empty)[HELLO].read_bytes() == before
    assert "nothing to repair" in empty.run("normalize").output


def test_normalize_makes_media_small_where_the_settings_say_so(empty: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    image = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0\x08\2\0\0\0" + os.urandom(200_000)
    empty.put(IMAGE, episode(answer_body=image, answer_type="image/png"))
    monkeypatch.setenv("LLM_VCR_MEDIA", "keep")
    assert empty.json("normalize")["cassettes"] == []
    monkeypatch.delenv("LLM_VCR_MEDIA")
    (row,) = empty.json("normalize", "--write")["cassettes"]
    assert row["repairs"] == {"media": 1}
    assert row["bytes_after"] < 5_000


# What vcrpy up to 8 wrote for a form of aiohttp, cut to what it is made of; today's loader refuses it.
OLD_FORM = """interactions:
- request:
    body: !!python/object:aiohttp.formdata.FormData
      _charset: null
      _fields:
      - !!python/tuple
        - !!python/object/apply:multidict._multidict.MultiDict
          - - !!python/tuple
              - name
              - model
        - {}
        - whisper-1
      - !!python/tuple
        - !!python/object/apply:multidict._multidict.MultiDict
          - - !!python/tuple
              - name
              - file
            - !!python/tuple
              - filename
              - a.wav
        - {}
        - !!binary |
          UklGRv/+
      _is_multipart: true
      _is_processed: true
      _quote_fields: true
      _writer: !!python/object:aiohttp.multipart.MultipartWriter
        _boundary: !!binary |
          YjMyNTdjZTAwZjUzNGE2MmI5MzIyNzUwNjU5YWQ5N2I=
    headers:
      authorization:
      - Bearer KEY
    method: POST
    uri: URL/v1/audio/transcriptions
  response:
    body:
      string: '{"text": "the form of aiohttp"}'
    headers:
      Content-Type:
      - application/json
    status:
      code: 200
      message: OK
version: 1
"""

CHAT = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}).encode()


def of_aiohttp(url: str, data: object, headers: dict[str, str]) -> str:
    async def call() -> str:
        async with aiohttp.ClientSession() as session, session.post(url, data=data, headers=headers) as response:
            return await response.text()

    return asyncio.run(call())


def form() -> aiohttp.FormData:
    made = aiohttp.FormData()
    made.add_field("model", "whisper-1")
    made.add_field("file", b"RIFF\xff\xfe", filename="a.wav")
    return made


def calls(url: str) -> dict[str, object]:
    """The calls whose recordings stock vcrpy cannot replay, or not any more."""
    chat, audio = f"{url}/v1/chat/completions", f"{url}/v1/audio/transcriptions"
    head = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    files, data, key = {"file": ("a.wav", b"RIFF\xff\xfe")}, {"model": "whisper-1"}, {"authorization": f"Bearer {KEY}"}
    return {
        "requests_generator": lambda: requests.post(chat, data=(part for part in (CHAT[:9], CHAT[9:])), headers=head).text,
        "requests_file": lambda: requests.post(chat, data=io.BytesIO(CHAT), headers=head).text,
        "requests_form": lambda: requests.post(audio, files=files, data=data, headers=key).text,
        "httpx_form": lambda: httpx.post(audio, files=files, data=data, headers=key).text,
        "aiohttp_file": lambda: of_aiohttp(chat, io.BytesIO(CHAT), head),
    }


def test_normalize_mends_what_stock_vcrpy_wrote(empty: Place) -> None:
    folder = empty.root / "cassettes"
    stock = vcrpy.VCR(cassette_library_dir=str(folder), match_on=["method", "scheme", "host", "port", "path", "query", "body"])
    with FakeProvider() as provider:
        answers = {}
        for name, call in calls(provider.url).items():
            with stock.use_cassette(f"{name}.yaml"):
                answers[name] = call()
        (folder / "aiohttp_form.yaml").write_text(OLD_FORM.replace("URL", provider.url).replace("KEY", KEY))
        url = provider.url
    told = empty.json("normalize", "--write")
    repairs = {row["cassette"].rpartition("/")[2]: row["repairs"] for row in told["cassettes"]}
    assert repairs["aiohttp_form.yaml"] == {"secret": 1, "boundary": 1, "unloadable body": 1}
    assert repairs["httpx_form.yaml"].keys() >= {"secret", "boundary"}
    assert len(repairs) == 6
    assert empty.json("scan")["secrets"] == []

    # The provider is gone: whatever is not answered from the cassette fails.
    ours = llm_vcr.VCR(cassette_library_dir=str(folder), record_mode="none")
    replays = calls(url) | {"aiohttp_form": lambda: of_aiohttp(f"{url}/v1/audio/transcriptions", form(), {})}
    for name, call in replays.items():
        with ours.use_cassette(f"{name}.yaml") as cassette:
            assert call() == answers.get(name, '{"text": "the form of aiohttp"}')
        assert (cassette.counts.played, cassette.counts.live, cassette.counts.refused) == (1, 0, 0), name
    # Stock vcrpy reads what was repaired.
    with vcrpy.use_cassette(str(folder / "aiohttp_form.yaml")) as cassette:
        assert len(cassette.responses) == 1


def test_normalize_never_runs_what_a_file_says(empty: Place) -> None:
    evil = OLD_FORM.replace("- {}\n        - whisper-1", '- {}\n        - !!python/object/apply:os.system ["touch owned"]')
    (empty.root / "cassettes").mkdir()
    (empty.root / "cassettes" / "evil.yaml").write_text(evil)
    result = empty.run("normalize", "--write")
    assert result.exit_code == 2
    assert "os.system" in result.stderr
    assert not (empty.root / "owned").exists()
    assert (empty.root / "cassettes" / "evil.yaml").read_text() == evil


def test_normalize_goes_on_after_a_file_that_cannot_be_read(place: Place) -> None:
    (place.root / HELLO).write_text("interactions: [")
    place.put("tests/cassettes/test_z.yaml", episode(headers={"x-api-key": [KEY]}))
    told = place.json("normalize", "--write", status=2)
    assert [one["path"] for one in told["unreadable"]] == [HELLO]
    assert [row["cassette"] for row in told["cassettes"]] == ["tests/cassettes/test_z.yaml"]
    assert (place.root / HELLO).read_text() == "interactions: ["


@everywhere
def test_dedupe_drops_what_a_repeat_says_anyway(empty: Place) -> None:
    empty.put(HELLO, *(episode("poll", answer=answer) for answer in ("queued", "queued", "done", "done", "done")), episode("other"))
    told = empty.json("dedupe", status=1)
    assert told["cassettes"] == [{"cassette": HELLO, "dropped": [4, 5], "left": 4}]
    assert len(empty.load(HELLO).episodes) == 6
    empty.json("dedupe", "--write")
    answers = [json.loads(one.response["body"]["string"])["choices"][0]["message"]["content"] for one in empty.load(HELLO).episodes]
    assert answers == ["queued", "queued", "done", "hello"]
    assert HELLO in backups(empty)
    assert "no episode says the same twice" in empty.run("dedupe").output


TESTS = """
import pytest

def test_hello(): pass

@pytest.mark.parametrize("name", ["a/b", "plain"])
def test_named(name): pass

class TestGroup:
    def test_inside(self): pass

@pytest.mark.default_cassette("given.yaml")
@pytest.mark.vcr("extra.yaml")
def test_given(): pass
"""

OWNED = ["test_hello", "test_named[a-b]", "test_named[plain]", "TestGroup.test_inside", "given"]


@everywhere
def test_prune_drops_cassettes_without_a_test(empty: Place) -> None:
    (empty.root / "tests").mkdir()
    (empty.root / "tests" / "test_chat.py").write_text(TESTS)
    owned = [f"tests/cassettes/test_chat/{name}.yaml" for name in OWNED]
    orphans = ["tests/cassettes/test_chat/test_gone.yaml", "tests/cassettes/test_removed/test_hello.yaml"]
    for name in (*owned, *orphans):
        empty.put(name, episode())
    told = empty.json("prune", "--orphans", status=1)
    assert told["orphans"] == orphans
    assert told["tests"] == 5
    assert empty.json("prune", "--orphans", "--write")["orphans"] == orphans
    assert sorted(empty.store.scan()) == sorted(owned)
    assert set(backups(empty)) == set(orphans)
    assert "every cassette has a test" in empty.run("prune", "--orphans").output


@everywhere
def test_prune_knows_names_where_the_folder_is_the_users(empty: Place) -> None:
    (empty.root / "test_chat.py").write_text("def test_hello(): pass\n")
    (empty.root / "conftest.py").write_text(
        "import pytest\n@pytest.fixture(scope='module')\ndef vcr_cassette_dir(request): return 'recordings'\n"
    )
    empty.put("recordings/test_hello.yaml", episode())
    empty.put("recordings/test_gone.yaml", episode())
    assert empty.json("prune", "--orphans", status=1)["orphans"] == ["recordings/test_gone.yaml"]


def test_prune_drops_nothing_where_pytest_cannot_collect(place: Place) -> None:
    (place.root / "test_broken.py").write_text("import nothing_of_this_name\n")
    result = place.run("prune", "--orphans", "--write")
    assert result.exit_code == 2
    assert "nothing_of_this_name" in result.output
    assert len(list(place.store.scan())) == 3


@everywhere
def test_as_a_process(place: Place) -> None:
    assert place.process("normalize").returncode == 0
    assert place.process("dedupe").returncode == 0
    done = place.process("clear", "nothing")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_flush_of_files_keeps_copies(place: Place) -> None:
    assert [one["cassette"] for one in place.json("flush", "--match", "*test_chat*", "--dry-run")["flushed"]] == [HELLO, STREAM]
    assert place.json("flush", "--older-than", "1d")["flushed"] == []
    place.json("flush", "--match", "*test_chat*")
    assert list(place.store.scan()) == [IMAGE]
    assert set(backups(place)) == {HELLO, STREAM}
    assert place.run("flush", "--overflowed").exit_code == 2
