"""What a run cost and avoided, in dollars, and what it says of its cassettes: on the screen, in JUnit XML and in ``summary.json``."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml
from genai_prices import Usage, calc_price

from tests.python.plugin.conftest import Suite, Workers
from tests.python.plugin.inner import SIX, flaky


def price_of(cassette: Path) -> float:
    """What a cassette's calls to gpt-4o-mini cost, counted the plain way."""
    dollars = 0.0
    for one in yaml.safe_load(cassette.read_text("utf-8"))["interactions"]:
        usage = json.loads(one["response"]["body"]["string"])["usage"]
        used = Usage(input_tokens=usage["prompt_tokens"], output_tokens=usage["completion_tokens"])
        dollars += float(calc_price(used, "gpt-4o-mini", provider_id="openai").total_price)
    return dollars


def test_dollars_are_told_by_test_and_model(suite: Suite, workers: Workers) -> None:
    suite.write(source=SIX)
    first = suite.run().passed(6)
    prices = {name.rpartition("/")[2].removesuffix(".yaml"): price_of(suite.path / name) for name in suite.cassettes()}
    whole = sum(prices.values())
    assert whole > 0
    told = suite.summary()
    assert told["dollars"] == {"spent": pytest.approx(whole), "avoided": 0, "unknown_calls": 0, "unknown_models": []}
    assert {name.partition("::")[2]: one["spent"] for name, one in told["tests"].items()} == {
        name: pytest.approx(dollars) for name, dollars in prices.items()
    }
    assert re.search(r"^dollars: (< )?\$0\.000\d+ spent, \$0 avoided$", first.text, re.MULTILINE)
    again = suite.run().passed(6)
    told = suite.summary()
    assert told["dollars"] == {"spent": 0, "avoided": pytest.approx(whole), "unknown_calls": 0, "unknown_models": []}
    assert told["models"] == [
        {
            "model": "gpt-4o-mini",
            "provider": "openai",
            "live": 0,
            "replayed": 6,
            "spent": 0,
            "avoided": pytest.approx(whole),
            "unknown_calls": 0,
        }
    ]
    assert re.search(r"^dollars: \$0 spent, (< )?\$0\.000\d+ avoided$", again.text, re.MULTILINE)


def test_the_report_says_all_there_is(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        def test_asks(): ask("one"); ask("two")
        def test_fails(): ask("three"); assert False
        @pytest.mark.skip(reason="later")
        def test_skipped(): ask("four")
        """
    )
    suite.run().passed(1, failed=1, skipped=1)
    told = suite.summary()
    assert told["format"] == 1
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:]+\+00:00", told["started"])
    assert 0 < told["seconds"] < 600
    assert (told["exit_status"], told["project"], told["complete"]) == (1, suite.path.name, True)
    assert told["store"] == {"url": "file", "health": [], "capacity": None}
    assert (told["unused"], told["orphans"], told["masked_values"], told["media_shrunk"]) == ({}, [], [], 0)
    tests = {name.partition("::")[2]: one for name, one in told["tests"].items()}
    assert {name: one["outcome"] for name, one in tests.items()} == {"test_asks": "passed", "test_fails": "failed"}
    assert all(0 < one["seconds"] < 60 for one in tests.values())
    [cassette] = tests["test_asks"]["cassettes"]
    path = suite.path / cassette["id"]
    assert (cassette["episodes"], cassette["bytes"]) == (2, path.stat().st_size)
    assert cassette["recorded_at"].startswith("20")
    assert tests["test_fails"]["cassettes"] == []
    assert tests["test_fails"]["spent"] > 0


def test_an_unknown_price_is_said_to_be_unknown(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        def test_model(): ask("one", model="gpt-0")

        @pytest.mark.llm_vcr(off="to see what it says")
        def test_around(): ask("two")
        """
    )
    run = suite.run().passed(2)
    assert "dollars: $0 spent, $0 avoided, 2 calls of unknown price ('127.0.0.1', 'gpt-0')" in run.text
    told = suite.summary()
    assert told["dollars"] == {"spent": 0, "avoided": 0, "unknown_calls": 2, "unknown_models": ["127.0.0.1", "gpt-0"]}
    assert {name.partition("::")[2]: one["unknown_calls"] for name, one in told["tests"].items()} == {"test_model": 1, "test_around": 1}


def test_reruns_pay_for_every_attempt(suite: Suite) -> None:
    suite.write(source=flaky(2))
    suite.run("--reruns=3").result.assert_outcomes(passed=1)
    [test] = suite.summary()["tests"].values()
    assert test["spent"] == pytest.approx(2 * price_of(suite.path / suite.cassettes()[0]), rel=0.5)
    assert test["models"][0]["live"] == 2
    assert test["outcome"] == "passed"


def test_junit_has_plain_properties(suite: Suite, workers: Workers) -> None:
    suite.write(source='def test_one(): ask("one"); ask("one", model="gpt-0")')
    suite.run().passed(1)

    def properties() -> dict[str, str]:
        suite.run().passed(1)
        case = next(ET.parse(suite.path / "junit.xml").getroot().iter("testcase"))
        return {str(one.get("name")): str(one.get("value")) for one in case.iter("property")}

    [cassette] = suite.cassettes()
    told = properties()
    assert told["llm_vcr_verdict"] == "HIT"
    assert (told["llm_vcr_live"], told["llm_vcr_replayed"], told["llm_vcr_refused"]) == ("0", "2", "0")
    assert (told["llm_vcr_spent_usd"], told["llm_vcr_unknown_price_calls"]) == ("0.000000", "1")
    assert float(told["llm_vcr_avoided_usd"]) > 0
    assert "used" not in told["llm_vcr"] or json.loads(told["llm_vcr"])["used"] == []
    (suite.path / cassette).unlink()
    told = properties()
    assert (told["llm_vcr_verdict"], told["llm_vcr_live"]) == ("MISS:RECORDED", "2")
    assert float(told["llm_vcr_spent_usd"]) > 0


def test_no_call_starts_once_the_dollars_are_spent(suite: Suite, workers: Workers) -> None:
    suite.write(source=SIX)
    suite.run().passed(6)
    one = suite.summary()["dollars"]["spent"] / 6
    for name in suite.cassettes():
        (suite.path / name).unlink()
    run = suite.run(f"--llm-vcr-max-live-usd={2.5 * one:.9f}")
    # The third call starts, as two do not reach the limit; beside it, another worker's may be under way.
    assert run.live in ((3, 4) if workers else (3,))
    run.passed(run.live, failed=6 - run.live)
    assert run.code == pytest.ExitCode.TESTS_FAILED
    refused = [name for name, verdict in run.verdicts.items() if verdict["refused"]]
    assert len(refused) == 6 - run.live
    [line] = re.findall(r"^FAILED (--llm-vcr-max-live-usd .*)$", run.text, re.MULTILINE)
    assert "spent; refused calls of: " in line
    assert all(f"test_it.py::{name}" in line for name in refused)
    assert suite.summary()["failures"] == [line]


def test_no_dollars_allow_no_call_and_let_a_replayed_suite_be(suite: Suite, workers: Workers) -> None:
    suite.write(source='def test_one(): ask("one")\ndef test_two(): ask("two")')
    run = suite.run("--llm-vcr-max-live-usd=0")
    run.passed(0, failed=2)
    assert run.live == 0
    assert "--llm-vcr-max-live-usd 0 allows no call" in run.text
    suite.run().passed(2)
    run = suite.run("--llm-vcr-max-live-usd=0").passed(2)
    assert (run.live, run.code) == (0, 0)


def test_an_unlimited_last_call_fails_the_run_and_names_its_test(suite: Suite) -> None:
    suite.write(source='def test_one(): ask("one")')
    run = suite.run("--llm-vcr-max-live-usd=0.000000001").passed(1)
    assert (run.live, run.code) == (1, pytest.ExitCode.TESTS_FAILED)
    assert "spent; spent by: test_it.py::test_one" in run.text


def test_a_limit_in_dollars_says_what_it_cannot_count(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        def test_model(): ask("one", model="gpt-0")

        @pytest.mark.llm_vcr(off="to see what it says")
        def test_around(): ask("two")
        """
    )
    run = suite.run("--llm-vcr-max-live-usd=1").passed(2)
    assert run.code == 0
    assert "warning: --llm-vcr-max-live-usd cannot count 2 calls of unknown price: " in run.text
    assert "gpt-0: no price is known for what it used" in run.text
    assert "127.0.0.1: a call around every cassette" in run.text


@pytest.mark.parametrize("amount", ["-1", "much", "1,5", "nan", "inf", ""])
def test_a_limit_that_is_no_amount_is_a_usage_error(suite: Suite, amount: str) -> None:
    suite.write(source=SIX)
    run = suite.run(f"--llm-vcr-max-live-usd={amount}")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "an amount of dollars such as 0.50, 0 or more" in run.text


def test_prices_are_loaded_where_the_run_ends_and_nowhere_else(suite: Suite) -> None:
    suite.write(source=SIX)
    suite.run().passed(6)
    suite.conftest(
        """
        import pathlib, sys
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_sessionfinish(session):
            process = getattr(session.config, "workerinput", {"workerid": "controller"})["workerid"]
            pathlib.Path(f"loaded-{process}").write_text(str("genai_prices" in sys.modules))
        """
    )
    suite.run("-n", "2", subprocess=True).passed(6)
    told = {one.name.removeprefix("loaded-"): one.read_text() for one in suite.path.glob("loaded-*")}
    assert told == {"gw0": "False", "gw1": "False", "controller": "True"}
    suite.write(source="def test_nothing(): pass")
    suite.run(subprocess=True).passed(1)
    assert (suite.path / "loaded-controller").read_text() == "False"


# --- cassettes


def test_episodes_that_no_test_plays_any_more(suite: Suite, workers: Workers) -> None:
    suite.write(source='def test_one(): ask("one"); ask("two"); ask("three")\ndef test_other(): ask("four")')
    suite.run().passed(2)
    suite.write(source='def test_one(): ask("two")\ndef test_other(): ask("four"); assert False')
    run = suite.run().passed(1, failed=1)
    told = suite.summary()
    assert list(told["unused"]) == ["cassettes/test_it/test_one.yaml"]
    [prints] = told["unused"].values()
    assert len(prints) == 2
    assert all(re.fullmatch(r"[0-9a-f]{10}", one) for one in prints)
    assert "not played any more: 2 episodes in 1 cassette (cassettes/test_it/test_one.yaml)" in run.text


@pytest.mark.parametrize("flags", [["test_it.py::test_one"], ["-k", "one or alone"], ["test_it.py"]], ids=["id", "-k", "module"])
def test_a_run_of_some_tests_tells_of_no_episode_that_another_test_may_play(suite: Suite, flags: list[str], workers: Workers) -> None:
    suite.conftest(
        """
        import pytest
        from calls import ask

        @pytest.fixture(scope="module", autouse=True)
        def warm(request):
            return ask(f"for {request.module.__name__}")
    """
    )
    source = """
        @pytest.mark.default_cassette("ours")
        def test_one():
            ask("one")

        @pytest.mark.default_cassette("ours")
        def test_two():
            ask("two")

        def test_alone():
            ask("alone")
            %s
    """
    suite.write(source=source % "ask('alone, too')")
    suite.write("test_other.py", "def test_other():\n    pass\n")
    suite.run().passed(4)
    suite.write(source=source % "")
    suite.run(*flags)
    told = suite.summary()
    assert (told["complete"], set(told["unused"]) - {"cassettes/test_it/test_alone.yaml"}) == (False, set())
    assert ("cassettes/test_it/test_alone.yaml" in told["unused"]) == ("test_it.py::test_one" not in flags)
    suite.write("test_other.py", "def test_other():\n    pytest.skip('here')\n")
    suite.run()
    told = suite.summary()
    assert (told["complete"], set(told["unused"])) == (True, {"cassettes/test_it/test_alone.yaml"})


def test_an_episode_that_another_test_plays_is_no_unused_one(suite: Suite) -> None:
    suite.write(
        source="""
        @pytest.fixture
        def default_cassette_name(): return "shared"

        def test_one(): ask("one")
        def test_two(): ask("two")
        """
    )
    suite.run().passed(2)
    suite.run().passed(2)
    assert suite.summary()["unused"] == {}


def test_cassettes_without_a_test(suite: Suite, workers: Workers) -> None:
    suite.write(source='def test_one(): ask("one")\ndef test_two(): ask("two")')
    suite.write("deep/test_more.py", source='@pytest.mark.skip\ndef test_it(): ask("three")\ndef test_then(): ask("four")')
    suite.run().passed(3, skipped=1)
    (suite.path / "deep/cassettes/test_more/test_it.yaml").write_text((suite.path / "cassettes/test_it/test_one.yaml").read_text("utf-8"))
    suite.write(source='def test_two(): ask("two")')
    run = suite.run().passed(2, skipped=1)
    assert suite.summary()["orphans"] == ["cassettes/test_it/test_one.yaml"]
    assert suite.summary()["complete"] is True
    assert "without a test: 1 cassette (cassettes/test_it/test_one.yaml); `llm-vcr prune` drops them" in run.text


@pytest.mark.parametrize("flags", [["-k", "two"], ["test_it.py"], ["--deselect", "test_it.py::test_two"], ["--ignore", "deep"], ["-x"]])
def test_a_run_of_some_tests_tells_of_no_orphans(suite: Suite, flags: list[str], workers: Workers) -> None:
    suite.write(source='def test_one(): ask("one")\ndef test_two(): ask("two")')
    suite.run().passed(2)
    (suite.path / "cassettes/test_it/test_gone.yaml").write_text((suite.path / "cassettes/test_it/test_one.yaml").read_text("utf-8"))
    if flags == ["-x"]:
        suite.write("test_a_broken.py", source="def test_broken(): ask('one'); assert False")
    suite.run(*flags)
    told = suite.summary()
    assert (told["complete"], told["orphans"]) == (False, [])


def test_a_module_that_cannot_be_imported_leaves_its_cassettes_alone(suite: Suite) -> None:
    suite.write(source='def test_one(): ask("one")')
    suite.write("test_more.py", source='def test_two(): ask("two")')
    suite.run().passed(2)
    suite.write("test_more.py", source="import no_such_module")
    suite.run("--continue-on-collection-errors")
    assert (suite.summary()["complete"], suite.summary()["orphans"]) == (False, [])


def test_what_was_masked_is_told(suite: Suite, workers: Workers) -> None:
    suite.write(source="import uuid\ndef test_one(): ask(f'thread {uuid.uuid4()}')\ndef test_two(): ask('two', user=str(uuid.uuid4()))")
    suite.run().passed(2)
    run = suite.run().passed(2)
    assert sorted(suite.summary()["masked_values"], key=lambda one: str(one["path"])) == [
        {"what": "uuid", "path": "messages[0].content", "count": 1, "example_test": "test_it.py::test_one"},
        {"what": "uuid", "path": "user", "count": 1, "example_test": "test_it.py::test_two"},
    ]
    assert "masked to match: uuid at `" in run.text
