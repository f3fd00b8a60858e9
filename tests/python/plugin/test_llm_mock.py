"""Suites written for llm-mock, unchanged: its marker, its context manager, its fixtures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.python.plugin.conftest import Suite

WRITTEN = Path(__file__).parents[1] / "cli" / "written_by_others"

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "grüezi"}], "max_tokens": 50}
FIXTURE = {
    "version": "2.0",
    "provider": "openai",
    "interactions": [
        {"hash": "of something else", "request": CHAT, "response": {"id": "1", "choices": []}, "recorded_at": "2026-01-01T00:00:00+00:00"},
    ],
}


@pytest.fixture
def moved(suite: Suite) -> Suite:
    """A suite of llm-mock's; its tests speak with the real addresses or, to record, with the stand-in."""
    suite.ini(addopts="-p llm_vcr.compat.llm_mock")
    return suite


def fixture(suite: Suite, name: str = "fixtures/chat.json", **changes: Any) -> Path:
    path = suite.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**FIXTURE, **changes}))
    return path


def interactions(path: Path) -> list[Any]:
    tree = json.loads(path.read_text("utf-8"))
    assert tree["layout"] == "llm-vcr/1"
    found: list[Any] = tree["interactions"]
    return found


SDKS = """
    import anthropic, openai
    from llm_mock import FixtureNotFoundError, FixtureParseError, llm_mock

    messages = [{"role": "user", "content": "grüezi"}]
    stream = [{"role": "user", "content": "stream"}]

    @pytest.mark.llm_replay(fixture="llm-mock-VERSION-openai")
    def test_openai():
        client = openai.OpenAI(api_key="fake")
        # More often than it was recorded, and with fields that do not count.
        for more in ({"max_tokens": 50}, {}):
            answer = client.chat.completions.create(model="gpt-4o", messages=messages, **more)
            print("TOLD", answer.choices[0].message.content)

    @pytest.mark.llm_replay("llm-mock-VERSION-anthropic", provider="anthropic")
    def test_anthropic():
        answer = anthropic.Anthropic(api_key="fake").messages.create(model="claude-sonnet-4-5", messages=messages, max_tokens=50)
        print("TOLD", answer.content[0].text)

    @pytest.mark.skipif(VERSION < 2, reason="version 1 has no streams")
    def test_streams():
        with llm_mock(mode="replay", fixture="fixtures/llm-mock-VERSION-openai"):
            parts = openai.OpenAI(api_key="fake").chat.completions.create(model="gpt-4o", messages=stream, stream=True)
            text = "".join(one.choices[0].delta.content or "" for one in parts if one.choices)
            print("TOLD", text)
            assert text

    @pytest.mark.llm_replay(fixture="llm-mock-VERSION-openai")
    def test_a_miss():
        with pytest.raises(FixtureNotFoundError):
            httpx.post("https://api.openai.com/v1/chat/completions", json={"model": "other", "messages": messages}, verify=False)
"""


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("on", ["auto", "off"])
def test_its_fixtures_replay_the_same_answers(moved: Suite, version: str, on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    moved.ini(llm_vcr=on)
    for provider in ("openai", "anthropic"):
        name = f"llm-mock-{version}-{provider}.json"
        (moved.path / "fixtures").mkdir(exist_ok=True)
        (moved.path / "fixtures" / name).write_bytes((WRITTEN / name).read_bytes())
    moved.write(source=SDKS.replace("VERSION", version))
    # Python's warning of a client that is not closed is the tests' own affair here.
    moved.ini(filterwarnings="")
    run = moved.run("-s", subprocess=True).passed(4 if version == "2" else 3, skipped=int(version == "1"))
    answers = {}
    for provider in ("openai", "anthropic"):
        told = json.loads((WRITTEN / f"llm-mock-{version}-{provider}.json").read_text("utf-8"))["interactions"][0]["response"]
        answers[provider] = told["choices"][0]["message"]["content"] if provider == "openai" else told["content"][0]["text"]
    told = [line.partition("TOLD ")[2] for line in run.text.splitlines() if "TOLD " in line]
    assert told[:3] == [answers["openai"], answers["openai"], answers["anthropic"]]
    if on == "auto":
        assert {name: one["verdict"] for name, one in run.verdicts.items()}["test_openai"] == "HIT"
        assert run.verdicts["test_openai"]["live"] == 0
    assert sorted(one.name for one in (moved.path / "fixtures").iterdir()) == [
        f"llm-mock-{version}-anthropic.json",
        f"llm-mock-{version}-openai.json",
    ], "replaying writes nothing"


RECORDING = """
    from llm_mock import llm_mock

    @pytest.mark.llm_replay(fixture="made", mode="MODE")
    def test_it():
        print("TOLD", ask("one"), ask("two"))
"""


def test_auto_records_once_and_replays(moved: Suite) -> None:
    moved.write(source=RECORDING.replace("MODE", "auto"))
    first = moved.run("-s").passed(1)
    assert first.live == 2
    assert first.words() == {"test_it": "MISS:RECORDED"}
    made = interactions(moved.path / "fixtures" / "made.json")
    assert [one["messages"] for one in made] == [["user: one"], ["user: two"]]
    assert "test-key" not in (moved.path / "fixtures" / "made.json").read_text()
    again = moved.run("-s").passed(1)
    assert (again.live, again.words()) == (0, {"test_it": "HIT"})
    assert [line for line in again.text.splitlines() if "TOLD" in line] == [line for line in first.text.splitlines() if "TOLD" in line]


def test_record_replaces_what_it_records_and_leaves_the_rest(moved: Suite) -> None:
    moved.write(source=RECORDING.replace("MODE", "auto"))
    moved.run().passed(1)
    before = interactions(moved.path / "fixtures" / "made.json")
    moved.write(source=RECORDING.replace("MODE", "record").replace(', ask("two")', ""))
    assert moved.run().passed(1).live == 1
    after = interactions(moved.path / "fixtures" / "made.json")
    assert [one["messages"] for one in after] == [["user: two"], ["user: one"]]
    assert after[0] == before[1]
    assert after[1]["response"] != before[0]["response"]


def test_recording_into_a_fixture_of_llm_mock_keeps_what_is_in_it(moved: Suite) -> None:
    path = fixture(moved, "fixtures/made.json")
    moved.write(source=RECORDING.replace("MODE", "auto").replace(', ask("two")', ""))
    assert moved.run().passed(1).live == 1
    first, second = interactions(path)
    assert first["request"]["body"]["json"] == CHAT
    assert first["response"]["body"]["json"] == FIXTURE["interactions"][0]["response"]  # type: ignore[index]
    assert second["messages"] == ["user: one"]


def test_a_test_that_fails_records_nothing(moved: Suite) -> None:
    moved.write(source=RECORDING.replace("MODE", "auto") + "        assert False\n")
    run = moved.run()
    assert run.live == 2
    assert run.verdicts["test_it"]["live"] == 2, "paid for, and counted"
    assert not (moved.path / "fixtures").exists()


def test_a_budget_stops_it_too(moved: Suite) -> None:
    moved.write(source=RECORDING.replace("MODE", "auto"))
    run = moved.run("--llm-vcr-max-live-calls=0")
    assert run.live == 0
    assert run.code == 1
    moved.run("--record-mode=none")
    assert moved.provider.count == 0


MATCHING = """
    from llm_mock import llm_mock
    from vcr.errors import CannotOverwriteExistingCassetteException

    def call(**body):
        return httpx.post("https://api.openai.com/v1/chat/completions", json=body, verify=False)

    MESSAGES = [{"role": "user", "content": "grüezi"}]

    @pytest.mark.parametrize("match_on, body, hit", [
        (("model", "messages", "temperature"), {"model": "gpt-4o", "messages": MESSAGES}, True),
        (("model", "messages", "temperature"), {"model": "gpt-4o", "messages": MESSAGES, "temperature": 1.0}, True),
        (("model", "messages", "temperature"), {"model": "gpt-4o", "messages": MESSAGES, "temperature": 0.5}, False),
        (("model", "messages", "max_tokens"), {"model": "gpt-4o", "messages": MESSAGES}, False),
        (("model", "messages", "max_tokens"), {"model": "gpt-4o", "messages": MESSAGES, "max_tokens": 50, "temperature": 0}, True),
        (("model",), {"model": "gpt-4o", "messages": []}, True),
        (("model", "system"), {"model": "gpt-4o", "system": None}, True),
        (("model", "system"), {"model": "gpt-4o", "system": "x"}, False),
    ])
    def test_fields(match_on, body, hit):
        with llm_mock(mode="replay", fixture="fixtures/chat", match_on=match_on):
            if hit:
                assert call(**body).json() == {"id": "1", "choices": []}
            else:
                with pytest.raises(CannotOverwriteExistingCassetteException):
                    call(**body)

    @pytest.mark.llm_replay(fixture="chat", match_on=("model",))
    def test_marker():
        assert call(model="gpt-4o", messages=[]).status_code == 200
"""


def test_match_on_is_about_fields_as_in_llm_mock(moved: Suite) -> None:
    fixture(moved)
    moved.write(source=MATCHING)
    assert moved.run().passed(9).live == 0


def test_what_llm_mock_hashed_is_found_whatever_stands_in_the_request(moved: Suite) -> None:
    from llm_vcr.compat.llm_mock import hash_of

    one = {**FIXTURE["interactions"][0], "hash": hash_of(CHAT), "request": {"model": "taken out by hand"}}  # type: ignore[dict-item]
    fixture(moved, interactions=[one, {**one, "response": {"id": "a second one, which llm-mock never plays"}}])
    moved.write(
        source=f"""
        @pytest.mark.llm_replay(fixture="chat")
        def test_it():
            for _ in range(2):
                answer = httpx.post("https://api.openai.com/v1/chat/completions", json={CHAT!r}, verify=False)
                assert answer.json()["id"] == "1"
    """
    )
    assert moved.run().passed(1).live == 0


def test_a_provider_keeps_calls_to_others_from_being_made(moved: Suite) -> None:
    moved.write(
        source="""
        from llm_mock import llm_mock

        def test_it():
            with llm_mock(mode="auto", fixture="fixtures/a", provider="anthropic"):
                assert httpx.post(URL, json=body("hi"), headers=KEY).status_code == 422
    """
    )
    assert moved.run().passed(1).live == 0


@pytest.mark.parametrize("how", ["environment", "option"])
def test_disabled_it_calls_the_provider(moved: Suite, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    moved.ini(llm_vcr="off")
    moved.write(source=RECORDING.replace("MODE", "replay"))
    if how == "environment":
        monkeypatch.setenv("LLM_MOCK_DISABLED", "1")
    run = moved.run(*(["--llm-mock-disabled"] if how == "option" else [])).passed(1)
    assert run.live == 2
    assert not (moved.path / "fixtures").exists()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("@pytest.mark.llm_replay()\ndef test_it(): pass", "fixture must be there"),
        ("@pytest.mark.llm_replay('a', fixtur='b')\ndef test_it(): pass", "fixtur"),
        ("@pytest.mark.llm_replay('a', mode='reply')\ndef test_it(): pass", "did you mean 'replay'"),
        ("@pytest.mark.llm_replay('a', provider='openia')\ndef test_it(): pass", "did you mean 'openai'"),
        ("@pytest.mark.llm_replay('broken')\ndef test_it(): pass", "no valid JSON"),
        ("@pytest.mark.llm_replay('future')\ndef test_it(): pass", "version 9.0"),
    ],
)
def test_what_cannot_be_is_told(moved: Suite, source: str, told: str) -> None:
    fixture(moved, "fixtures/broken.json").write_text("{")
    fixture(moved, "fixtures/future.json", version="9.0")
    moved.write(source=source)
    run = moved.run()
    assert run.code == 1
    assert told in run.text


def test_it_is_there_only_for_whoever_asks(suite: Suite) -> None:
    suite.write(source="def test_it():\n    with pytest.raises(ImportError):\n        import llm_mock\n")
    suite.run().passed(1)


def test_from_a_script(tmp_path: Path, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx
    from llm_vcr.compat.llm_mock import llm_mock

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLM_VCR_PROVIDER_HOSTS", "127.0.0.1")
    url = f"{suite.provider.url}/v1/chat/completions"
    for mode in ("record", "replay"):
        with llm_mock(mode=mode, fixture="fixtures/a"):  # type: ignore[arg-type]
            assert httpx.post(url, json=CHAT, headers={"authorization": "Bearer made-up"}).status_code == 200
    assert suite.provider.count == 1
    (one,) = interactions(tmp_path / "fixtures" / "a.json")
    assert one["model"] == "gpt-4o"
