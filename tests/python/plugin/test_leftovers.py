"""A patch that a test has left behind is named with the test; what was there before, or ends with a fixture, is not."""

from __future__ import annotations

import pytest

from tests.python.plugin.conftest import Suite, Workers

LEFT = {
    "httpx.HTTPTransport.handle_request": """
        def fake(transport, request):
            return httpx.Response(200)

        # In a cassette, vcrpy would put back what it has found.
        @pytest.mark.llm_vcr(off="on purpose")
        def test_a():
            httpx.HTTPTransport.handle_request = fake
    """,
    "httpx.Client": """
        from unittest import mock

        def test_a():
            mock.patch("httpx.Client").start()
    """,
    "socket.create_connection": """
        import socket

        def test_a():
            socket.create_connection = lambda *arguments: None
    """,
    "socket.socket.connect": """
        import socket

        def test_a():
            socket.socket.connect = lambda *arguments: None
    """,
    "openai.OpenAI": """
        import openai

        class Fake:
            pass

        def test_a():
            openai.OpenAI = Fake
    """,
    "requests.adapters.HTTPAdapter.send": """
        import requests

        def test_a():
            requests.adapters.HTTPAdapter.send = lambda *arguments, **options: None
            raise AssertionError("and it fails")
    """,
}
WHAT = {
    "httpx.HTTPTransport.handle_request": "test_it.fake",
    "httpx.Client": "a unittest.mock.MagicMock",
    "openai.OpenAI": "test_it.Fake",
}
PUT_BACK = """

import importlib
import openai, requests, requests.adapters, socket

PLACES = [(httpx.HTTPTransport, "handle_request"), (httpx, "Client"), (socket, "create_connection"), (openai, "OpenAI")]
BEFORE = [(owner, name, getattr(owner, name)) for owner, name in [*PLACES, (requests.adapters.HTTPAdapter, "send")]]
CONNECT = socket.socket.connect

@pytest.mark.llm_vcr(off="on purpose")
def test_z_puts_back():
    for owner, name, value in BEFORE:
        setattr(owner, name, value)
    if "connect" in vars(socket.socket):
        del socket.socket.connect
"""


@pytest.mark.parametrize("place", LEFT)
def test_it_is_named_with_the_test_that_left_it(suite: Suite, place: str) -> None:
    path = suite.write(source=LEFT[place] + "\n        def test_b(): pass\n")
    path.write_text(path.read_text("utf-8") + PUT_BACK, "utf-8")
    run = suite.run()
    told = [line for line in run.text.splitlines() if f"left {place} patched" in line]
    assert len(told) == 1, run.text
    assert told[0].startswith(f"warning: test_it.py::test_a left {place} patched: it is {WHAT.get(place, '')}")
    assert "test_b left" not in run.text
    assert "test_z_puts_back left" not in run.text
    assert any("left" in note for note in run.verdicts["test_a"]["notes"])


def test_a_worker_tells_it_too(suite: Suite) -> None:
    suite.write(source=LEFT["httpx.Client"])
    run = suite.run("-n", "2")
    assert run.text.count("warning: test_it.py::test_a left httpx.Client patched: it is a unittest.mock.MagicMock") == 1


def test_who_cleans_up_is_not_named(suite: Suite, by_file: Workers) -> None:
    suite.conftest(
        """
        import socket

        import httpx
        import pytest

        ASYNC = httpx.AsyncClient

        class Instrumented(httpx.AsyncClient):
            pass

        # There before any test.
        httpx.AsyncClient = Instrumented

        def pytest_unconfigure():
            httpx.AsyncClient = ASYNC

        def fake(transport, request):
            return httpx.Response(200, json={"choices": [{"message": {"content": "fake"}}]})

        @pytest.fixture(scope="module")
        def of_the_module():
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(httpx.HTTPTransport, "handle_request", fake)
                yield

        @pytest.fixture(scope="class")
        def forgetful():
            socket.gethostbyname, before = fake, socket.gethostbyname
            pytest.before = before
    """
    )
    suite.write(
        source="""
        import socket
        from unittest import mock

        def test_monkeypatch(monkeypatch):
            monkeypatch.setattr(httpx, "Client", None)

        def test_mock():
            with mock.patch("socket.create_connection"):
                pass

        @pytest.mark.block_network
        @pytest.mark.vcr(record_mode="none")
        def test_blocked():
            pass

        def test_cassette():
            ask("one")
        """
    )
    suite.write(
        "test_wide.py",
        """
        import socket

        @pytest.mark.llm_vcr(off="fake")
        @pytest.mark.usefixtures("of_the_module")
        class TestWide:
            def test_a(self):
                assert ask("one") == "fake"

            def test_b(self):
                assert ask("one") == "fake"

        class TestForgetful:
            def test_c(self, forgetful):
                pass

            def test_d(self, forgetful):
                pass

        @pytest.mark.llm_vcr(off="on purpose")
        def test_z_puts_back():
            socket.gethostbyname = pytest.before
    """,
    )
    run = suite.run().passed(9)
    told = [line for line in run.text.splitlines() if " patched: " in line]
    assert len(told) == 1, told
    assert told[0].startswith("warning: the fixture forgetful (class scope, set up for test_wide.py::TestForgetful) left ")
