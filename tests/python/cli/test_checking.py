"""diff, explain, scan, doctor: exit status 1 where something is found."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from llm_vcr.cli import main

from tests.python.cli.place import HELLO, SSE, STREAM, Place, episode, everywhere

KEY = "sk-proj-" + "aB3dE5gH7jK9" * 8


@everywhere
def test_diff_of_a_cassette_with_itself_is_the_same(place: Place) -> None:
    assert place.json("diff", HELLO, HELLO)["same"]
    assert "the same" in place.run("diff", HELLO, HELLO).output


@everywhere
def test_diff_names_each_place_by_json_path(place: Place) -> None:
    place.put("other.yaml", episode("hi"), episode("how are you?", answer="tired"), episode("hi", answer="hello again"))
    told = place.json("diff", HELLO, "other.yaml", status=1)
    assert told["pairs"] == [
        {"a": 2, "b": 2, "differences": [
            {"where": "answer", "path": "choices[0].message.content", "left": '"fine"', "right": '"tired"'},
        ]},
    ]  # fmt: skip
    output = place.run("diff", HELLO, "other.yaml").output
    assert "answer choices[0].message.content" in output
    assert '- "fine"' in output


@everywhere
def test_diff_of_two_episodes_of_one_cassette(place: Place) -> None:
    (pair,) = place.json("diff", f"{HELLO}#1", f"{HELLO}#2", status=1)["pairs"]
    assert ("request", "messages[0].content") in {(one["where"], one["path"]) for one in pair["differences"]}


@everywhere
def test_diff_tells_episodes_without_a_partner(place: Place) -> None:
    place.put("other.yaml", episode("hi"))
    pairs = place.json("diff", HELLO, "other.yaml", status=1)["pairs"]
    assert {(pair["a"], pair["b"]) for pair in pairs} == {(2, None), (3, None)}
    assert place.run("diff", HELLO, "other.yaml").output.count("only there") == 2


@everywhere
def test_diff_of_streams_goes_by_event(place: Place) -> None:
    place.put("other.yaml", episode("count", answer_body=SSE.replace(b'"one"', b'"two"'), answer_type="text/event-stream"))
    (pair,) = place.json("diff", STREAM, "other.yaml", status=1)["pairs"]
    assert [one["path"] for one in pair["differences"]] == ["[0].choices[0].delta.content"]


@everywhere
def test_diff_never_prints_a_key(place: Place) -> None:
    place.put("other.yaml", episode(f"hi {KEY}"))
    result = place.run("diff", f"{HELLO}#1", "other.yaml")
    assert result.exit_code == 1
    assert "aB3dE5gH7jK9" not in result.output
    assert "REDACTED" in result.output


def request(tmp_path: Path, content: object) -> str:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(content))
    return str(path)


@everywhere
def test_explain_a_hit(place: Place, tmp_path: Path) -> None:
    body = {"messages": [{"content": "how are you?", "role": "user"}], "model": "gpt-4o"}
    told = place.json("explain", HELLO, request(tmp_path, body))
    assert (told["hit"], told["episode"], told["masked"]) == (True, 2, False)
    assert "HIT" in place.run("explain", HELLO, request(tmp_path, body)).output


@everywhere
def test_explain_a_hit_with_a_uuid_masked(place: Place, tmp_path: Path) -> None:
    place.put("uuid.yaml", episode("run 6b0c9d1e-0b7a-4f0e-9a51-1f2e3d4c5b6a"))
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "run 0f9e8d7c-6b5a-4e3d-8c2b-1a0f9e8d7c6b"}]}
    told = place.json("explain", "uuid.yaml", request(tmp_path, body))
    assert (told["hit"], told["masked"]) == (True, True)


@everywhere
def test_explain_a_miss_by_the_nearest_episode(place: Place, tmp_path: Path) -> None:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "how are you today?"}]}
    told = place.json("explain", HELLO, request(tmp_path, body), status=1)
    assert told["episode"] == 2
    assert told["path"] == "messages[0].content"
    assert "today" in told["request"]
    output = place.run("explain", HELLO, request(tmp_path, body)).output
    assert "MISS" in output
    assert "messages[0].content" in output
    assert "fix" in output


@pytest.mark.parametrize(
    ("change", "cause", "path"),
    [
        ({"method": "GET"}, "method", None),
        ({"uri": "https://api.openai.com/v2/chat/completions"}, "url", "path"),
        ({"uri": "https://eu.api.openai.com/v1/chat/completions"}, "url", "host"),
    ],
)
def test_explain_a_miss_by_address(place: Place, tmp_path: Path, change: dict[str, str], cause: str, path: str | None) -> None:
    whole = {
        "method": "POST",
        "uri": "https://api.openai.com/v1/chat/completions",
        "body": {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]},
    }
    assert place.json("explain", HELLO, request(tmp_path, whole))["hit"]
    told = place.json("explain", HELLO, request(tmp_path, whole | change), status=1)
    assert (told["cause"], told["path"]) == (cause, path)


@everywhere
def test_explain_a_miss_by_credential(place: Place, tmp_path: Path) -> None:
    place.put("keyed.yaml", episode("hi", headers={"x-llm-vcr-key": ["0123456789abcdef"]}))
    whole = {"headers": {"authorization": "Bearer other"}, "body": {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}}
    assert place.json("explain", "keyed.yaml", request(tmp_path, whole), status=1)["cause"] == "credential"


@everywhere
def test_explain_a_request_that_cannot_be_read(place: Place) -> None:
    result = place.run("explain", HELLO, "nowhere.json")
    assert result.exit_code == 2
    assert "nowhere.json" in result.output


@everywhere
def test_scan_of_a_clean_store(place: Place) -> None:
    assert place.json("scan") == {"secrets": [], "unreadable": []}
    assert "no secrets found" in place.run("scan").output


CARRIERS = {
    "request header authorization": {"headers": {"authorization": [f"Bearer {KEY}"]}},
    "request query api_key": {"uri": f"https://api.openai.com/v1/x?api_key={KEY}&a=1"},
    "request body messages[0].content": {"prompt": f"my key is {KEY}."},
    "answer body choices[0].message.content": {"answer": f"use {KEY}"},
    "answer body event 1 choices[0].delta.content": {
        "answer_body": SSE.replace(b'"one"', f'"{KEY}"'.encode()),
        "answer_type": "text/event-stream",
    },
    "request body messages[0].content ": {"prompt": base64.b64encode(f"the key is {KEY} and some more text".encode()).decode()},
}


@everywhere
@pytest.mark.parametrize("where", CARRIERS)
def test_scan_says_where_and_what_kind_but_never_the_secret(empty: Place, where: str) -> None:
    empty.put(HELLO, episode(**CARRIERS[where]))
    (secret,) = empty.json("scan", status=1)["secrets"]
    assert secret["place"] == f"episode 1, {where.strip()}"
    assert secret["cassette"] == HELLO
    assert "openai" in secret["kind"]
    result = empty.run("scan")
    assert result.exit_code == 1
    assert "aB3dE5gH7jK9" not in result.output
    assert where.strip() in result.output


def test_scan_looks_into_files_that_cannot_be_read(place: Place) -> None:
    (place.root / HELLO).write_text(f"# {KEY}\ninteractions: [\n")
    told = place.json("scan", status=2)
    assert [(one["place"], one["line"]) for one in told["secrets"]] == [("the file", 1)]


def test_scan_tells_the_line_of_a_file(empty: Place) -> None:
    empty.put(HELLO, episode(headers={"x-api-key": [KEY]}))
    lines = (empty.root / HELLO).read_text().splitlines()
    (secret,) = empty.json("scan", status=1)["secrets"]
    assert KEY in lines[secret["line"] - 1]


def test_scan_tells_each_line_where_the_same_key_stands(empty: Place) -> None:
    empty.put(HELLO, episode(f"my key is {KEY}", headers={"authorization": [f"Bearer {KEY}"]}))
    lines = (empty.root / HELLO).read_text().splitlines()
    at = {one["place"]: lines[one["line"] - 1] for one in empty.json("scan", status=1)["secrets"]}
    assert at["episode 1, request header authorization"].strip() == f"- Bearer {KEY}"
    assert f"my key is {KEY}" in at["episode 1, request body messages[0].content"]


@everywhere
def test_scan_passes_over_what_only_stands_in(empty: Place) -> None:
    empty.put(
        HELLO,
        episode(
            headers={
                "authorization": ["AUTHORIZATION-XXX"],
                "x-api-key": ["REDACTED"],
                "cookie": ["a=dummy"],
                "openai-organization": ["org-1234567890abcdefgh"],
            }
        ),
    )
    assert empty.json("scan")["secrets"] == []


def test_doctor_finds_every_installed_client_intercepted(empty: Place) -> None:
    told = empty.json("doctor")
    clients = {one["name"]: one for one in told["HTTP clients"]}
    assert {"httpx", "httpx2", "requests", "urllib3", "aiohttp"} <= clients.keys()
    assert all(one["state"] == "ok" and "intercepted" in one["text"] for one in clients.values())
    assert not list(empty.root.glob("*never-written*"))


def test_doctor_names_a_client_that_goes_around(empty: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from llm_vcr.cli import doctor

    def around() -> None:
        raise ConnectionError

    monkeypatch.setitem(doctor._CALLS, "httpx", around)
    told = empty.json("doctor", status=1)
    (client,) = [one for one in told["HTTP clients"] if one["name"] == "httpx"]
    assert client["state"] == "wrong"
    assert "goes around the cassette" in client["text"]


def test_doctor_tells_where_each_setting_came_from(empty: Place) -> None:
    (empty.root / "pyproject.toml").write_text('[tool.pytest.ini_options]\nllm_vcr = "auto"\nllm_vcr_ttl = "2d"\n')
    done = empty.process("doctor")
    lines = {line.split()[0]: line.strip().split(maxsplit=2)[1:] for line in done.stdout.splitlines() if line.startswith("llm_vcr")}
    assert lines["llm_vcr"] == ["auto", "llm_vcr in pyproject.toml"]
    assert lines["llm_vcr_ttl"][0] == "2"
    assert lines["llm_vcr_media"] == ["shrink", "default"]
    assert done.returncode == 0


def test_doctor_tells_every_setting_as_it_is_by_default(empty: Place) -> None:
    from llm_vcr import config

    lines = {line.split()[0]: line.split()[1:] for line in empty.run("doctor").output.splitlines() if line.startswith("llm_vcr")}
    assert set(lines) == {row.ini for row in config.TABLE.values()}
    assert (lines["llm_vcr_ttl"], lines["llm_vcr_wait"], lines["llm_vcr_supply_keys"]) == (
        ["–", "default"], ["5", "min", "default"], ["true", "default"],
    )  # fmt: skip


def test_doctor_tells_no_key_and_no_password(empty: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_VCR_PLACEHOLDER_KEYS", "sk-one-of-ours-1234,sk-another-of-ours")
    monkeypatch.setenv("LLM_VCR_STORE", "redis://:secretpw1234@127.0.0.1:1/0")
    shown = [CliRunner().invoke(main, ["doctor", *more], catch_exceptions=False).output for more in ([], ["--json"])]
    for one in shown:
        assert not [secret for secret in ("secretpw1234", "sk-one-of-ours", "sk-another") if secret in one]
    settings = {one["name"]: one["value"] for one in json.loads(shown[1])["settings"]}
    assert settings["llm_vcr_placeholder_keys"] == ["[redacted]"] * 2
    assert settings["llm_vcr_store"] == "redis://REDACTED@127.0.0.1:1/0"


def test_doctor_finds_a_store_that_is_not_there(empty: Place) -> None:
    result = CliRunner().invoke(main, ["doctor", "--store", "file:nowhere"])
    assert result.exit_code == 1
    assert "is not there" in result.output


def test_doctor_names_a_rival(empty: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution = tmp_path / "site" / "pytest_llm_vcr-0.6.0.dist-info"
    distribution.mkdir(parents=True)
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: pytest-llm-vcr\nVersion: 0.6.0\n")
    monkeypatch.setattr(sys, "path", [str(distribution.parent), *sys.path])
    told = empty.json("doctor", status=1)
    assert [one["name"] for one in told["name clashes"]] == ["pytest-llm-vcr 0.6.0"]


def test_as_a_process(place: Place) -> None:
    assert place.process("diff", HELLO, STREAM).returncode == 1
    assert place.process("scan").returncode == 0
    done = place.process("explain", HELLO, "nowhere.json")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
