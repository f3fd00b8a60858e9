"""The interception canary: a client that would go around every cassette ends the run before a call is made through it."""

from __future__ import annotations

import pytest

from tests.python.plugin.conftest import Suite, Workers

HOLE = """
    @pytest.fixture
    def vcr_config():
        return {"skip_patchers": ["httpx"]}

    def test_one():
        ask("one")

    def test_two():
        ask("two")
"""
SESSION_HOLE = """
    import socket
    import httpx2

    class Elsewhere(httpx2.BaseTransport):
        # As a new version might: a transport that vcrpy does not know.
        def __init__(self, **options):
            pass

        def handle_request(self, request):
            with socket.create_connection((request.url.host, request.url.port or 443), timeout=5):
                return httpx2.Response(200)

    HTTPTransport = httpx2.HTTPTransport
    httpx2._client.HTTPTransport = Elsewhere

    def pytest_unconfigure():
        httpx2._client.HTTPTransport = HTTPTransport
"""


def test_a_client_that_is_not_patched_ends_the_run_before_it_is_used(suite: Suite, workers: Workers) -> None:
    suite.write(source=HOLE)
    run = suite.run()
    assert run.live == 0
    assert run.code in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    assert "calls through httpx 0." in run.text
    assert "vcr_config has skip_patchers = httpx" in run.text
    assert "FAILED llm_vcr_canary: calls through httpx" in run.text


def test_a_hole_without_any_cassette_is_found_before_the_first_test(suite: Suite, workers: Workers) -> None:
    suite.conftest(SESSION_HOLE)
    suite.write(
        source="""
        @pytest.fixture(scope="session", autouse=True)
        def spends():
            ask("in a fixture")

        def test_one():
            pass

        def test_two():
            pass
    """
    )
    run = suite.run(subprocess=True)
    assert run.live == 0
    assert run.code in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    assert "calls through httpx2 2." in run.text
    assert "does not patch it as it is" in run.text


def test_warn_goes_on_and_off_does_not_look(suite: Suite, workers: Workers) -> None:
    suite.write(source=HOLE)
    warned = suite.run("--llm-vcr-canary=warn").passed(2)
    assert warned.live == 2
    assert "warning: calls through httpx 0." in warned.text
    assert {one["verdict"] for one in warned.verdicts.values()} == {"LIVE_CALL"}
    silent = suite.run("--llm-vcr-canary=off").passed(2)
    assert "calls through" not in silent.text


def test_a_suite_without_a_hole_hears_nothing_and_no_name_is_resolved(suite: Suite) -> None:
    suite.conftest(
        """
        import socket

        ASKED = []
        resolve = socket.getaddrinfo

        def getaddrinfo(host, *arguments, **keywords):
            ASKED.append(host)
            return resolve(host, *arguments, **keywords)

        socket.getaddrinfo = getaddrinfo

        def pytest_unconfigure():
            socket.getaddrinfo = resolve
    """
    )
    suite.write(
        source="""
        import json
        import aiohttp
        import httpx2
        import requests

        @pytest.fixture(params=[{}, {"custom_patches": ((json.JSONEncoder, "item_separator", ", "),)}], ids=["plain", "configured"])
        def vcr_config(request):
            return request.param

        def test_one(vcr_config):
            import conftest

            ask("one")
            assert [host for host in conftest.ASKED if "invalid" in str(host)] == []
    """
    )
    run = suite.run().passed(2)
    assert "canary" not in run.text
    assert suite.run("--block-network", "--record-mode=none").passed(2).code == 0


def test_a_running_loop_and_a_users_client_are_left_alone(suite: Suite) -> None:
    suite.write(
        source="""
        import asyncio

        async def everything():
            return pytest.main(["-q", "-p", "no:cacheprovider", "inner"])

        def test_outer():
            assert asyncio.run(everything()) == 0
    """
    )
    suite.write(
        "inner/test_inner.py",
        """
        import asyncio
        import aiohttp

        CLIENT = httpx.Client(verify=False)

        @pytest.fixture(scope="session", autouse=True)
        def closed():
            yield
            CLIENT.close()

        def test_inner():
            assert asyncio.get_running_loop().is_running()
            assert CLIENT.post(URL, json=body("inner"), headers=KEY).status_code == 200
            assert not CLIENT.is_closed
    """,
    )
    run = suite.run("-s", "test_it.py", subprocess=True)
    assert run.passed(1).code == 0
    assert "canary" not in run.text


def test_nothing_is_sent_where_nothing_is_marked(suite: Suite) -> None:
    suite.ini(llm_vcr="marked")
    suite.write(
        source="""
        import sys

        def test_one():
            assert "llm_vcr.pytest_plugin.canary" not in sys.modules
            assert "vcr" not in sys.modules
    """
    )
    suite.run(subprocess=True).passed(1)


def test_a_client_that_cannot_be_tried_is_a_warning(suite: Suite) -> None:
    suite.conftest(
        """
        import httpx2

        Client = httpx2.Client

        class Broken:
            def __init__(self, **options):
                raise TypeError("no such option")

        httpx2.Client = Broken

        def pytest_unconfigure():
            httpx2.Client = Client
    """
    )
    suite.write(source='def test_one(): ask("one")')
    run = suite.run(subprocess=True).passed(1)
    assert run.code == 0
    assert "warning: the canary could not be sent through httpx2" in run.text
    assert "TypeError: no such option" in run.text


def test_a_choice_that_cannot_be_is_a_usage_error(suite: Suite) -> None:
    suite.write(source="def test_one(): pass")
    run = suite.run("--llm-vcr-canary=loud")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "--llm-vcr-canary = 'loud': expected one of fail, warn, off" in run.text
