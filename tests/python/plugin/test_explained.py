"""A miss says its cause, its place, both values and what mends it: at the failure, to the SDK, and for the whole suite."""

from __future__ import annotations

import pytest

from tests.python.plugin.conftest import Suite, Workers

# What varies between runs, the word that must name it, and where it stands.
CAUSES = {
    "token in the prompt": ('ask("session " + secrets.token_urlsafe(9))', "text", "messages[0].content"),
    "float in the metadata": ('ask("same", metadata={"trace": random.random()})', "number", "metadata.trace"),
    "model": ('ask("same", model="gpt-" + os.environ["RUN"])', "model", "model"),
    "added key": ('ask("same", **({"user": "me"} if os.environ["RUN"] == "2" else {}))', "added", "user"),
    "path": ('ask("same", url=URL + ("/2" if os.environ["RUN"] == "2" else ""))', "url", "path"),
    "key": (
        'httpx.post(URL, json=body("same"), headers={"authorization": "Bearer sk-" + os.environ["RUN"] * 40}, verify=False)'
        ".raise_for_status()",
        "credential",
        "",
    ),
    "consumed file": (
        "file = io.BytesIO(json.dumps(body('same')).encode())\n"
        "    file.seek(0 if os.environ['RUN'] == '1' else 10**6)\n"
        "    requests.post(URL, data=file, headers={**KEY, 'content-type': 'application/json'}).raise_for_status()",
        "empty-body",
        "",
    ),
    "more calls": (
        'ask("same")\n    if os.environ["RUN"] == "2":\n        ask("quite another thing")',
        "text",
        "messages[0].content",
    ),
}


@pytest.mark.parametrize("kind", CAUSES)
def test_a_miss_is_explained_where_the_test_fails(suite: Suite, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, cause, path = CAUSES[kind]
    suite.write(source=f"import io\nimport json\nimport random\nimport requests\nimport secrets\n\ndef test_one():\n    {code}\n")
    monkeypatch.setenv("RUN", "1")
    suite.run().passed(1)
    monkeypatch.setenv("RUN", "2")
    run = suite.run("--llm-vcr-max-live-calls=0")
    run.result.assert_outcomes(failed=1)
    assert run.live == 0
    [miss] = run.verdicts["test_one"]["misses"]
    assert cause in miss["cause"], miss
    assert path in miss["path"], miss
    assert miss["fix"]
    assert miss["refused"]
    run.result.stdout.fnmatch_lines(
        ["*- llm_vcr -*", "POST http://127.0.0.1*: not made, --llm-vcr-max-live-calls 0*", "  cause: *", "  mend: *"]
    )
    assert "sk-2" not in run.text.replace('"Bearer sk-" + os.environ', "")


def test_identical_misses_stand_once_with_their_number(suite: Suite, monkeypatch: pytest.MonkeyPatch, workers: Workers) -> None:
    suite.write(
        source="""
        def test_one():
            for _ in range(30):
                try:
                    ask("prompt of run " + os.environ["RUN"])
                except httpx.HTTPStatusError:
                    pass
            assert os.environ["RUN"] == "1"
    """
    )
    monkeypatch.setenv("RUN", "1")
    suite.run().passed(1)
    monkeypatch.setenv("RUN", "2")
    run = suite.run("--record-mode=none")
    run.result.assert_outcomes(failed=1)
    assert run.verdicts["test_one"]["refused"] == 30
    assert len(run.verdicts["test_one"]["misses"]) == 5
    assert run.text.count("cause: text") == 1
    assert "(20 times)" in run.text
    told = suite.summary()
    assert len(told["tests"]["test_it.py::test_one"]["misses"]) == 20


def test_misses_of_the_suite_are_grouped_by_cause_and_path(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        import random

        @pytest.mark.parametrize("number", range(4))
        def test_trace(number):
            ask(f"number {number}", metadata={"trace": random.random()})

        def test_fine():
            ask("fine")
    """
    )
    suite.run().passed(5)
    run = suite.run().passed(5)
    assert run.live == 4
    assert "4 tests miss because of number at `metadata.trace`" in run.text
    told = suite.summary()
    [group] = told["misses"]
    assert (group["cause"], group["path"], len(group["tests"])) == ("number", "metadata.trace", 4)


def test_a_first_recording_is_no_puzzle(suite: Suite) -> None:
    suite.write(
        source="""
        def test_one():
            ask("one")
            assert False, "for another reason"
    """
    )
    run = suite.run()
    assert "cause:" not in run.text
    assert "because of" not in run.text


def test_what_is_recorded_anew_on_purpose_is_no_puzzle(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.write(source="def test_one():\n    ask('one')\n    ask(os.environ['TWO'])\n")
    monkeypatch.setenv("TWO", "two")
    suite.run().passed(1)
    monkeypatch.setenv("TWO", "three")
    run = suite.run("--record-mode=all").passed(1)
    assert (run.live, run.words()) == (2, {"test_one": "MISS:RECORDED"})
    told = suite.summary()
    assert (told["misses"], told["unused"]) == ([], {})
    assert "because" not in run.text


def test_the_verdict_stands_beside_the_outcome(suite: Suite) -> None:
    suite.write(
        source="""
        def test_one():
            ask("one")

        def test_fails():
            ask("two")
            assert False

        def test_quiet():
            pass

        @pytest.mark.xfail
        def test_expected():
            ask("three")
            assert False
    """
    )
    for flag in ("-v", "--llm-vcr-verbose"):
        (suite.path / "cassettes/test_it/test_one.yaml").unlink(missing_ok=True)
        run = suite.run(flag)
        run.result.stdout.fnmatch_lines(
            [
                "test_it.py::test_one PASSED MISS:RECORDED*",
                "test_it.py::test_fails FAILED MISS:NOT_PERSISTED*",
                "test_it.py::test_quiet PASSED NOOP*",
                "test_it.py::test_expected XFAIL*",
                "FAILED test_it.py::test_fails*",
            ]
        )
    for arguments in ([], ["-n", "2"]):
        run = suite.run("-v", *arguments, subprocess=bool(arguments))
        # xdist writes the outcome first.
        run.result.stdout.fnmatch_lines(["*PASSED HIT test_it.py::test_one*" if arguments else "test_it.py::test_one PASSED HIT*"])
    plain = suite.run()
    assert "test_it.py .F.x" in plain.text


def test_the_verdict_of_a_store_that_fails_after_the_call_is_put_right(suite: Suite) -> None:
    suite.ini(filterwarnings="default")
    suite.write(source="def test_one(): ask('one')")
    (suite.path / "cassettes").write_text("in the way", "utf-8")
    run = suite.run("-v").passed(1, warnings=1)
    assert run.words() == {"test_one": "MISS:NOT_PERSISTED"}
    run.result.stdout.fnmatch_lines(["test_it.py::test_one PASSED MISS:RECORDED*", "test_it.py::test_one *MISS:NOT_PERSISTED*"])
