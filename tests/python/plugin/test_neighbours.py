"""Beside other plugins and under pytest's own options, in one process and with workers: what is recorded replays, and is told."""

from __future__ import annotations

import textwrap

import pytest

from tests.python.plugin.conftest import Run, Suite, Workers


def run(suite: Suite, *arguments: str) -> Run:
    """A run in a fresh interpreter and with pytest's cache, as users have it."""
    return suite.run(*arguments, subprocess=True, cache=True)


ALL_KINDS = r"""
    import asyncio
    import anyio.to_thread

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(request):
        return request.param

    @pytest.fixture
    async def shouted(anyio_backend):
        return (await anyio.to_thread.run_sync(ask, "in an async fixture")).upper()

    @pytest.mark.anyio
    async def test_anyio(shouted):
        assert shouted.isupper()
        async with httpx.AsyncClient(headers=KEY, verify=False) as client:
            assert (await client.post(URL, json=body("anyio"))).is_success

    @pytest.mark.asyncio
    async def test_asyncio():
        async with httpx.AsyncClient(headers=KEY, verify=False) as client:
            answers = await asyncio.gather(*(client.post(URL, json=body(f"number {number}")) for number in range(4)))
        assert len({one.text for one in answers}) == 4

    @pytest.fixture(scope="class")
    def shared():
        return ask("for the class")

    class TestOfAClass:
        def test_first(self, shared):
            assert ask("first") != shared

        def test_second(self, shared):
            assert ask("second") != shared

    @pytest.mark.parametrize("value", ["a/b", "a:b", "a-b", "../up", "C:\\here", "späße 🎉", "[*]?", "x" * 300])
    def test_odd(value):
        assert ask(value)
"""


def test_every_kind_of_test_replays(suite: Suite, workers: Workers) -> None:
    suite.ini(asyncio_mode="strict")
    suite.write(source=ALL_KINDS)
    first = run(suite).passed(13)
    # Two of anyio twice, four of asyncio, eight odd ones, two of the class, and its fixture once, or once a worker.
    assert first.live in ((19,) if not workers else (19, 20))
    again = run(suite, "--llm-vcr-max-live-calls=0").passed(13)
    assert (again.live, again.code) == (0, 0)
    assert set(again.words().values()) == {"HIT"}
    assert len({one for one in suite.cassettes() if "test_odd" in one}) == 8


def test_a_name_that_had_to_be_changed_is_no_other_tests_whichever_comes_first(suite: Suite, workers: Workers) -> None:
    suite.write(source="@pytest.mark.parametrize('value', ['a-b', 'a:b', 'a/b'])\ndef test_it(value):\n    ask(value)\n")
    assert suite.run(*workers).passed(3).live == 3
    assert len(suite.cassettes()) == 3
    assert suite.run(*workers).passed(3).live == 0


LONG = """
    IDS = ["why?" + "x" * 300, "why:" + "x" * 300, "z" * 300, *("q?" * count for count in range(112, 119))]

    @pytest.mark.parametrize("number", [pytest.param(number, id=name) for number, name in enumerate(IDS)])
    def test_it(number):
        assert ask(f"number {number}")
"""


def test_names_that_are_too_long_for_a_file_are_cut(suite: Suite, workers: Workers) -> None:
    suite.write(source=LONG)
    assert suite.run(*workers).passed(10).live == 10
    assert suite.run(*workers).passed(10).live == 0
    assert (len(suite.cassettes()), suite.summary()["complete"], suite.summary()["orphans"]) == (10, True, [])


NESTED = """
    class TestOne:
        class TestInner:
            def test_it(self):
                assert ask("one")

    class TestTwo:
        class TestInner:
            def test_it(self):
                assert ask("two")
"""


def test_classes_of_the_same_name_inside_of_others_share_no_cassette(suite: Suite, workers: Workers) -> None:
    suite.write(source=NESTED)
    assert suite.run("--record-mode=rewrite").passed(2).live == 2
    assert suite.run().passed(2).live == 0
    assert (len(suite.cassettes()), suite.summary()["orphans"]) == (2, [])


def test_what_such_classes_share_already_stays_in_use(suite: Suite) -> None:
    suite.conftest("import pytest\n\n@pytest.fixture\ndef vcr_config():\n    return {'match_on': ['method', 'path', 'body']}\n")
    suite.write(source="pytestmark = pytest.mark.vcr\n" + textwrap.dedent(NESTED))
    assert suite.run("--llm-vcr=off", "--record-mode=new_episodes").passed(2)
    assert len(suite.cassettes()) == 1
    assert suite.run("--record-mode=none").passed(2).live == 0


@pytest.mark.parametrize("dist", ["load", "loadscope", "loadfile", "loadgroup", "worksteal"])
def test_however_tests_are_distributed_what_was_recorded_in_one_process_replays(suite: Suite, dist: str) -> None:
    suite.conftest(
        """
        import pytest
        from calls import ask

        @pytest.fixture(scope="session", autouse=True)
        def warm():
            yield ask("up")
            ask("down")
    """
    )
    source = """
        class TestOne:
            @pytest.mark.parametrize("value", "abc")
            def test_it(self, value):
                ask(f"{__name__} {value}")

        @pytest.mark.xdist_group("one")
        def test_alone():
            ask(f"{__name__} alone")
    """
    suite.write("unit/test_a.py", source=source)
    suite.write("deep/er/test_b.py", source=source)
    assert suite.run().passed(8).live == 10
    run = suite.run("-n", "2", f"--dist={dist}", "--llm-vcr-max-live-calls=0").passed(8)
    assert (run.live, run.code) == (0, 0)
    told = suite.summary()
    # Its own, and the fixture's in each worker that had something to do.
    assert (told["calls"]["live"], told["calls"]["refused"], told["calls"]["replayed"] - 8) in ((0, 0, 4), (0, 0, 2))
    assert (told["complete"], told["orphans"], told["unused"]) == (True, [], {})
    assert told["verdicts"] == {"HIT": 9}


def test_where_every_worker_runs_every_test_all_their_calls_count(suite: Suite) -> None:
    suite.write(source="@pytest.mark.llm_vcr(off='on purpose')\ndef test_one():\n    ask('one')\n\ndef test_two():\n    ask('two')\n")
    run = suite.run("-n", "2", "--dist=each").passed(4)
    # One of them may have replayed what the other one recorded a moment ago.
    assert suite.summary()["calls"]["live"] == run.live >= 3


def test_a_rerun_stores_only_what_the_passing_attempt_recorded(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        from pathlib import Path

        def test_flaky():
            tries = Path(__file__).with_name("tries")
            tries.write_text((tries.read_text() if tries.exists() else "") + "x")
            ask(f"attempt {len(tries.read_text())}")
            assert len(tries.read_text()) > 2
    """
    )
    first = run(suite, "--reruns", "3")
    first.result.assert_outcomes(passed=1)
    assert first.live == 3
    told = first.verdicts["test_flaky"]
    assert (told["verdict"], told["live"], told["earlier_live"]) == ("MISS:RECORDED", 1, 2)
    [cassette] = suite.cassettes()
    text = (suite.path / cassette).read_text("utf-8")
    assert ("attempt 3" in text, "attempt 1" in text, "attempt 2" in text) == (True, False, False)


def test_last_failed_runs_and_tells_of_the_failed_one_alone(suite: Suite, workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.write(source="def test_one():\n    ask('one')\n\ndef test_two():\n    ask('two')\n    assert 'BROKEN' not in os.environ\n")
    assert run(suite).passed(2).live == 2
    monkeypatch.setenv("BROKEN", "1")
    assert run(suite).passed(1, failed=1).live == 0
    monkeypatch.delenv("BROKEN")
    last = run(suite, "--lf").passed(1)
    assert last.words() == {"test_two": "HIT"}
    summary = suite.summary()
    assert (summary["complete"], summary["orphans"], summary["unused"]) == (False, [], {})


def test_a_run_that_stops_at_the_first_failure_tells_what_it_did(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        def test_one():
            ask("one")

        def test_two():
            ask("two")
            assert 0

        @pytest.fixture(scope="session")
        def warm():
            yield
            ask("down")

        @pytest.mark.parametrize("number", range(9))
        def test_three(number, warm):
            ask(f"three {number}")
    """
    )
    stopped = run(suite, "-x")
    # Another worker goes on until it hears of it.
    words = stopped.words()
    others = [word for name, word in words.items() if "three" in name]
    assert workers or not others
    assert set(others) <= {"MISS:RECORDED"}
    assert (words["test_one"], words["test_two"]) == ("MISS:RECORDED", "MISS:NOT_PERSISTED")
    summary = suite.summary()
    assert (summary["complete"], summary["calls"]["live"]) == (False, stopped.live)
    assert stopped.live == 2 + len(others) + any(one["scope"] for one in summary["tests"].values())
    assert not any("test_two" in one for one in suite.cassettes())


@pytest.mark.parametrize("flag", ["--collect-only", "--setup-plan", "--setup-only"])
def test_a_run_without_tests_makes_no_call_and_tells_of_none(suite: Suite, flag: str) -> None:
    suite.write(source="def test_one():\n    ask('one')\n")
    seen = run(suite, flag, "-q", "--llm-vcr-fail-on=MISS,LIVE_CALL")
    assert (seen.code, seen.live, suite.cassettes()) == (0, 0, [])
    assert "test_one" in seen.text


def test_without_the_plugin_nothing_of_ours_happens(suite: Suite, workers: Workers) -> None:
    suite.ini(filterwarnings=None)
    suite.write(source="def test_one():\n    ask('one')\n")
    plain = run(suite, "-p", "no:llm_vcr").passed(1)
    assert plain.live == 1
    assert (plain.verdicts, suite.cassettes(), (suite.path / "llm-vcr-report").exists()) == ({}, [], False)
    assert " llm_vcr " not in plain.text
