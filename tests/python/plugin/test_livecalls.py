"""Calls that go around every cassette are seen, named and stopped."""

from __future__ import annotations

import pytest

from tests.python.plugin.conftest import Suite, Workers

LEAKS = {
    "opted out": """
        @pytest.mark.llm_vcr(off="on purpose")
        def test_it():
            ask("opted out")
    """,
    "session fixture": """
        @pytest.fixture(scope="session")
        def answer():
            return ask("before any cassette")

        @pytest.mark.llm_vcr(off="its fixture is live on purpose")
        def test_it(answer):
            assert answer
    """,
    "module fixture's teardown": """
        @pytest.fixture(scope="module")
        def later():
            yield
            ask("after every cassette")

        @pytest.mark.llm_vcr(off="its fixture is live on purpose")
        def test_it(later):
            pass
    """,
    "unpatched transport": """
        import http.client
        import json
        import socket
        from urllib.parse import urlsplit

        def test_it():
            place = urlsplit(URL)
            sent = json.dumps(body("by hand")).encode()
            with socket.create_connection((place.hostname, place.port)) as connection:
                headers = ["host: x", "authorization: Bearer k", "connection: close", f"content-length: {len(sent)}"]
                connection.sendall("\\r\\n".join([f"POST {place.path} HTTP/1.1", *headers, "", ""]).encode() + sent)
                assert b"200 OK" in connection.makefile("rb").read()
    """,
    "background thread": """
        import threading

        @pytest.mark.llm_vcr(off="on purpose")
        def test_it():
            thread = threading.Thread(target=ask, args=["from a thread"])
            thread.start()
            thread.join(20)
    """,
    "kept-alive httpx client": """
        CLIENT = httpx.Client(verify=False)

        def send():
            return CLIENT.post(URL, json=body("kept alive"), headers=KEY).status_code

        @pytest.fixture(scope="session", autouse=True)
        def closed():
            yield
            CLIENT.close()

        @pytest.mark.llm_vcr(off="on purpose")
        def test_it():
            send()
            send()
    """,
    "requests": """
        import requests

        @pytest.mark.llm_vcr(off="on purpose")
        def test_it():
            with requests.Session() as session:
                for _ in range(2):
                    session.post(URL, json=body("twice on one connection"), headers=KEY)
    """,
    "async httpx2": """
        import httpx2

        @pytest.mark.asyncio
        @pytest.mark.llm_vcr(off="on purpose")
        async def test_it():
            async with httpx2.AsyncClient(verify=False) as client:
                await client.post(URL, json=body("async"), headers=KEY)
    """,
    "aiohttp": """
        import aiohttp

        @pytest.mark.asyncio
        @pytest.mark.llm_vcr(off="on purpose")
        async def test_it():
            async with aiohttp.ClientSession() as client:
                for _ in range(2):
                    async with client.post(URL, json=body("aiohttp"), headers=KEY) as answer:
                        await answer.read()
    """,
    "asyncio streams": """
        import asyncio
        from urllib.parse import urlsplit

        @pytest.mark.asyncio
        async def test_it():
            place = urlsplit(URL)
            reader, writer = await asyncio.open_connection("localhost", place.port)
            writer.write(b"GET /v1/models HTTP/1.1\\r\\nhost: x\\r\\nauthorization: Bearer k\\r\\nconnection: close\\r\\n\\r\\n")
            assert await reader.read()
            writer.close()
            await writer.wait_closed()
    """,
}
CALLS_EACH = {"kept-alive httpx client": 2, "requests": 2, "aiohttp": 2}
WITH_CASSETTE = ("unpatched transport", "asyncio streams")


@pytest.mark.parametrize("kind", LEAKS)
def test_a_leak_is_seen_and_named(suite: Suite, kind: str) -> None:
    suite.ini(llm_vcr_provider_hosts="127.0.0.1, localhost")
    suite.write(source=LEAKS[kind])
    run = suite.run().passed(1)
    expected = CALLS_EACH.get(kind, 1)
    assert run.live == expected
    [verdict] = run.verdicts.values()
    assert verdict["leaked"] == expected
    assert verdict["verdict"] == ("LIVE_CALL" if kind in WITH_CASSETTE else "UNMARKED:LIVE_CALL")
    call = verdict["calls"][0]
    assert call["host"] in ("127.0.0.1", "localhost")
    assert call["where"].startswith(("test_it.py:", "calls.py:")), call
    assert f"live call: test_it.py::test_it: {call['host']} from {call['where']}" in run.text


@pytest.mark.parametrize("kind", LEAKS)
def test_zero_stops_a_leak_before_a_byte_leaves(suite: Suite, kind: str) -> None:
    suite.ini(llm_vcr_provider_hosts="127.0.0.1, localhost", filterwarnings="ignore")
    suite.write(source=LEAKS[kind])
    run = suite.run("--llm-vcr-max-live-calls=0")
    assert (run.live, run.code) == (0, pytest.ExitCode.TESTS_FAILED)
    assert "FAILED --llm-vcr-max-live-calls 0: none made" in run.text
    [verdict] = run.verdicts.values()
    assert verdict["refused"] >= 1
    assert verdict["leaked"] == 0


def test_a_call_at_import_belongs_to_no_test_and_counts(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        import urllib.request
        import json

        request = urllib.request.Request(URL, json.dumps(body("at import")).encode(), {**KEY, "content-type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            ANSWER = answer.read()

        def test_it():
            assert ANSWER
    """
    )
    run = suite.run("--llm-vcr-fail-on=LIVE_CALL").passed(1)
    # Every worker imports the module.
    assert run.live == (2 if workers else 1)
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert "live call: while tests were collected: 127.0.0.1 from test_it.py:" in run.text
    assert "outside of tests" in run.text


def test_what_a_cassette_lets_through_is_no_leak(suite: Suite) -> None:
    suite.write(
        source="""
        import asyncio
        import aiohttp
        import httpx2
        import openai
        import requests

        BASE = URL.removesuffix("/chat/completions")
        ASKED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}

        def test_httpx():
            ask("httpx")

        def test_requests():
            with requests.Session() as session:
                for number in range(3):
                    session.post(URL, json=body(f"requests {number}"), headers=KEY)

        @pytest.mark.asyncio
        async def test_async():
            async def one(client, number):
                await client.post(URL, json=body(f"async {number}"), headers=KEY)

            async with httpx2.AsyncClient(verify=False) as client:
                await asyncio.gather(*(one(client, number) for number in range(5)))

        @pytest.mark.asyncio
        async def test_aiohttp():
            async with aiohttp.ClientSession() as client:
                for number in range(2):
                    async with client.post(URL, json=body(f"aiohttp {number}"), headers=KEY) as answer:
                        await answer.read()

        def test_openai_retries():
            with openai.OpenAI(base_url=BASE, api_key="k") as client:
                client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "fail once with 500"}])
    """
    )
    run = suite.run().passed(5)
    assert {name: (one["live"], one["leaked"]) for name, one in run.verdicts.items()} == {
        "test_httpx": (1, 0),
        "test_requests": (3, 0),
        "test_async": (5, 0),
        "test_aiohttp": (2, 0),
        "test_openai_retries": (2, 0),
    }
    again = suite.run("--llm-vcr-max-live-calls=0").passed(5)
    assert (again.live, again.code, set(again.words().values())) == (0, 0, {"HIT"})


def test_hosts_that_are_no_providers_are_nobodys_business(suite: Suite) -> None:
    suite.ini(llm_vcr_provider_hosts=None)
    suite.write(
        source="""
        import socket

        @pytest.mark.llm_vcr(off="on purpose")
        def test_loopback():
            ask("a local server")

        def test_names():
            socket.getaddrinfo("localhost", 80)
    """
    )
    run = suite.run("--llm-vcr-max-live-calls=0").passed(2)
    assert (run.live, run.code) == (1, 0)
    assert run.words() == {"test_loopback": "DISABLED", "test_names": "NOOP"}


def test_unmarked_tests_are_watched_too(suite: Suite, workers: Workers) -> None:
    suite.ini(llm_vcr="marked")
    suite.write(
        source="""
        def test_calls():
            ask("unmarked")

        def test_does_not():
            pass
    """
    )
    run = suite.run().passed(2)
    assert run.words() == {"test_calls": "UNMARKED:LIVE_CALL", "test_does_not": "UNMARKED:NO_TRAFFIC"}
    assert suite.run("--llm-vcr-max-live-calls=0").live == 0
