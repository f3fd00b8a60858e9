"""Calls of fixtures that several tests share: each fixture has a cassette of its own, whichever test asks for it first."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from llm_vcr.cli.owners import collect, mentioned

from tests.python.plugin.conftest import Run, Suite, Workers

SCOPES = ("class", "module", "package", "session")
REPLAY = ("--record-mode=none", "--llm-vcr-max-live-calls=0")


def fixtures(suite: Suite) -> dict[str, dict[str, Any]]:
    """The verdicts of fixtures, as the report has them."""
    loaded = suite.summary()
    return {name: one for name, one in loaded["tests"].items() if one["scope"]}


def replayed(suite: Suite, number: int, *arguments: str) -> Run:
    """A run that records, and one with the stand-in's port closed, in which nothing may go live."""
    suite.run(*arguments).passed(number)
    suite.provider.stop()
    run = suite.run(*REPLAY, *arguments).passed(number)
    assert run.code == 0, run.text
    return run


def test_setup_and_teardown_replay_in_every_scope_and_for_every_parameter(suite: Suite, workers: Workers) -> None:
    made = "".join(
        f"""
@pytest.fixture(scope="{scope}", params=["a", "b/c"])
def of_{scope}(request):
    yield ask("{scope} up " + request.param)
    ask("{scope} down " + request.param)
"""
        for scope in SCOPES
    )
    suite.conftest(f"import pytest\nfrom calls import ask\n{made}")
    suite.write(
        source="\n".join(
            f"""
        class Test{scope.title()}:
            def test_one(self, of_{scope}):
                assert of_{scope} != ask("own")

            def test_two(self, of_{scope}):
                assert of_{scope}
            """
            for scope in SCOPES
        )
    )
    run = replayed(suite, 16)
    own = [re.sub("-[0-9a-f]{8}", "-#", one) for one in suite.cassettes() if "/conftest/" in one]
    names = [f"fixture-of_{scope}[{param}]" for scope in SCOPES for param in ("a", "b-c")]
    names = [name.replace("b-c]", "b-c]-#") for name in names]
    assert own == sorted(f"cassettes/conftest/{name}{phase}.yaml" for name in names for phase in ("", ".teardown"))
    told = fixtures(suite)
    assert set(told) == {f"conftest.py::of_{scope}[{param}] ({scope} fixture)" for scope in SCOPES for param in ("a", "b/c")}
    assert {one["verdict"] for one in told.values()} == {"HIT"}
    # A test that only uses what a fixture made has made no call.
    assert set(run.words().values()) == {"HIT", "NOOP"}
    assert "16 tests and 8 fixtures: " in run.text


def test_what_a_fixture_patches_stays_until_it_puts_it_back(suite: Suite) -> None:
    # Its cassette patches the same transport, and is left between the two.
    suite.write(
        source="""
        @pytest.fixture(scope="module")
        def faked():
            def fake(transport, request):
                return httpx.Response(200, json={"choices": [{"message": {"content": "fake"}}]})

            before, httpx.HTTPTransport.handle_request = httpx.HTTPTransport.handle_request, fake
            yield fake
            httpx.HTTPTransport.handle_request = before

        @pytest.mark.llm_vcr(off="a fake")
        def test_one(faked):
            assert ask("one") == "fake"

        def test_two(faked):
            pass
    """
    )
    real = httpx.HTTPTransport.handle_request
    assert suite.run().passed(2).live == 0
    assert httpx.HTTPTransport.handle_request is real


def test_a_cassette_of_the_users_own_in_a_fixture_leaves_nothing_behind(suite: Suite) -> None:
    suite.write(
        source="""
        import requests, urllib3, vcr

        @pytest.fixture(scope="module")
        def held():
            with vcr.use_cassette("own.yaml"):
                yield

        def test_one(held):
            assert requests.post(URL, json=body("one"), headers=KEY).status_code == 200

        def test_two(held):
            pass

        def test_three():
            assert urllib3.HTTPConnectionPool.ConnectionCls.__module__ != "urllib3.connection"  # its own cassette's
    """
    )
    run = suite.run().passed(3)
    assert "left urllib3" not in run.text
    import urllib3

    assert urllib3.HTTPConnectionPool.ConnectionCls is urllib3.connection.HTTPConnection


def test_calls_of_a_fixture_are_in_the_summary(suite: Suite) -> None:
    suite.write(
        source="""
        @pytest.fixture(scope="module")
        def warm():
            return ask("up")

        def test_one(warm):
            assert warm
    """
    )
    run = suite.run().passed(1)
    [(name, told)] = fixtures(suite).items()
    assert name == "test_it.py::warm (module fixture)"
    assert (told["verdict"], told["live"], told["recorded"], told["outcome"]) == ("MISS:RECORDED", 1, 1, "passed")
    assert [one["id"] for one in told["cassettes"]] == ["cassettes/test_it/fixture-warm.yaml"]
    assert run.words() == {"test_one": "NOOP"}
    run.result.stdout.fnmatch_lines(["1 test and 1 fixture: *", "calls: 1 live, 0 replayed, 1 recorded"])
    whole = suite.summary()
    assert (whole["calls"]["live"], whole["orphans"], whole["unused"]) == (1, [], {})
    suite.write(source="@pytest.fixture(scope='module')\ndef warm():\n    return ask('other')\n\ndef test_one(warm):\n    pass\n")
    suite.run().passed(1)
    whole = suite.summary()
    assert list(whole["unused"]) == ["cassettes/test_it/fixture-warm.yaml"]


def test_a_call_of_a_fixture_counts_against_the_budget(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        @pytest.fixture(scope="module")
        def warm():
            try:
                return ask("up")
            except httpx.HTTPStatusError:
                return "swallowed"

        def test_one(warm):
            assert warm
    """
    )
    run = suite.run("--llm-vcr-max-live-calls=0").passed(1)
    assert (run.live, run.code) == (0, 1)
    run.result.stdout.fnmatch_lines(["*FAILED --llm-vcr-max-live-calls 0: none made, 1 refused: test_it.py::warm (module fixture)"])
    run = suite.run("--llm-vcr-max-live-calls=1", "--llm-vcr-fail-on=MISS").passed(1)
    assert (run.live, run.code) == (1, 1)
    run.result.stdout.fnmatch_lines(["*FAILED --llm-vcr-fail-on MISS: test_it.py::warm (module fixture)"])
    run = suite.run(*REPLAY, "--llm-vcr-fail-on=MISS").passed(1)
    assert (run.live, run.code) == (0, 0)


def test_a_fixture_that_fails_keeps_nothing_and_its_calls_are_told(suite: Suite) -> None:
    suite.write(
        source="""
        @pytest.fixture(scope="session")
        def broken():
            ask("up")
            raise OSError("broken")

        @pytest.fixture(scope="session")
        def breaks_later():
            yield ask("another up")
            ask("another down")
            raise OSError("broken later")

        def test_one(broken):
            pass

        def test_two(breaks_later):
            pass
    """
    )
    suite.run().result.assert_outcomes(passed=1, errors=2)
    assert suite.cassettes() == ["cassettes/test_it/fixture-breaks_later.yaml"]
    told = fixtures(suite)
    assert {name: (one["verdict"], one["reason"], one["outcome"]) for name, one in told.items()} == {
        "test_it.py::broken (session fixture)": ("MISS:NOT_PERSISTED", "setup of the fixture failed", "failed"),
        "test_it.py::breaks_later (session fixture)": ("MISS:NOT_PERSISTED", "teardown of the fixture failed", "failed"),
    }


@pytest.mark.parametrize("library", ["httpx", "requests", "aiohttp"])
def test_what_a_fixture_hands_to_a_test_calls_into_the_cassette_of_the_test(suite: Suite, library: str) -> None:
    made = {
        "httpx": "httpx.Client(verify=False)",
        "requests": "__import__('requests').Session()",
        "aiohttp": "None",
    }[library]
    suite.write(
        source=f"""
        import asyncio

        def send(client, prompt):
            if client is not None:
                return client.post(URL, json=body(prompt), headers=KEY).json()
            return asyncio.run(over_aiohttp(prompt))

        async def over_aiohttp(prompt):
            import aiohttp
            async with aiohttp.ClientSession() as session, session.post(URL, json=body(prompt), headers=KEY) as answer:
                return await answer.json()

        @pytest.fixture(scope="session")
        def client():
            made = {made}
            assert send(made, "warm up")
            yield made
            assert send(made, "good bye")
            if made is not None:
                made.close()

        def test_one(client):
            assert send(client, "one")

        def test_two(client):
            assert send(client, "two")
    """
    )
    run = replayed(suite, 2)
    assert run.words() == {"test_one": "HIT", "test_two": "HIT"}
    names = ("fixture-client", "fixture-client.teardown", "test_one", "test_two")
    assert suite.cassettes() == sorted(f"cassettes/test_it/{name}.yaml" for name in names)
    for name in names:
        assert (suite.path / f"cassettes/test_it/{name}.yaml").read_text("utf-8").count("method: POST") == 1


def test_fixtures_are_recorded_one_within_the_other_and_in_the_middle_of_a_test(suite: Suite) -> None:
    suite.write(
        source="""
        @pytest.fixture(scope="session")
        def inner():
            return ask("inner")

        @pytest.fixture(scope="session")
        def outer(request):
            before = ask("outer, before")
            return before + request.getfixturevalue("inner") + ask("outer, after")

        @pytest.fixture(scope="session")
        def late():
            return ask("late")

        def test_one(outer, request):
            assert ask("test, before")
            assert request.getfixturevalue("late")
            assert ask("test, after")
    """
    )
    replayed(suite, 1)
    counts = {one.rpartition("/")[2]: (suite.path / one).read_text("utf-8").count("method: POST") for one in suite.cassettes()}
    assert counts == {"fixture-inner.yaml": 1, "fixture-late.yaml": 1, "fixture-outer.yaml": 2, "test_one.yaml": 2}


def test_fixtures_of_the_same_name_and_odd_parameters_have_cassettes_of_their_own(suite: Suite) -> None:
    suite.conftest("import pytest\nfrom calls import ask\n\n@pytest.fixture(scope='module')\ndef warm():\n    return ask('conftest')\n")
    suite.write(
        source="""
        class Odd:
            pass

        @pytest.fixture(scope="module", params=["a/b", "a:b", Odd(), Odd(), None, "x" * 300], ids=lambda one: None)
        def odd(request):
            return ask(f"odd {type(request.param).__name__} {str(request.param)[:5] if not isinstance(request.param, Odd) else ''}")

        def test_odd(odd):
            assert odd

        class TestGroup:
            @pytest.fixture(scope="class")
            @staticmethod
            def warm(warm):
                return warm + ask("class")

            def test_warm(self, warm):
                assert warm

        @pytest.fixture(scope="module")
        def indirect(request):
            return ask("indirect " + request.param)

        @pytest.mark.parametrize("indirect", ["p", "q"], indirect=True)
        def test_indirect(indirect):
            assert indirect
    """
    )
    replayed(suite, 9)
    names = [one for one in suite.cassettes() if "fixture-" in one]
    assert len(names) == 6 + 2 + 2, names
    assert {"cassettes/conftest/fixture-warm.yaml", "cassettes/test_it/TestGroup.fixture-warm.yaml"} <= set(names)
    assert {f"cassettes/test_it/fixture-indirect[{one}].yaml" for one in "pq"} <= set(names)
    assert max(len(one.rpartition("/")[2]) for one in names) < 255


@pytest.mark.parametrize("library", ["asyncio", "anyio"])
def test_async_fixtures_are_recorded(suite: Suite, library: str, workers: Workers) -> None:
    if library == "asyncio":
        mark, fixture = 'pytest.mark.asyncio(loop_scope="module")', 'pytest_asyncio.fixture(loop_scope="module", scope="module")'
    else:
        mark, fixture = "pytest.mark.anyio", 'pytest.fixture(scope="module")'
    suite.write(
        source=f"""
        import pytest_asyncio

        async def send(prompt):
            async with httpx.AsyncClient(verify=False) as client:
                answer = await client.post(URL, json=body(prompt), headers=KEY)
                return answer.raise_for_status().json()

        @pytest.fixture(scope="module")
        def anyio_backend():
            return "asyncio"

        @{fixture}
        async def warm():
            yield await send("up")
            await send("down")

        @{mark}
        async def test_one(warm):
            assert warm != await send("one")

        @{mark}
        async def test_two(warm):
            assert warm
    """
    )
    run = replayed(suite, 2)
    assert run.words() == {"test_one": "HIT", "test_two": "NOOP"}
    assert [one.rpartition("/")[2] for one in suite.cassettes()] == ["fixture-warm.teardown.yaml", "fixture-warm.yaml", "test_one.yaml"]


def test_whoever_asks_first_the_fixture_has_its_cassette(suite: Suite) -> None:
    suite.write(
        source="""
        @pytest.fixture(scope="session")
        def warm():
            return ask("up")

        @pytest.mark.llm_vcr(off="speaks with the provider itself")
        def test_off(warm):
            assert warm

        def test_on(warm):
            assert warm
    """
    )
    run = replayed(suite, 2)
    assert run.words() == {"test_off": "DISABLED", "test_on": "NOOP"}
    suite.write(source="@pytest.fixture(scope='session')\ndef warm():\n    return 1\n\ndef test_on(warm):\n    assert warm\n")
    assert suite.run("--disable-recording").passed(1).code == 0


def test_only_calls_to_providers_are_recorded_and_a_config_of_the_session_applies(suite: Suite) -> None:
    suite.conftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def vcr_config():
            return {"before_record_request": lambda request: None if b"secret" in (request.body or b"") else request}
    """
    )
    suite.write(
        source="""
        @pytest.fixture(scope="session")
        def warm():
            ask("a secret")
            return ask("up")

        def test_one(warm):
            assert warm
    """
    )
    suite.run().passed(1)
    [own] = suite.cassettes()
    assert "secret" not in (suite.path / own).read_text("utf-8")
    (suite.path / own).unlink()
    suite.ini(llm_vcr_provider_hosts="llm.example")
    suite.run().passed(1)
    assert suite.cassettes() == []


def test_xunits_functions_for_modules_and_classes_are_recorded(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        import unittest

        def setup_module():
            ask("module up")

        def teardown_module():
            ask("module down")

        class TestPlain:
            @classmethod
            def setup_class(cls):
                ask("class up")

            @classmethod
            def teardown_class(cls):
                ask("class down")

            def setup_method(self):
                ask("method up")

            def test_one(self):
                ask("one")

        class TestOfUnittest(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                ask("unittest up")

            @classmethod
            def tearDownClass(cls):
                ask("unittest down")

            def setUp(self):
                ask("set up")

            def test_two(self):
                ask("two")
    """
    )
    run = replayed(suite, 2)
    assert {name: one["verdict"] for name, one in fixtures(suite).items()} == {
        "test_it.py::setup_module (module fixture)": "HIT",
        "test_it.py::TestPlain::setup_class (class fixture)": "HIT",
        "test_it.py::TestOfUnittest::setUpClass (class fixture)": "HIT",
    }
    assert {one["played"] for one in run.verdicts.values()} == {2}
    assert {one.rpartition("/")[2] for one in suite.cassettes() if "fixture-" in one} == {
        f"{name}{phase}.yaml"
        for name in ("fixture-setup_module", "TestPlain.fixture-setup_class", "TestOfUnittest.fixture-setUpClass")
        for phase in ("", ".teardown")
    }


def test_rewriting_keeps_what_other_modules_have_from_the_same_fixture(suite: Suite) -> None:
    suite.conftest(
        """
        import os
        import pytest
        from calls import ask

        @pytest.fixture(scope="module")
        def warm(request):
            return ask(request.module.__name__ + os.environ.get("RUN", ""))
    """
    )
    for name in ("test_a.py", "test_b.py"):
        suite.write(name, source="def test_one(warm):\n    assert warm\n")
    suite.run().passed(2)
    run = suite.run("--record-mode=rewrite").passed(2)
    assert run.live == 2
    [own] = suite.cassettes()
    assert own == "cassettes/conftest/fixture-warm.yaml"
    assert (suite.path / own).read_text("utf-8").count("method: POST") == 2
    suite.provider.stop()
    suite.run(*REPLAY).passed(2)


def test_a_run_that_is_broken_off_tells_what_its_fixtures_did_in_the_end(suite: Suite) -> None:
    suite.write(
        source="""
        @pytest.fixture(scope="session")
        def warm():
            yield
            ask("down")

        def test_one(warm):
            assert False

        def test_two(warm):
            pass
    """
    )
    run = suite.run("-x")
    run.result.assert_outcomes(failed=1)
    [told] = fixtures(suite).values()
    assert (told["verdict"], told["live"]) == ("MISS:RECORDED", 1)
    assert run.live == 1


def test_a_rerun_counts_its_fixtures_calls_once(suite: Suite) -> None:
    suite.write(
        source="""
        TRIES = []

        @pytest.fixture(scope="module")
        def warm():
            return ask("up")

        @pytest.mark.flaky(reruns=2)
        def test_one(warm):
            TRIES.append(1)
            assert len(TRIES) == 3
    """
    )
    suite.run().result.assert_outcomes(passed=1)
    [told] = fixtures(suite).values()
    assert told["live"] + told["played"] >= 1
    whole = suite.summary()
    assert whole["calls"]["live"] == suite.provider.count == 1


def test_no_cassette_of_a_fixture_is_an_orphan_while_somebody_may_ask_for_it(suite: Suite) -> None:
    suite.conftest(
        """
        import pytest
        from calls import ask

        @pytest.fixture(scope="session", params="ab")
        def warm(request):
            return ask("up " + request.param)
    """
    )
    asks = """
        @pytest.fixture(scope="module")
        def late():
            yield ask("late")
            ask("later")

        def test_one(warm, request):
            assert request.getfixturevalue("late")
    """
    suite.write(source=asks)
    suite.run().passed(2)
    names = [
        *(f"cassettes/conftest/fixture-warm[{one}].yaml" for one in "ab"),
        "cassettes/test_it/fixture-late.teardown.yaml",
        "cassettes/test_it/fixture-late.yaml",
    ]
    assert suite.cassettes() == names
    owners = collect(suite.path)
    assert [one for one in names if not any(owner.owns(one) for owner in owners)] == names[2:]
    assert mentioned(suite.path, names[2:]) == set(names[2:])
    assert {owner.nodeid.partition("[")[0] for owner in owners if owner.owns(names[0])} == {"test_it.py::test_one"}
    suite.write(source="def test_one():\n    pass\n")
    suite.run().passed(1)
    whole = suite.summary()
    assert whole["orphans"] == names
    assert not any(owner.owns(one) for owner in collect(suite.path) for one in names)
