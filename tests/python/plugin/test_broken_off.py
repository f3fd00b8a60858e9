"""Runs that do not end as they should: a worker that crashes, a test that ends the run. What they spent is told all the same."""

from __future__ import annotations

import pytest

from tests.python.plugin.conftest import Suite, Workers

CRASH = """
    import threading

    ask("at import")

    @pytest.mark.parametrize("number", range(4))
    def test_one(number):
        ask(f"number {number}")
        if number == 1 and not os.path.exists("crashed"):
            open("crashed", "w").close()
            ask("once more")
            thread = threading.Thread(target=httpx.post, args=(URL,), kwargs={"json": body("thread"), "headers": KEY, "verify": False})
            thread.start()
            thread.join()
            os._exit(1)
"""


@pytest.mark.parametrize("again", [[], ["--reruns=1"]], ids=["failed", "run again"])
def test_what_a_worker_that_crashes_had_live_is_counted(suite: Suite, again: list[str]) -> None:
    suite.ini(filterwarnings=None)
    suite.write(source=CRASH)
    run = suite.run("-n", "2", *again, "--llm-vcr-max-live-calls=99", "--llm-vcr-fail-on=LIVE_CALL")
    run.result.assert_outcomes(passed=4 if again else 3, failed=0 if again else 1)
    summary = suite.summary()
    # Four tests, two more of the one that crashed, its thread's, the import in three workers, and perhaps the attempt that recovered.
    assert run.live == summary["calls"]["live"] == (10 if again else 9)
    assert summary["calls"]["leaked"] + len(summary["outside_of_tests"]) == 3
    crashed = summary["tests"]["test_it.py::test_one[1]"]
    if again:
        assert (crashed["verdict"], crashed["live"], crashed["earlier_live"]) == ("MISS:RECORDED", 1, 3)
    else:
        assert (crashed["verdict"], crashed["live"], crashed["outcome"]) == ("MISS:NOT_PERSISTED", 3, "failed")
        assert crashed["reason"] in ("worker gw0 crashed while it ran", "worker gw1 crashed while it ran")
    assert crashed["unknown_calls"] == 3
    assert sum(" crashed" in one["when"] for one in summary["outside_of_tests"]) == 1
    assert "--llm-vcr-fail-on LIVE_CALL: outside of tests" in run.text
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert summary["complete"] is False
    # No other worker's, and nothing of it is counted a second time in the next run.
    suite.write(source=CRASH.replace('ask("at import")\n', ""))
    again_live = suite.run("-n", "2").passed(4)
    assert again_live.live == suite.summary()["calls"]["live"] == (0 if again else 1)


ENDS = """
    @pytest.fixture(scope="session")
    def warm():
        yield ask("up")
        ask("down")

    @pytest.fixture
    def own():
        yield
        ask("own down")

    def test_one(warm):
        ask("one")

    def test_two(warm, own):
        ask("two")
        {end}

    def test_three(warm):
        ask("three")
"""


@pytest.mark.parametrize("end", ["pytest.exit('enough')", "raise KeyboardInterrupt"], ids=["exit", "interrupt"])
def test_a_test_that_ends_the_run_stores_nothing_and_all_its_calls_are_told(suite: Suite, end: str, workers: Workers) -> None:
    suite.write(source=ENDS.format(end=end))
    run = suite.run("--llm-vcr-fail-on=MISS", subprocess=True)
    assert run.code == pytest.ExitCode.INTERRUPTED
    summary = suite.summary()
    assert summary["calls"]["live"] == run.live
    two = summary["tests"]["test_it.py::test_two"]
    assert (two["verdict"], two["live"], two["outcome"]) == ("MISS:NOT_PERSISTED", 2, "failed")
    assert not any("test_two" in one for one in suite.cassettes())
    assert any("test_one" in one for one in suite.cassettes())
    [fixture] = [one for one in summary["tests"].values() if one["scope"]]
    assert fixture["live"] + fixture["played"] >= 2
    assert "test_two" in next(one for one in summary["failures"] if "--llm-vcr-fail-on MISS" in one)


@pytest.mark.parametrize("seconds", [0.5, 60], ids=["goes on", "is ended"])
def test_ctrl_c_with_workers_tells_what_they_had_live(suite: Suite, seconds: float) -> None:
    suite.write(
        source=f"""
        import signal
        import time

        ask("at import")

        def test_one():
            ask("one")

        def test_two():
            ask("two")
            # The controller's alone: a terminal would send it to the worker, too.
            os.kill(os.getppid(), signal.SIGINT)
            time.sleep({seconds})
    """
    )
    run = suite.run("-n", "1")
    assert (run.code, run.live) == (pytest.ExitCode.INTERRUPTED, 3)
    told = suite.summary()
    assert (told["calls"]["live"], len(told["outside_of_tests"]), told["complete"]) == (3, 1, False)
    assert told["tests"]["test_it.py::test_one"]["verdict"] == "MISS:RECORDED"
    two = told["tests"]["test_it.py::test_two"]
    stored = any("test_two" in one for one in suite.cassettes())
    assert (two["live"], two["verdict"]) == (1, "MISS:RECORDED" if stored else "MISS:NOT_PERSISTED")
    assert stored == (seconds < 1)


def test_calls_outside_of_tests_count_once_where_a_worker_is_interrupted(suite: Suite) -> None:
    suite.write(source='ask("at import")\n\ndef test_one():\n    raise KeyboardInterrupt\n')
    run = suite.run("-n", "1")
    summary = suite.summary()
    assert summary["calls"]["live"] == len(summary["outside_of_tests"]) == run.live
