"""Whose calls are recorded, under which name, and how the user's own configuration counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from llm_vcr.config import PLACEHOLDER_KEY, SUPPLIED_KEYS

from tests.python.plugin.conftest import Suite, Workers


def test_hosts_that_are_no_providers_pass_through_unless_the_user_marks_the_test(suite: Suite) -> None:
    suite.ini(llm_vcr_provider_hosts="llm.example")
    suite.write(
        source="""
        def test_automatic():
            ask("automatic")

        @pytest.mark.vcr
        def test_explicit():
            ask("explicit")
    """
    )
    run = suite.run().passed(2)
    assert run.words() == {"test_automatic": "NOOP", "test_explicit": "MISS:RECORDED"}
    assert suite.run().passed(2).live == 1
    assert suite.run("--llm-vcr-record-hosts=all").passed(2).words()["test_automatic"] == "MISS:RECORDED"


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_in_process_transports_pass_through(suite: Suite, library: str) -> None:
    suite.write(
        source=f"""
        import {library} as http

        COUNT = []
        # Named so that the test is not left alone for it.
        Mock = getattr(http, "Mock" + "Transport")

        def respond(request):
            COUNT.append(1)
            return http.Response(200, json={{"from": "the test's own application"}})

        def wsgi(environ, start):
            COUNT.append(1)
            start("200 OK", [])
            return [b"{{}}"]

        async def asgi(scope, receive, send):
            COUNT.append(1)
            await send({{"type": "http.response.start", "status": 200, "headers": []}})
            await send({{"type": "http.response.body", "body": b"{{}}"}})

        URLS = ["http://127.0.0.1/v1/chat/completions", "https://api.openai.com/v1/chat/completions"]

        def test_transports():
            for transport in (Mock(respond), http.WSGITransport(wsgi)):
                with http.Client(transport=transport) as client:
                    for url in URLS:
                        assert client.post(url, json={{}}).status_code == 200
            assert len(COUNT) == 4

        @pytest.mark.asyncio
        async def test_async_transports():
            COUNT.clear()
            for transport in (Mock(respond), http.ASGITransport(asgi)):
                async with http.AsyncClient(transport=transport) as client:
                    for url in URLS:
                        assert (await client.post(url, json={{}})).status_code == 200
            assert len(COUNT) == 4
    """
    )
    for _ in range(2):
        run = suite.run().passed(2)
        assert run.words() == {"test_transports": "NOOP", "test_async_transports": "NOOP"}
    assert suite.cassettes() == []


def test_names_that_differ_in_odd_characters_do_not_share_a_cassette(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        @pytest.mark.parametrize("what", ["a/b", "a:b", "plain"])
        def test_one(what):
            assert ask(what)

        class TestGroup:
            @pytest.mark.parametrize("what", ["a/b", "ü|*"])
            def test_two(self, what):
                assert ask(what)
    """
    )
    assert suite.run().passed(5).live == 5
    assert len(suite.cassettes()) == 5
    assert "cassettes/test_it/test_one[plain].yaml" in suite.cassettes()
    run = suite.run("--record-mode=none").passed(5)
    assert (run.live, set(run.words().values())) == (0, {"HIT"})


def test_a_recording_under_the_old_name_is_still_used(suite: Suite) -> None:
    suite.write(
        source="""
        @pytest.mark.parametrize("what", ["a/b"])
        def test_one(what):
            assert ask(what)
    """
    )
    suite.run().passed(1)
    [own] = suite.cassettes()
    (suite.path / own).rename(suite.path / "cassettes/test_it/test_one[a-b].yaml")
    run = suite.run("--record-mode=none").passed(1)
    assert run.words() == {"test_one[a/b]": "HIT"}


def test_a_default_cassette_marker_names_the_cassette(suite: Suite) -> None:
    suite.write(
        source="""
        @pytest.mark.default_cassette("mine.yaml")
        @pytest.mark.parametrize("what", ["a/b"])
        def test_one(what):
            assert ask(what)
    """
    )
    suite.run().passed(1)
    assert suite.cassettes() == ["cassettes/test_it/mine.yaml"]


def test_extra_cassettes_of_the_marker_are_played_and_never_written(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        def test_shared():
            ask("shared")
    """
    )
    suite.run().passed(1)
    shared = suite.path / "cassettes/test_it/test_shared.yaml"
    before = shared.read_bytes()
    suite.write(
        source="""
        @pytest.mark.vcr("test_shared.yaml")
        def test_other():
            ask("shared")
            ask("its own")
    """
    )
    run = suite.run().passed(1)
    assert (run.live, run.words()) == (1, {"test_other": "PARTIAL"})
    assert shared.read_bytes() == before
    own = (suite.path / "cassettes/test_it/test_other.yaml").read_text("utf-8")
    assert own.count("- request:") == 1
    assert "its own" in own
    assert suite.run("--record-mode=none").passed(1).words() == {"test_other": "HIT"}


def test_the_users_filters_run_after_ours(suite: Suite) -> None:
    suite.conftest("""
        import pytest

        SEEN = []

        def user_filter(request):
            # Ours has run: the key is gone, and told by its fingerprint.
            SEEN.append(dict(request.headers))
            request.headers["x-user"] = "was here"
            return request

        @pytest.fixture
        def vcr_config():
            return {"before_record_request": user_filter, "filter_headers": ["user-agent"]}

        def pytest_sessionfinish():
            assert SEEN
            assert all("authorization" not in one and "x-llm-vcr-key" in one for one in SEEN)
    """)
    suite.write(source="def test_one(): ask('one')")
    suite.run().passed(1)
    text = (suite.path / "cassettes/test_it/test_one.yaml").read_text("utf-8")
    assert "was here" in text
    assert "test-key" not in text
    assert "user-agent" not in text.lower()
    assert suite.run("--record-mode=none").passed(1).words() == {"test_one": "HIT"}


def test_the_users_match_on_wins_and_is_warned_of_without_a_body(suite: Suite) -> None:
    suite.conftest("""
        import pytest

        @pytest.fixture
        def vcr_config():
            return {"match_on": ["method", "uri"]}
    """)
    suite.write(source="def test_one(): ask('one')")
    assert "match_on has no body" in suite.run().passed(1).text
    suite.write(source="def test_one(): ask('something else')")
    run = suite.run("--record-mode=none").passed(1)
    assert run.words() == {"test_one": "HIT"}
    assert "match_on has no body" in run.text


def test_settings_in_vcr_config_count(suite: Suite, workers: Workers) -> None:
    suite.conftest("""
        import pytest

        @pytest.fixture
        def vcr_config():
            return {"ignore": ["metadata.trace"]}
    """)
    suite.write(
        source="""
        import random

        def test_one():
            ask("one", metadata={"trace": random.random()})
    """
    )
    suite.run().passed(1)
    assert suite.run("--record-mode=none").passed(1).words() == {"test_one": "HIT"}


def test_workers_share_one_summary(suite: Suite) -> None:
    suite.write(
        source="""
        @pytest.mark.parametrize("number", range(6))
        def test_one(number):
            ask(f"number {number}")
    """
    )
    first = suite.run("-n", "2", subprocess=True).passed(6)
    assert (first.live, set(first.words().values())) == (6, {"MISS:RECORDED"})
    assert "6 tests: 6 MISS:RECORDED" in first.text
    again = suite.run("-n", "2", subprocess=True).passed(6)
    assert (again.live, set(again.words().values())) == (0, {"HIT"})
    assert "calls: 0 live, 6 replayed" in again.text


def test_async_tests_of_both_plugins(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        import asyncio

        async def ask_async(prompt):
            async with httpx.AsyncClient(verify=False) as client:
                return (await client.post(URL, json=body(prompt), headers=KEY)).json()["choices"]

        @pytest.mark.asyncio
        async def test_asyncio():
            assert all(await asyncio.gather(*(ask_async(f"call {number}") for number in range(5))))

        @pytest.mark.anyio
        async def test_anyio(anyio_backend_name):
            assert await ask_async("anyio")

        @pytest.fixture
        def anyio_backend():
            return "asyncio"
    """
    )
    assert suite.run().passed(2).live == 6
    again = suite.run().passed(2)
    assert (again.live, again.words()) == (0, {"test_asyncio": "HIT", "test_anyio": "HIT"})
    assert again.verdicts["test_asyncio"]["played"] == 5


def test_keys_are_supplied_and_taken_back(suite: Suite) -> None:
    suite.write(
        source=f"""
        from llm_vcr.config import PLACEHOLDER_KEY, SUPPLIED_KEYS

        def test_one():
            assert os.environ["OPENAI_API_KEY"] == "the user's own"
            for name in SUPPLIED_KEYS[1:]:
                assert os.environ[name] == "{PLACEHOLDER_KEY}", name
    """
    )
    os.environ["OPENAI_API_KEY"] = "the user's own"
    try:
        suite.run().passed(1)
        assert os.environ["OPENAI_API_KEY"] == "the user's own"
    finally:
        del os.environ["OPENAI_API_KEY"]
    assert not [name for name in SUPPLIED_KEYS if name in os.environ]


def test_no_key_is_supplied_where_a_dotenv_has_one_or_the_user_says_so(suite: Suite) -> None:
    (suite.path / ".env").write_text("# keys\nexport OPENAI_API_KEY='from dotenv'\n#ANTHROPIC_API_KEY=old\n", "utf-8")
    suite.write(
        source="""
        def test_one():
            assert "OPENAI_API_KEY" not in os.environ
            assert "ANTHROPIC_API_KEY" in os.environ
    """
    )
    suite.run().passed(1)
    suite.ini(llm_vcr_supply_keys="false")
    suite.write(source="def test_one(): assert 'ANTHROPIC_API_KEY' not in os.environ")
    suite.run().passed(1)


def test_a_replay_without_a_key_finds_what_the_sessions_key_recorded(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.write(
        source="""
        def test_one():
            key = {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
            assert httpx.post(URL, json=body("one"), headers=key, verify=False).json()["choices"]
    """
    )
    monkeypatch.setenv("OPENAI_API_KEY", "a real one")
    suite.run().passed(1)
    monkeypatch.delenv("OPENAI_API_KEY")
    assert suite.run("--record-mode=none").passed(1).words() == {"test_one": "HIT"}


def test_the_working_directory_does_not_count(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.write("below/test_it.py", source="def test_one(): ask('one')")
    suite.run().passed(1)
    assert suite.cassettes() == ["below/cassettes/test_it/test_one.yaml"]
    monkeypatch.chdir(suite.path / "below")
    run = suite.run("--record-mode=none").passed(1)
    assert run.words() == {"test_one": "HIT"}


def test_only_and_last_failed_select_as_ever(suite: Suite) -> None:
    suite.write(
        source="""
        def test_one():
            ask("one")

        def test_two():
            ask("two")
            assert os.environ.get("FINE")
    """
    )
    suite.pytester.runpytest_inprocess().assert_outcomes(passed=1, failed=1)
    result = suite.pytester.runpytest_inprocess("--lf")
    result.assert_outcomes(failed=1)
    suite.pytester.runpytest_inprocess("-x", "-k", "one").assert_outcomes(passed=1, deselected=1)
    assert suite.cassettes() == ["cassettes/test_it/test_one.yaml"]
    assert Path(suite.path / "cassettes/test_it/test_one.yaml").is_file()
