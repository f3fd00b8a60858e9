"""A run under the plugin does not import clients that its suite does not use, and guards those that come late like the others."""

from __future__ import annotations

import textwrap

import pytest

from tests.python.plugin.conftest import Suite, Workers

SEND = '''
"""One call through each client, which is imported for it."""
import asyncio
import os

URL = os.environ["PROVIDER_URL"] + "/v1/models"
KEY = {"authorization": "Bearer test-key"}


def by_httpx(query):
    import httpx
    return httpx.get(f"{URL}?{query}", headers=KEY, verify=False).text


def by_httpx2(query):
    import httpx2
    return httpx2.get(f"{URL}?{query}", headers=KEY, verify=False).text


def by_aiohttp(query):
    async def call():
        import aiohttp
        async with aiohttp.ClientSession(headers=KEY) as session, session.get(f"{URL}?{query}") as answer:
            return await answer.text()
    return asyncio.run(call())


def by_requests(query):
    import requests
    return requests.get(f"{URL}?{query}", headers=KEY, timeout=20).text


def by_tornado(query):
    from tornado.httpclient import AsyncHTTPClient

    async def call():
        return (await AsyncHTTPClient(force_instance=True).fetch(f"{URL}?{query}", headers=KEY)).body.decode()
    return asyncio.run(call())
'''
CLIENTS = {"httpx": "httpx", "httpx2": "httpx2", "aiohttp": "aiohttp", "requests": "requests", "tornado": "tornado.simple_httpclient"}
TOLD = """
import sys

def pytest_unconfigure():
    print("LOADED", sorted(name for name in ("aiohttp", "httpx", "httpx2", "requests", "tornado") if name in sys.modules))
"""
FAKE = '''
"""As a new version might be: its client has a transport of its own, which vcrpy does not know."""
import socket


class BaseTransport:
    handle_request = handle_async_request = None


class HTTPTransport(BaseTransport):
    pass


AsyncHTTPTransport = WSGITransport = ASGITransport = MockTransport = HTTPTransport


class Response:
    text = "paid"


class Client:
    def __init__(self, **options):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def get(self, url):
        from urllib.parse import urlsplit
        place = urlsplit(url)
        socket.getaddrinfo(place.hostname, place.port)
        return Response()


class AsyncClient(Client):
    async def get(self, url):
        return super().get(url)
'''


@pytest.fixture
def late(suite: Suite) -> Suite:
    """A suite that imports no client, in interpreters that have imported none."""
    (suite.path / "send.py").write_text(SEND, "utf-8")
    # Other plugins that are installed here import clients of their own.
    suite.ini(asyncio_default_fixture_loop_scope=None, addopts="-s -p no:anyio -p no:asyncio -p no:hypothesispytest")
    suite.conftest(TOLD)
    return suite


def write(suite: Suite, source: str) -> None:
    (suite.path / "test_it.py").write_text(f"import pytest\nimport send\n{textwrap.dedent(source)}", "utf-8")


def test_a_replay_imports_the_clients_of_the_suite_and_no_other(late: Suite) -> None:
    write(late, "def test_one():\n    assert 'data' in send.by_httpx('one')\n")
    late.run(subprocess=True).passed(1)
    late.provider.stop()
    run = late.run("--record-mode=none", subprocess=True).passed(1)
    assert "LOADED ['httpx']" in run.text
    assert run.words() == {"test_one": "HIT"}


def test_every_client_may_come_in_a_test_and_replays_with_the_port_closed(late: Suite, workers: Workers) -> None:
    write(late, "".join(f"\ndef test_{one}():\n    assert 'data' in send.by_{one}('one')\n" for one in CLIENTS))
    recorded = late.run(subprocess=True).passed(5)
    assert recorded.live == 5
    late.provider.stop()
    run = late.run("--record-mode=none", "--llm-vcr-max-live-calls=0", subprocess=True).passed(5)
    assert set(run.words().values()) == {"HIT"}
    assert run.code == 0
    assert "the canary" not in run.text


@pytest.mark.parametrize("client", CLIENTS)
def test_a_call_around_every_cassette_is_seen(client: str, late: Suite) -> None:
    write(
        late,
        f"""
        @pytest.mark.llm_vcr(off="on purpose")
        def test_live():
            send.by_{client}("live")

        def test_cassette():
            send.by_{client}("kept")
        """,
    )
    run = late.run(subprocess=True).passed(2)
    assert run.live == 2
    told = {name: (one["verdict"], one["leaked"]) for name, one in run.verdicts.items()}
    assert told == {"test_live": ("UNMARKED:LIVE_CALL", 1), "test_cassette": ("MISS:RECORDED", 0)}
    assert "live call: test_it.py::test_live: 127.0.0.1 from send.py:" in run.text


@pytest.mark.parametrize("client", CLIENTS)
def test_a_call_that_may_not_be_made_is_refused_in_a_client_that_comes_for_it(client: str, late: Suite) -> None:
    write(
        late,
        f"""
        @pytest.mark.llm_vcr(off="on purpose")
        def test_live():
            try:
                send.by_{client}("live")
            except Exception:
                pass

        def test_cassette():
            pass
        """,
    )
    run = late.run("--llm-vcr-max-live-calls=0", subprocess=True)
    assert (run.live, run.code) == (0, pytest.ExitCode.TESTS_FAILED)
    assert run.verdicts["test_live"]["refused"] == 1


def test_a_cassette_of_a_fixture_has_a_client_that_a_test_imports(late: Suite, workers: Workers) -> None:
    # One for each worker: what another one has stored already would be played.
    late.conftest(f"""{TOLD}
import pytest
import send

@pytest.fixture(scope="session", autouse=True)
def shared(worker_id):
    with __import__("llm_vcr").VCR().use_cassette(f"shared-{{worker_id}}.yaml", record_mode="new_episodes") as cassette:
        yield cassette
""")
    write(
        late,
        """
        @pytest.mark.llm_vcr(off="the fixture has one")
        def test_one(shared):
            for call in (send.by_httpx2, send.by_aiohttp, send.by_requests):
                call("one")
            assert len(shared) == 3

        @pytest.mark.llm_vcr(off="the fixture has one")
        def test_two(shared):
            send.by_httpx2("one")

        def test_three():
            send.by_aiohttp("its own")
        """,
    )
    run = late.run(subprocess=True).passed(3)
    assert "left httpx2" not in run.text
    assert "left aiohttp" not in run.text
    assert "left requests" not in run.text


@pytest.mark.parametrize("fixture", [False, True])
def test_a_patch_that_is_left_in_a_client_that_came_with_the_test_is_named(fixture: bool, late: Suite) -> None:
    write(
        late,
        f"""
        @pytest.fixture(scope="module")
        def clients():
            import httpx2
            yield

        def fake(*arguments, **options):
            pass

        def test_a({"clients" if fixture else ""}):
            import httpx2
            httpx2.Client.send = fake

        def test_b():
            import requests
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(requests.Session, "get", fake)
        """,
    )
    run = late.run(subprocess=True).passed(2)
    assert "test_it.py::test_a left httpx2.Client.send patched: it is test_it.fake" in run.text
    assert "left requests" not in run.text


def test_a_hole_in_a_client_that_comes_late_ends_the_run_before_it_is_used(late: Suite, workers: Workers) -> None:
    (late.path / "httpx2").mkdir()
    (late.path / "httpx2" / "__init__.py").write_text(FAKE, "utf-8")
    write(
        late,
        """
        def test_a():
            try:
                import httpx2
            except Exception:
                pass
            print("GONE ON")

        def test_b():
            print("GONE ON")
        """,
    )
    run = late.run("--llm-vcr-canary=fail", subprocess=True)
    assert run.code in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    assert "calls through httpx2" in run.text
    assert "GONE ON" not in run.text
    assert run.live == 0
    warned = late.run("--llm-vcr-canary=warn", subprocess=True).passed(2)
    assert "warning: calls through httpx2" in warned.text


def test_the_canary_is_sent_from_a_coroutine_that_imports_a_client(late: Suite) -> None:
    write(
        late,
        """
        import asyncio
        import threading

        def test_coroutine():
            async def main():
                import aiohttp
                from tornado.simple_httpclient import SimpleAsyncHTTPClient
                assert not [one for one in threading.enumerate() if "canary" in one.name]
            asyncio.run(main())

        def test_thread():
            found = []
            thread = threading.Thread(target=lambda: found.append(send.by_httpx2("in a thread")))
            thread.start()
            thread.join(30)
            assert found
        """,
    )
    run = late.run(subprocess=True).passed(2)
    assert "the canary" not in run.text
    assert run.words() == {"test_coroutine": "NOOP", "test_thread": "MISS:RECORDED"}
