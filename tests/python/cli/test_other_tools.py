"""The real packages, each in an environment of its own: what they write here and now is imported, and replays the same answers.

They need a package index to be installed, once: the environments stay below ``.venv`` until the versions change.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import subprocess
import venv
from pathlib import Path
from typing import Any

import httpx
import llm_vcr
import pytest
import yaml

from tests.fake_provider import FakeProvider
from tests.python.cli.place import Place
from tests.python.cli.written_by_others import make

ENVIRONMENTS = Path(__file__).parents[3] / ".venv" / "others"

KEYS = {"authorization": "Bearer another", "x-api-key": "another", "anthropic-version": "2023-06-01"}


def environment(requirement: str) -> Path:
    """The Python of an environment with this package; made once, whoever asks first."""
    folder = ENVIRONMENTS / requirement.replace("==", "-")
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with (ENVIRONMENTS / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)
            venv.create(folder, with_pip=True)
            subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", requirement, "httpx"], check=True, timeout=300)
            (folder / "complete").touch()
    return folder / "bin" / "python"


def written(requirement: str, into: Path, provider: FakeProvider) -> None:
    """Let a package record its calls into a folder."""
    into.mkdir(parents=True)
    script = make.CALLS + make.TOOLS[requirement].replace("PROVIDER", repr(provider.url)).replace("HERE", str(into))
    subprocess.run([environment(requirement), "-c", script], check=True, timeout=120)


def replayed(cassette_id: str, url: str, body: Any) -> httpx.Response:
    with llm_vcr.VCR(record_mode="none").use_cassette(cassette_id) as cassette:
        response = httpx.post(url, json=body, headers=KEYS)
    assert (cassette.counts.played, cassette.counts.live) == (1, 0)
    return response


CHAT: dict[str, Any] = make.CHAT
STREAM = CHAT | {"stream": True, "messages": [{"role": "user", "content": "stream"}]}


@pytest.mark.parametrize("requirement", ["llm-mock==0.1.1", "llm-mock==1.0.1"])
def test_llm_mock(empty: Place, requirement: str) -> None:
    with FakeProvider() as provider:
        written(requirement, empty.root / "fixtures", provider)
    assert empty.json("import", "fixtures", "--into", "cassettes")["written"]
    for provider_name, url, model in (
        ("openai", "https://api.openai.com/v1/chat/completions", "gpt-4o"),
        ("anthropic", "https://api.anthropic.com/v1/messages", "claude-sonnet-4-5"),
    ):
        (file,) = (empty.root / "fixtures").glob(f"*-{provider_name}.json")
        recorded = json.loads(file.read_text("utf-8"))["interactions"]
        cassette_id = f"cassettes/{file.stem}.yaml"
        assert replayed(cassette_id, url, CHAT | {"model": model}).json() == recorded[0]["response"]
        if len(recorded) > 1:
            told = replayed(cassette_id, url, STREAM | {"model": model}).text
            data = [line.removeprefix("data: ") for line in told.splitlines() if line.startswith("data: ")]
            assert [one if one == "[DONE]" else json.loads(one) for one in data] == [one["data"] for one in recorded[1]["stream_events"]]


def test_cassetter(empty: Place) -> None:
    with FakeProvider() as provider:
        written("cassetter==0.16.1", empty.root / "theirs", provider)
        url = f"{provider.url}/v1/chat/completions"
    (row,) = empty.json("import", "theirs", "--into", "cassettes")["imported"]
    assert (row["format"], row["episodes"], row["unusable"]) == ("cassetter", 4, [])
    recorded = yaml.safe_load((empty.root / "theirs" / "cassetter.yaml").read_text("utf-8"))["interactions"]
    answers = [one["response"]["body"]["content"] for one in recorded]
    assert replayed(row["cassette"], url, CHAT).json() in answers
    assert replayed(row["cassette"], url, CHAT | {"stream": True}).text in answers


def test_pytest_llm_vcr(empty: Place) -> None:
    with FakeProvider() as provider:
        written("pytest-llm-vcr==0.6.0", empty.root / "theirs", provider)
        url = f"{provider.url}/v1/chat/completions"
    (row,) = empty.json("import", "theirs", "--into", "cassettes", status=1)["imported"]
    recorded = yaml.safe_load((empty.root / "theirs" / "pytest-llm-vcr.yaml").read_text("utf-8"))["interactions"]
    assert row["format"] == "pytest-llm-vcr"
    assert len(row["unusable"]) + row["episodes"] == len(recorded)
    streamed = {name: value for name, value in CHAT.items() if name != "max_tokens"} | {"stream": True}
    assert replayed(row["cassette"], url, streamed).text == "".join(next(one["chunks"] for one in recorded if one.get("streaming")))


SUITE = """
import json, sys, httpx
from llm_mock import llm_mock
import llm_mock.providers.openai as openai

def ask(**body):
    return httpx.post("https://api.openai.com/v1/chat/completions", json={"model": "gpt-4o", **body}).text

message = [{"role": "user", "content": "grüezi"}]
with llm_mock(mode="replay", fixture=sys.argv[1]):
    told = [ask(messages=message), ask(messages=message, temperature=1.0, max_tokens=5)]
with llm_mock(mode="replay", fixture=sys.argv[1], provider="openai", match_on=("model", "max_tokens")):
    pass
print(json.dumps([json.loads(one) for one in told]))
"""


def test_our_stand_in_for_llm_mock_tells_what_llm_mock_tells(empty: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeProvider() as provider:
        written("llm-mock==1.0.1", empty.root / "fixtures", provider)
    (fixture,) = (empty.root / "fixtures").glob("*-openai.json")
    theirs = subprocess.run(
        [environment("llm-mock==1.0.1"), "-c", SUITE, str(fixture)], check=True, capture_output=True, text=True, timeout=120
    )
    from llm_vcr.compat.llm_mock import llm_mock

    url, message = "https://api.openai.com/v1/chat/completions", CHAT["messages"]
    with llm_mock(mode="replay", fixture=fixture):
        ours = [
            httpx.post(url, json={"model": "gpt-4o", "messages": message, **more}).json()
            for more in ({}, {"temperature": 1.0, "max_tokens": 5})
        ]
    assert ours == json.loads(theirs.stdout)
