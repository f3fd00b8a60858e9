"""Traffic in the background: what outlives its test is no other test's, and what serves every test is the running one's."""

from __future__ import annotations

import pytest

from tests.python.plugin.conftest import Suite, Workers

THREAD = """
    import threading

    GO, DONE = threading.Event(), threading.Event()

    def later():
        GO.wait(20)
        try:
            ask("shared", url=URL.replace("127.0.0.1", os.environ.get("STRANGER", "127.0.0.1")))
        except Exception as error:
            print("background:", error)
        DONE.set()

    def test_a():
        threading.Thread(target=later).start()

    def test_b():
        ask("shared")
        GO.set()
        DONE.wait(20)

    def test_c():
        assert DONE.is_set()
        ask("of c")
"""


@pytest.mark.parametrize("explicit", [False, True], ids=["automatic", "marked"])
def test_a_thread_that_outlives_its_test_is_in_no_other_cassette(suite: Suite, explicit: bool, by_file: Workers) -> None:
    suite.write(source=("    pytestmark = pytest.mark.vcr\n" if explicit else "") + THREAD)
    run = suite.run("--llm-vcr-fail-on=LIVE_CALL").passed(3)
    assert run.live == 3
    assert {name: (one["verdict"], one["live"], one["leaked"]) for name, one in run.verdicts.items()} == {
        "test_a": ("NOOP", 0, 0),
        "test_b": ("MISS:RECORDED", 1, 0),
        "test_c": ("MISS:RECORDED", 1, 0),
    }
    assert "live call: after test_it.py::test_a was over: 127.0.0.1 from calls.py" in run.text
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert "FAILED --llm-vcr-fail-on LIVE_CALL: test_it.py::test_a (in the background)" in run.text
    [cassette] = [one for one in suite.path.rglob("*.yaml") if one.stem == "test_b"]
    assert cassette.read_text("utf-8").count("- request:") == 1
    # Not answered from another test's cassette either, and refused where nothing may be spent.
    again = suite.run("--llm-vcr-max-live-calls=0").passed(3)
    assert (again.live, again.code) == (0, pytest.ExitCode.TESTS_FAILED)
    assert again.words() == {"test_a": "NOOP", "test_b": "HIT", "test_c": "HIT"}
    assert again.verdicts["test_b"]["repeated"] == 0
    assert "none made, 1 refused: test_it.py::test_a (in the background)" in again.text


def test_a_task_that_outlives_its_test_is_in_no_other_cassette(suite: Suite) -> None:
    suite.write(
        source="""
        import asyncio
        import httpx2

        pytestmark = pytest.mark.asyncio(loop_scope="module")
        TASKS = []

        async def send(prompt):
            async with httpx2.AsyncClient(verify=False) as client:
                return await client.post(URL, json=body(prompt), headers=KEY)

        async def later(go):
            await go.wait()
            await send("later")

        GO = asyncio.Event()

        async def test_a():
            TASKS.append(asyncio.create_task(later(GO)))
            await send("of a")

        async def test_b():
            await send("of b")
            GO.set()
            await TASKS[0]
    """
    )
    run = suite.run().passed(2)
    assert run.live == 3
    assert {name: (one["live"], one["recorded"], one["leaked"]) for name, one in run.verdicts.items()} == {
        "test_a": (1, 1, 0),
        "test_b": (1, 1, 0),
    }
    assert "live call: after test_it.py::test_a was over" in run.text


WORKERS = {
    "executor of the module": """
        from concurrent.futures import ThreadPoolExecutor

        POOL = ThreadPoolExecutor(1)

        @pytest.mark.parametrize("number", range(3))
        def test_it(number):
            assert POOL.submit(ask, f"number {number}").result(20)
    """,
    "executor in an executor": """
        from concurrent.futures import ThreadPoolExecutor

        OUTER, INNER = ThreadPoolExecutor(1), ThreadPoolExecutor(1)

        @pytest.mark.parametrize("number", range(3))
        def test_it(number):
            assert OUTER.submit(lambda: INNER.submit(ask, f"number {number}").result(20)).result(20)
    """,
    "to_thread": """
        import asyncio

        @pytest.mark.asyncio(loop_scope="module")
        @pytest.mark.parametrize("number", range(3))
        async def test_it(number):
            assert await asyncio.to_thread(ask, f"number {number}")
    """,
    "anyio's threads": """
        import anyio.to_thread

        @pytest.fixture(scope="module")
        def anyio_backend():
            return "asyncio"

        @pytest.fixture(scope="module", autouse=True)
        async def shared(anyio_backend):
            yield

        @pytest.mark.anyio
        @pytest.mark.parametrize("number", range(3))
        async def test_it(number, anyio_backend):
            assert await anyio.to_thread.run_sync(ask, f"number {number}")
    """,
    "a loop in a thread, made by the first test": """
        import asyncio
        import functools
        import threading

        @functools.cache
        def loop():
            made = asyncio.new_event_loop()
            def run():
                made.run_forever()
                made.close()
            threading.Thread(target=run, daemon=True).start()
            return made

        async def asked(prompt):
            return await asyncio.to_thread(ask, prompt)

        @pytest.mark.parametrize("number", range(3))
        def test_it(number):
            assert asyncio.run_coroutine_threadsafe(asked(f"number {number}"), loop()).result(20)

        def test_last():
            loop().call_soon_threadsafe(loop().stop)
    """,
    "a thread that submits": """
        import asyncio
        import functools
        import threading

        @functools.cache
        def loop():
            made = asyncio.new_event_loop()
            def run():
                made.run_forever()
                made.close()
            threading.Thread(target=run, daemon=True).start()
            return made

        async def asked(prompt):
            return await asyncio.to_thread(ask, prompt)

        @pytest.mark.parametrize("number", range(3))
        def test_it(number):
            answers = []
            def work():
                answers.append(asyncio.run_coroutine_threadsafe(asked(f"number {number}"), loop()).result(20))
            thread = threading.Thread(target=work)
            thread.start()
            thread.join(20)
            assert answers

        def test_last():
            loop().call_soon_threadsafe(loop().stop)
    """,
    "a queue's worker, of a fixture": """
        import queue
        import threading

        @pytest.fixture(scope="module")
        def work():
            jobs, answers = queue.Queue(), queue.Queue()
            def worker():
                while (prompt := jobs.get()) is not None:
                    answers.put(ask(prompt))
            thread = threading.Thread(target=worker)
            thread.start()
            yield lambda prompt: (jobs.put(prompt), answers.get(timeout=20))[1]
            jobs.put(None)
            thread.join(20)

        @pytest.mark.parametrize("number", range(3))
        def test_it(work, number):
            assert work(f"number {number}")
    """,
    "a client of a wide loop": """
        import httpx2
        import pytest_asyncio

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def client():
            async with httpx2.AsyncClient(verify=False) as made:
                yield made

        @pytest.mark.asyncio(loop_scope="module")
        @pytest.mark.parametrize("number", range(3))
        async def test_it(client, number):
            assert (await client.post(URL, json=body(f"number {number}"), headers=KEY)).status_code == 200
    """,
}


@pytest.mark.parametrize("kind", WORKERS)
def test_what_works_for_every_test_works_for_the_one_that_runs(suite: Suite, kind: str) -> None:
    suite.write(source=WORKERS[kind])
    run = suite.run()
    asking = [one for name, one in run.verdicts.items() if name != "test_last"]
    assert [(one["verdict"], one["live"], one["recorded"], one["leaked"]) for one in asking] == [("MISS:RECORDED", 1, 1, 0)] * 3, run.text
    again = suite.run("--llm-vcr-max-live-calls=0")
    assert (again.live, again.code) == (0, 0), again.text
    assert [one["verdict"] for name, one in again.verdicts.items() if name != "test_last"] == ["HIT"] * 3


def test_telemetry_of_a_thread_of_no_test_is_in_no_cassette(suite: Suite, by_file: Workers) -> None:
    suite.ini(llm_vcr_telemetry_hosts="localhost", llm_vcr="marked")
    suite.write(
        source="""
        import queue
        import threading

        EVENTS, FLUSHED = queue.Queue(), queue.Queue()

        def flusher():
            while (event := EVENTS.get()) is not None:
                FLUSHED.put(ask(event, url=URL.replace("127.0.0.1", "localhost")))

        # As an SDK for telemetry does it when it is imported.
        threading.Thread(target=flusher, daemon=True).start()

        @pytest.mark.vcr
        def test_a():
            ask("of a")
            EVENTS.put("an event")
            FLUSHED.get(timeout=20)

        @pytest.mark.vcr
        def test_that_is_about_telemetry():
            ask("by the test itself", url=URL.replace("127.0.0.1", "localhost"))

        def test_last():
            EVENTS.put(None)
    """
    )
    run = suite.run().passed(3)
    assert run.live == 3
    assert run.verdicts["test_a"]["recorded"] == 1
    assert run.verdicts["test_that_is_about_telemetry"]["recorded"] == 1
    again = suite.run("--llm-vcr-max-live-calls=0").passed(3)
    assert (again.live, again.code) == (1, 0)
    assert (again.words()["test_a"], again.words()["test_that_is_about_telemetry"]) == ("HIT", "HIT")


def test_exchanges_of_credentials_are_live_uncounted_and_told(suite: Suite, workers: Workers) -> None:
    suite.ini(llm_vcr_credential_hosts="localhost")
    suite.write(
        source="""
        def exchange():
            return ask("a token, please", url=URL.replace("127.0.0.1", "localhost"))

        def test_automatic():
            exchange()
            ask("with the token")

        @pytest.mark.vcr
        def test_marked():
            exchange()

        @pytest.mark.llm_vcr(off="on purpose")
        def test_opted_out():
            exchange()
    """
    )
    first = suite.run().passed(3)
    assert first.live == 4
    run = suite.run("--llm-vcr-max-live-calls=0", "--llm-vcr-fail-on=MISS,LIVE_CALL").passed(3)
    assert (run.live, run.code) == (3, 0)
    assert run.words() == {"test_automatic": "HIT", "test_marked": "NOOP", "test_opted_out": "DISABLED"}
    assert [one.count("localhost") for one in [path.read_text("utf-8") for path in suite.path.rglob("*.yaml")]] == [0]
    told = suite.summary()
    assert told["credential_exchanges"] == {"localhost": 3}
    assert "credentials: 3 exchanges, live and not recorded (localhost)" in run.text


def test_a_connection_that_outlives_its_cassette_is_seen_and_refused(suite: Suite) -> None:
    suite.write(
        source="""
        import http.client
        import json
        from urllib.parse import urlsplit

        PLACE = urlsplit(URL)
        KEPT = []

        def send(prompt):
            KEPT[0].request("POST", PLACE.path, json.dumps(body(prompt)), {**KEY, "content-type": "application/json"})
            answer = KEPT[0].getresponse()
            answer.read()
            return answer.status

        def test_a():
            KEPT.append(http.client.HTTPConnection(PLACE.netloc))
            assert send("of a") == 200

        def test_b():
            send("of b")
            KEPT[0].close()
    """
    )
    run = suite.run("-p", "no:warnings").passed(2)
    assert run.live == 2
    assert (run.words()["test_b"], run.verdicts["test_b"]["leaked"]) == ("LIVE_CALL", 1)
    again = suite.run("-p", "no:warnings", "--llm-vcr-max-live-calls=0").passed(2)
    assert (again.live, again.code, again.verdicts["test_b"]["refused"]) == (0, pytest.ExitCode.TESTS_FAILED, 1)
