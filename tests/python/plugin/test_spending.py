"""The spend gate: how many live calls a run may make, and which verdicts fail it."""

from __future__ import annotations

import json
import textwrap
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from tests.python.plugin.conftest import Suite, Workers
from tests.python.plugin.inner import SIX, flaky


def test_the_limit_is_exact_over_all_workers(suite: Suite, workers: Workers) -> None:
    suite.write(source=SIX)
    run = suite.run("--llm-vcr-max-live-calls=4")
    run.passed(4, failed=2)
    assert run.live == 4
    assert sum(one["refused"] for one in run.verdicts.values()) == 2
    assert "--llm-vcr-max-live-calls 4: 4 made, 2 refused" in run.text
    again = suite.run("--llm-vcr-max-live-calls=2")
    again.passed(6)
    assert (again.live, again.code) == (2, 0)


def test_zero_refuses_a_miss_and_fails_a_run_whose_tests_pass(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        def test_swallows():
            try:
                ask("nothing there")
            except Exception as error:
                print(error)
    """
    )
    run = suite.run("--llm-vcr-max-live-calls=0").passed(1)
    assert (run.live, run.code) == (0, pytest.ExitCode.TESTS_FAILED)
    assert run.words() == {"test_swallows": "MISS:NOT_PERSISTED"}
    assert "FAILED --llm-vcr-max-live-calls 0: none made, 1 refused: test_it.py::test_swallows" in run.text
    assert suite.cassettes() == []


def test_zero_lets_a_replayed_suite_be(suite: Suite, workers: Workers) -> None:
    suite.write(source=SIX)
    suite.run().passed(6)
    run = suite.run("--llm-vcr-max-live-calls=0").passed(6)
    assert (run.live, run.code) == (0, 0)


@pytest.mark.parametrize("flags", [["--record-mode=none"], ["--llm-vcr-max-live-calls=0"]], ids=["none", "limit"])
def test_a_refused_sdk_is_told_why_at_once(suite: Suite, flags: list[str]) -> None:
    suite.write(
        source="""
        import anthropic
        import openai

        BASE = URL.removesuffix("/chat/completions")
        ASKED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}

        @pytest.fixture(autouse=True)
        def no_waiting(monkeypatch):
            import time
            monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it tries again"))

        def test_openai():
            with pytest.raises(openai.UnprocessableEntityError, match="not recorded"):
                openai.OpenAI(base_url=BASE, api_key="k").chat.completions.create(**ASKED)

        @pytest.mark.asyncio
        async def test_async_openai():
            with pytest.raises(openai.UnprocessableEntityError, match="llm_vcr"):
                async with openai.AsyncOpenAI(base_url=BASE, api_key="k") as client:
                    await client.chat.completions.create(**ASKED)

        def test_anthropic():
            with pytest.raises(anthropic.UnprocessableEntityError, match="llm_vcr"):
                anthropic.Anthropic(base_url=BASE.removesuffix("/v1"), api_key="k").messages.create(max_tokens=1, **ASKED)

        @pytest.mark.asyncio
        async def test_aiohttp():
            import aiohttp

            async with aiohttp.ClientSession() as client:
                async with client.post(URL, json=body("hi"), headers=KEY) as answer:
                    assert answer.status == 422
                    assert "llm_vcr" in await answer.text()

        def test_requests():
            import requests

            answer = requests.post(URL, json=body("hi"), headers=KEY)
            assert answer.status_code == 422
            assert "llm_vcr" in answer.json()["error"]["message"]
    """
    )
    run = suite.run(*flags).passed(5)
    assert run.live == 0
    assert {name: one["refused"] for name, one in run.verdicts.items()} == dict.fromkeys(run.verdicts, 1)


def test_a_host_that_is_no_provider_is_refused_as_vcrpy_does(suite: Suite) -> None:
    suite.ini(llm_vcr_provider_hosts="llm.example")
    suite.write(
        source="""
        from vcr.errors import CannotOverwriteExistingCassetteException

        @pytest.mark.vcr
        def test_one():
            with pytest.raises(CannotOverwriteExistingCassetteException):
                ask("one")
    """
    )
    assert suite.run("--record-mode=none").passed(1).verdicts["test_one"]["refused"] == 1


@pytest.mark.parametrize(
    ("word", "source", "arguments"),
    [
        ("OVERFLOW", 'def test_one(): ask("one"); ask(os.environ["TOKEN"])', ["--llm-vcr-max-episodes=2"]),
        ("MISS", 'def test_one(): ask("one")', []),
        ("PARTIAL", 'def test_one(): ask("one"); ask(os.environ["TOKEN"])', []),
        ("STALE", '@pytest.mark.llm_vcr(ttl="1s")\ndef test_one(): ask("one")', ["--record-mode=none"]),
        ("LIVE_CALL", '@pytest.mark.llm_vcr(off="on purpose")\ndef test_one(): ask("one")', []),
    ],
)
def test_fail_on(suite: Suite, word: str, source: str, arguments: list[str], workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    if word != "MISS":
        monkeypatch.setenv("TOKEN", "first")
        suite.write(source=source)
        suite.run().passed(1)
        if word == "STALE":
            [name] = suite.cassettes()
            path = suite.path / name
            path.write_text(path.read_text("utf-8").replace("recorded_at: '20", "recorded_at: '19"), "utf-8")
        monkeypatch.setenv("TOKEN", "second")
    suite.write(source=source)
    run = suite.run(f"--llm-vcr-fail-on={word}", *arguments).passed(1)
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert f"FAILED --llm-vcr-fail-on {word}: test_it.py::test_one" in run.text
    others = {"MISS", "PARTIAL", "STALE", "LIVE_CALL", "OVERFLOW"} - {word}
    if word in ("STALE", "LIVE_CALL"):
        assert suite.run(f"--llm-vcr-fail-on={','.join(others)}", *arguments).passed(1).code == 0


def test_reruns_count_what_every_attempt_spent(suite: Suite) -> None:
    suite.write(source=flaky(2))
    run = suite.run("--reruns=3")
    run.result.assert_outcomes(passed=1)
    assert run.live == 2
    assert "calls: 2 live" in run.text
    assert (run.verdicts["test_flaky"]["live"], run.verdicts["test_flaky"]["earlier_live"]) == (1, 1)


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--llm-vcr-max-live-calls=-1", "0 or more"),
        ("--llm-vcr-max-live-calls=few", "0 or more"),
        ("--llm-vcr-fail-on=MISSES", "did you mean 'MISS'"),
    ],
)
def test_a_limit_that_cannot_be_is_a_usage_error(suite: Suite, flag: str, expected: str) -> None:
    suite.write(source=SIX)
    run = suite.run(flag)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert expected in run.text
    assert flag.partition("=")[0] in run.text


def test_the_report_folder_is_the_last_runs(suite: Suite) -> None:
    suite.write(source=SIX)
    folder = suite.path / "llm-vcr-report"
    folder.mkdir()
    (folder / "process-gw7.jsonl").write_text('{"test": "an old one"}\n', "utf-8")
    (folder / "mine.txt").write_text("not yours", "utf-8")
    suite.run("-n", "2", "--llm-vcr-max-live-calls=5", subprocess=True).passed(5, failed=1)
    told = json.loads((folder / "summary.json").read_text("utf-8"))
    assert told["verdicts"] == {"MISS:RECORDED": 5, "MISS:NOT_PERSISTED": 1}
    assert told["calls"]["live"] == 5
    assert told["calls"]["refused"] == 1
    assert len(told["tests"]) == 6
    assert len(told["failures"]) == 1
    assert {one.name for one in folder.glob("*.jsonl")} == {"process-gw0.jsonl", "process-gw1.jsonl"}
    assert (folder / "mine.txt").exists()
    suite.run("--llm-vcr-report=elsewhere").passed(6)
    assert json.loads((suite.path / "elsewhere/summary.json").read_text("utf-8"))["verdicts"] == {"HIT": 5, "MISS:RECORDED": 1}
    assert (suite.path / "elsewhere/.gitignore").read_text("utf-8").endswith("*\n")
    suite.run("--llm-vcr-report=off", "--llm-vcr-verbose").passed(6)


@pytest.mark.parametrize("arguments", [[], ["--llm-vcr-fail-on=OVERFLOW"], ["-n", "2", "--llm-vcr-fail-on=OVERFLOW"]])
def test_more_episodes_than_a_cassette_may_have(suite: Suite, arguments: list[str]) -> None:
    suite.ini(llm_vcr_max_episodes="2")
    suite.write(
        source="""
        def test_fits():
            ask("one"), ask("two")

        def test_overflows():
            ask("one"), ask("two"), ask("three")
    """
    )
    run = suite.run(*arguments).passed(2)
    assert run.words() == {"test_fits": "MISS:RECORDED", "test_overflows": "MISS:OVERFLOW"}
    assert "llm_vcr_max_episodes" in run.verdicts["test_overflows"]["reason"]
    assert run.code == (pytest.ExitCode.TESTS_FAILED if arguments else 0)
    assert ("FAILED --llm-vcr-fail-on OVERFLOW: test_it.py::test_overflows" in run.text) is bool(arguments)
    assert "test_fits" not in run.text.partition("FAILED --llm-vcr-fail-on")[2]
    # Called again and again, and never over the limit.
    again = suite.run().passed(2)
    assert again.live == 1
    assert again.words() == {"test_fits": "HIT", "test_overflows": "MISS:OVERFLOW"}


class Redirecting(BaseHTTPRequestHandler):
    """`/3` leads to `/2`, and so on; `/0` answers. `/out` leads out of the provider's host, `/in` from there to the provider's."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.seen.append(self.path)
        place = self.headers["host"].rpartition(":")[2]
        known = {"/out": f"http://localhost:{place}/0", "/in": f"http://127.0.0.1:{place}/0"}
        left = known.get(self.path) or (f"/{int(self.path[1:]) - 1}" if self.path != "/0" else "")
        self.send_response(302 if left else 200)
        if left:
            self.send_header("Location", left)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def redirecting(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    Redirecting.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.setenv("REDIRECTING", str(server.server_port))
        yield Redirecting.seen
        server.shutdown()
        thread.join(10)


FOLLOW = """
    import asyncio

    def follow(path, host="127.0.0.1"):
        url = f"http://{host}:{os.environ['REDIRECTING']}{path}"
        if os.environ["CLIENT"] == "httpx":
            return httpx.get(url, follow_redirects=True, verify=False).status_code
        if os.environ["CLIENT"] == "requests":
            import requests
            return requests.get(url, timeout=10).status_code
        import aiohttp

        async def send():
            async with aiohttp.ClientSession() as client, client.get(url) as answer:
                return answer.status

        return asyncio.run(send())
"""


@pytest.mark.parametrize("client", ["aiohttp", "httpx", "requests"])
@pytest.mark.parametrize("marks", ["", '@pytest.mark.llm_vcr(off="on purpose")'], ids=["cassette", "around"])
def test_a_redirect_takes_a_ticket_for_each_hop(
    suite: Suite, redirecting: list[str], monkeypatch: pytest.MonkeyPatch, client: str, marks: str
) -> None:
    monkeypatch.setenv("CLIENT", client)
    source = f"""
        {marks}
        def test_it():
            try:
                assert follow("/3") in (200, 422)
            except Exception as error:
                print(error)
    """
    suite.write(source=FOLLOW + textwrap.indent(textwrap.dedent(source), "    "))
    stopped = suite.run("--llm-vcr-max-live-calls=2", "-p", "no:warnings").passed(1)
    assert redirecting == ["/3", "/2"]
    assert stopped.code == pytest.ExitCode.TESTS_FAILED
    assert "--llm-vcr-max-live-calls 2: 2 made, 1 refused: test_it.py::test_it" in stopped.text
    redirecting.clear()
    whole = suite.run("--llm-vcr-max-live-calls=4", "-p", "no:warnings").passed(1)
    assert redirecting == ["/3", "/2", "/1", "/0"]
    assert whole.code == 0
    assert "calls: 4 live" in whole.text


@pytest.mark.parametrize("client", ["aiohttp", "httpx", "requests"])
def test_only_hops_to_a_provider_take_one(suite: Suite, redirecting: list[str], monkeypatch: pytest.MonkeyPatch, client: str) -> None:
    monkeypatch.setenv("CLIENT", client)
    source = """
        def test_out():
            assert follow("/out") == 200

        def test_in():
            assert follow("/in", "localhost") == 200
    """
    suite.write(source=FOLLOW + textwrap.indent(textwrap.dedent(source), "    "))
    run = suite.run("--llm-vcr-max-live-calls=2", "-p", "no:warnings").passed(2)
    assert run.code == 0
    assert {name: one["live"] for name, one in run.verdicts.items()} == {"test_out": 1, "test_in": 1}
    assert sorted(redirecting) == ["/0", "/0", "/in", "/out"]
