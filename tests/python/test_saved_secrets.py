"""A secret that the filters did not catch is caught when the cassette is saved: taken out or told, and never shown."""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import llm_vcr
import pytest
import vcr as vcrpy
from llm_vcr import SecretWarning, leaks, open_store
from llm_vcr.persister import Persister
from llm_vcr.stores.base import CassetteRecord
from llm_vcr.stores.file import FileStore
from vcr.request import Request

from tests.redis_server import RedisServer

KEY = "sk-proj-" + "aB3dE5gH7jK9" * 8
_PARTS = (b'{"alg":"HS256","typ":"JWT"}', b'{"sub":"1234567890","x":1}', b"s" * 32)
JWT = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in _PARTS)
MODEL, OTHER = "https://api.openai.com/v1/chat/completions", "https://login.example.com/oauth"


def request(uri: str = MODEL, body: bytes = b'{"model":"m"}', **headers: str) -> Request:
    return Request("POST", uri, body, {"content-type": "application/json", **headers})


def answer(body: bytes = b"{}", **headers: list[str]) -> dict[str, Any]:
    return {"status": {"code": 200, "message": "OK"}, "headers": {"content-length": [str(len(body))], **headers}, "body": {"string": body}}


@pytest.fixture(params=["file", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    monkeypatch.chdir(tmp_path)
    if request.param == "file":
        yield "file", FileStore(tmp_path)
        return
    with RedisServer() as server:
        monkeypatch.setenv("LLM_VCR_STORE", server.url)
        yield server.url, open_store(server.url)


def saved(place: tuple[str, Any], asked: Request, told: dict[str, Any], **config: Any) -> tuple[CassetteRecord, list[str]]:
    """What is stored of an exchange, and what was said of it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with llm_vcr.VCR(store=place[0], **config).use_cassette("a.yaml") as cassette:
            cassette.append(asked, told)
    record = place[1].load("a.yaml")
    assert record is not None
    assert len(record.episodes) == 1, "a secret is no reason to lose a recording"
    said = [str(one.message) for one in caught if issubclass(one.category, SecretWarning)]
    assert said == [one for one in cassette.notes if "secret" in one], "the summary of a run tells it too"
    return record, said


@pytest.mark.parametrize(("value", "kind"), [(JWT, "jwt"), (base64.b64encode(f"the key is {KEY}, keep it".encode()).decode(), "openai")])
def test_what_the_filters_leave_in_an_answer_is_taken_out(place: tuple[str, Any], value: str, kind: str) -> None:
    body = json.dumps({"choices": [{"message": {"content": f"here: {value}"}}]}).encode()
    record, said = saved(place, request(), answer(body))
    assert list(leaks.of_record(record)) == []
    assert said == [f"a.yaml, episode 1: a secret ({kind}) in answer body choices[0].message.content was taken out"]
    response = record.episodes[0].response
    json.loads(response["body"]["string"])
    assert response["headers"]["content-length"] == [str(len(response["body"]["string"]))]
    assert value not in str(record)


def test_what_a_model_may_have_said_stays_and_is_told(place: tuple[str, Any]) -> None:
    body = json.dumps({"password": "correct-horse-battery"}).encode()
    record, said = saved(place, request(), answer(body))
    assert record.episodes[0].response["body"]["string"] == body
    assert said == ["a.yaml, episode 1: a secret (password) in answer body password was left, as a model may have said it"]


def test_of_anybody_else_it_is_taken_out(place: tuple[str, Any]) -> None:
    record, said = saved(place, request(OTHER), answer(b'{"access_token": "Zx8Qv2Lk9TnB4wRy7PdC1sGh"}'))
    assert b"Zx8Qv2Lk9" not in record.episodes[0].response["body"]["string"]
    assert "taken out" in said[0]


def _asked(one: Any) -> Any:
    one.headers["x-note"], one.uri, one.body = f"key {KEY}", f"{MODEL}?api_key={KEY}", json.dumps({"model": KEY}).encode()
    return one


def _told(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "headers": {"x-api-key": [KEY]}, "body": {"string": json.dumps({"k": KEY}).encode()}}


ASKED = {"request header x-note", "request query api_key", "request body model"}


@pytest.mark.parametrize(
    ("config", "places"),
    [
        ({"before_record_request": _asked}, ASKED),
        ({"before_record_response": _told}, {"answer header x-api-key", "answer body k"}),
        ({"before_save_interaction": lambda asked, told: (_asked(asked), told)}, ASKED),
    ],
    ids=["request", "answer", "saved"],
)  # fmt: skip
def test_what_a_users_filter_puts_back_is_taken_out(place: tuple[str, Any], config: dict[str, Any], places: set[str]) -> None:
    record, said = saved(place, request(), answer(), **config)
    assert list(leaks.of_record(record)) == []
    assert {one.partition(" in ")[2].partition(" was ")[0] for one in said} == places
    assert "aB3dE5gH7jK9" not in str(record) + "".join(said)


def test_nothing_is_said_of_what_holds_none(place: tuple[str, Any]) -> None:
    asked = request(authorization=f"Bearer {KEY}")
    record, said = saved(place, asked, answer(b'{"id": "chatcmpl-9f8e7d6c5b4a"}'))
    assert said == []
    assert list(leaks.of_record(record)) == []


def test_what_was_stored_before_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stock = vcrpy.VCR()
    with stock.use_cassette("a.yaml") as cassette:
        cassette.append(request(authorization=f"Bearer {KEY}"), answer(b"old"))
    with llm_vcr.VCR().use_cassette("a.yaml") as cassette:
        cassette.append(request(body=b'{"model":"n"}'), answer(b"new"))
    record = FileStore(tmp_path).load("a.yaml")
    assert record is not None
    assert [one.response["body"]["string"] for one in record.episodes] == [b"old", b"new"]
    assert [one.place for one in leaks.of_record(record)] == ["episode 1, request header authorization"]


def test_also_with_a_cassette_of_stock_vcrpy(tmp_path: Path) -> None:
    persister = Persister(FileStore(tmp_path), root=tmp_path)
    stock = vcrpy.VCR()
    stock.register_persister(persister)
    with (
        pytest.warns(SecretWarning, match="request header authorization was taken out"),
        stock.use_cassette(str(tmp_path / "a.yaml")) as cassette,
    ):
        cassette.append(request(authorization=f"Bearer {KEY}"), answer())
    assert "aB3dE5gH7jK9" not in (tmp_path / "a.yaml").read_text()


def test_a_run_that_makes_errors_of_warnings_saves_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with llm_vcr.VCR().use_cassette("a.yaml") as cassette:
            cassette.append(request(), answer(f'{{"t": "{JWT}"}}'.encode()))
    assert cassette.saved
    assert JWT not in (tmp_path / "a.yaml").read_text()


def test_saving_looks_at_no_answer_a_second_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    looked = []
    real = leaks.of_episode
    monkeypatch.setattr(leaks, "of_episode", lambda *arguments: looked.append(arguments) or real(*arguments))
    with llm_vcr.VCR().use_cassette("a.yaml") as cassette:
        cassette.append(request(), answer(b"x" * 100_000))
    assert cassette.saved
    assert looked == [], "it was found clean when it came"
