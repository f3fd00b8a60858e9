"""What may be stored: only what a test that passed has recorded, and never over a good recording."""

from __future__ import annotations

import pytest

from tests.python.plugin.conftest import Suite, Workers
from tests.python.plugin.inner import TWO, flaky


def test_only_a_passing_setup_and_call_save(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        def test_passes():
            ask("passes")

        def test_fails():
            ask("fails")
            assert False

        def test_skips_in_its_call():
            ask("skips")
            pytest.skip("later")

        @pytest.mark.xfail(reason="known")
        def test_expected_failure():
            ask("expected failure")
            assert False

        @pytest.mark.xfail(strict=True, reason="known")
        def test_unexpected_pass():
            ask("unexpected pass")

        @pytest.fixture
        def broken(vcr):
            ask("a fixture that breaks")
            raise OSError("broken")

        def test_erroring_fixture(broken):
            pass

        @pytest.fixture
        def breaks_later():
            yield
            ask("a teardown")
            raise OSError("broken")

        def test_teardown_error(breaks_later):
            ask("before the teardown")
    """
    )
    run = suite.run()
    run.result.assert_outcomes(passed=2, failed=2, skipped=1, xfailed=1, errors=2)
    assert suite.cassettes() == [
        f"cassettes/test_it/{name}.yaml" for name in ("test_expected_failure", "test_passes", "test_teardown_error")
    ]
    reasons = {name: (one["verdict"], one["reason"]) for name, one in run.verdicts.items()}
    assert reasons == {
        "test_passes": ("MISS:RECORDED", ""),
        "test_fails": ("MISS:NOT_PERSISTED", "call failed"),
        "test_skips_in_its_call": ("MISS:NOT_PERSISTED", "call skipped"),
        "test_expected_failure": ("MISS:RECORDED", ""),
        "test_unexpected_pass": ("MISS:NOT_PERSISTED", "call failed"),
        "test_erroring_fixture": ("MISS:NOT_PERSISTED", "setup failed"),
        # Its setup and its call passed: what a fixture does afterwards says nothing about the answers.
        "test_teardown_error": ("MISS:RECORDED", ""),
    }


def test_a_test_with_a_failed_subtest_saves_nothing(suite: Suite, workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.write(
        source="""
        import unittest

        class TestOfUnittest(unittest.TestCase):
            def test_sub(self):
                for number in range(3):
                    with self.subTest(number=number):
                        ask(f"number {number}")
                        assert number != int(os.environ["BROKEN"])

        def test_sub(subtests):
            for number in range(3):
                with subtests.test(number=number):
                    ask(f"number {number}")
                    assert number != int(os.environ["BROKEN"])
    """
    )
    monkeypatch.setenv("BROKEN", "1")
    run = suite.run()
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert (run.live, suite.cassettes()) == (6, [])
    assert {(one["verdict"], one["reason"]) for one in run.verdicts.values()} == {("MISS:NOT_PERSISTED", "call failed")}
    monkeypatch.setenv("BROKEN", "9")
    run = suite.run()
    assert (run.code, set(run.words().values()), len(suite.cassettes())) == (0, {"MISS:RECORDED"}, 2)


@pytest.mark.parametrize("status", [401, 500])
def test_other_answers_than_2xx_are_not_kept_unless_asked_for(suite: Suite, status: int) -> None:
    suite.write(
        source=f"""
        def send():
            return httpx.post(URL, json=body("fail always with {status}"), headers=KEY, verify=False).status_code

        def test_plain():
            assert send() == {status}

        @pytest.mark.llm_vcr(status=[{status}])
        def test_kept():
            assert send() == {status}
    """
    )
    run = suite.run().passed(2)
    assert run.verdicts["test_plain"]["verdict"] == "MISS:NOT_PERSISTED"
    assert run.verdicts["test_plain"]["reason"] == f"status {status}"
    assert suite.cassettes() == ["cassettes/test_it/test_kept.yaml"]
    again = suite.run().passed(2)
    assert (again.live, again.words()["test_kept"]) == (1, "HIT")


REWRITE = """
    {marker}
    def test_one():
        assert "Nothing" not in ask("one")
        assert not os.environ.get("FAIL")
"""


@pytest.mark.parametrize("where", ["option", "flag", "vcr marker", "our marker", "vcr_config"])
def test_rewrite_never_loses_a_good_recording(suite: Suite, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.write(source=REWRITE.format(marker=""))
    suite.run().passed(1)
    [name] = suite.cassettes()
    good = (suite.path / name).read_bytes()
    arguments = []
    match where:
        case "option":
            arguments = ["--record-mode=rewrite"]
        case "flag":
            arguments = ["--llm-vcr-record-mode=rewrite"]
        case "vcr_config":
            suite.conftest("""
                import pytest

                @pytest.fixture
                def vcr_config():
                    return {"record_mode": "rewrite"}
            """)
        case _:
            marker = "vcr" if where == "vcr marker" else "llm_vcr"
            suite.write(source=REWRITE.format(marker=f'@pytest.mark.{marker}(record_mode="rewrite")'))
    monkeypatch.setenv("FAIL", "1")
    failing = suite.run(*arguments)
    failing.passed(0, failed=1)
    assert failing.live == 1
    assert (suite.path / name).read_bytes() == good
    monkeypatch.delenv("FAIL")
    run = suite.run(*arguments).passed(1)
    assert (run.live, run.words()) == (1, {"test_one": "MISS:RECORDED"})
    renewed = (suite.path / name).read_bytes()
    assert renewed != good
    assert renewed.count(b"- request:") == 1


def test_session_scoped_rewrite_in_vcr_config_holds_for_every_test(suite: Suite) -> None:
    suite.conftest("""
        import pytest

        @pytest.fixture(scope="session")
        def vcr_config():
            return {"record_mode": "rewrite"}
    """)
    suite.write(source=TWO)
    suite.run().passed(2)
    run = suite.run().passed(2)
    assert (run.live, run.words()) == (2, {"test_one": "MISS:RECORDED", "test_two": "MISS:RECORDED"})


def test_each_rerun_is_an_attempt_of_its_own(suite: Suite) -> None:
    suite.write(source=flaky(3))
    run = suite.run("--reruns=3")
    run.result.assert_outcomes(passed=1)
    assert run.live == 3, "an attempt that failed left its answers behind"
    assert run.verdicts["test_flaky"]["recorded"] == 1
    assert run.words() == {"test_flaky": "MISS:RECORDED"}


def test_a_cassette_that_cannot_be_read_fails_the_test_and_stays(suite: Suite) -> None:
    suite.write(source=TWO)
    suite.run().passed(2)
    broken = suite.path / "cassettes/test_it/test_one.yaml"
    broken.write_text("version: 1\ninteractions: [", "utf-8")
    run = suite.run()
    run.result.assert_outcomes(passed=1, errors=1)
    assert (run.live, run.words()["test_two"]) == (0, "HIT")
    assert "test_one.yaml, line" in run.text
    assert broken.read_text("utf-8") == "version: 1\ninteractions: ["


def test_an_unwritable_store_is_told_and_fails_no_test(suite: Suite) -> None:
    suite.ini(filterwarnings="default")
    suite.write(source=TWO)
    # A file where the folder should be: whoever runs this, even as root, cannot write below it.
    (suite.path / "cassettes").write_text("in the way", "utf-8")
    run = suite.run().passed(2, warnings=2)
    assert set(run.words().values()) == {"MISS:NOT_PERSISTED"}
    assert "was not saved" in run.verdicts["test_one"]["reason"]
