"""Tests that are left alone, and why: those that mock the provider themselves, and those the user names."""

from __future__ import annotations

from tests.python.plugin.conftest import Suite, Workers

# The libraries themselves are not needed to know their use.
FAKES = {
    "respx.py": """
        def mock(function):
            import functools

            @functools.wraps(function)
            def wrapped(*args, **kwargs):
                return function(*args, **kwargs)

            return wrapped
    """,
    "responses.py": "activate = lambda function: function\nadd = print\n",
}

MODULE = '''
    """A comment about respx, responses and httpx.MockTransport is no use of them."""
    import respx
    import responses as rsps
    from httpx import MockTransport as Fake

    def answer(request):
        return httpx.Response(200)

    def make_client():
        return httpx.Client(transport=Fake(answer))

    def through_a_helper():
        return make_client()

    SHARED = httpx.Client(transport=httpx.MockTransport(answer))

    @pytest.fixture
    def client():
        with through_a_helper() as made:
            yield made

    @respx.mock
    def test_respx():
        pass

    @rsps.activate
    def test_responses():
        pass

    def test_transport():
        httpx.Client(transport=httpx.MockTransport(answer)).close()

    def test_fixture(client):
        pass

    def test_helper():
        through_a_helper().close()

    def test_module_client():
        SHARED.close()

    class TestGroup:
        @respx.mock
        def test_method(self):
            pass

    @pytest.mark.respx(base_url="x")
    def test_marker():
        pass

    def test_conftest_fixture(mocked):
        pass

    def test_fixture_of_a_plugin(httpx_mock):
        pass

    def test_plain():
        responses = ["respx"]  # respx.mock
        assert responses

    @pytest.mark.vcr
    @respx.mock
    def test_marked_by_hand():
        pass
'''


def test_tests_with_mocks_of_their_own_are_left_alone(suite: Suite, workers: Workers) -> None:
    for name, source in FAKES.items():
        suite.pytester.makepyfile(**{name.removesuffix(".py"): source})
    suite.ini(markers="respx: of respx")
    suite.conftest("""
        import httpx
        import pytest

        @pytest.fixture
        def mocked():
            with httpx.Client(transport=httpx.MockTransport(print)) as client:
                yield client

        @pytest.fixture
        def httpx_mock():
            pass
    """)
    suite.write(source=MODULE)
    run = suite.run().passed(12)
    assert {name: one["disabled"] for name, one in run.verdicts.items()} == {
        "test_respx": "uses respx",
        "test_responses": "uses responses",
        "test_transport": "uses httpx.MockTransport",
        "test_fixture": "uses httpx.MockTransport",
        "test_helper": "uses httpx.MockTransport",
        "test_module_client": "uses httpx.MockTransport",
        "test_method": "uses respx",
        "test_marker": "uses respx",
        "test_conftest_fixture": "uses httpx.MockTransport",
        "test_fixture_of_a_plugin": "uses pytest-httpx",
        "test_plain": "",
        "test_marked_by_hand": "",
    }
    assert "left alone: 5 tests: uses httpx.MockTransport (such as test_it.py::" in run.text


def test_the_users_patterns(suite: Suite) -> None:
    suite.ini(llm_vcr_skip="below/deep, test_it.py::test_one, *::test_by_pattern*, never_there.py")
    suite.write("below/deep/test_deep.py", source="def test_deep(): pass")
    suite.write("test_it.py", source="def test_one(): pass\ndef test_one_more(): pass\ndef test_by_pattern_x(): pass")
    run = suite.run().passed(4)
    assert {name: one["disabled"] for name, one in run.verdicts.items()} == {
        "test_deep": "llm_vcr_skip = below/deep",
        "test_one": "llm_vcr_skip = test_it.py::test_one",
        "test_one_more": "",
        "test_by_pattern_x": "llm_vcr_skip = *::test_by_pattern*",
    }
    assert "llm_vcr_skip = never_there.py names no test" in run.text
    assert "llm_vcr_skip = below/deep names" not in run.text
    assert "names no test" in suite.run("-n", "2", subprocess=True).text
    # A run of one module does not see what the others hold.
    assert "names no test" not in suite.run("test_it.py").text


SAME_NAMES = """
    import functools
    import respx

    def mocked(function):
        def wrapped(*arguments):
            respx.mock
            return function(*arguments)

        return wrapped

    def counted(function):
        @functools.wraps(function)
        def wrapped(*arguments):
            return function(*arguments)

        return wrapped

    class TestMocked:
        def test_it(self):
            def go():
                return respx.mock

            assert go()

        def test_by_a_method(self):
            self.answer()

        def answer(self):
            respx.mock

    class TestReal:
        def test_it(self):
            def go():
                return ask("real")

            assert go()

    @mocked
    def test_decorated():
        pass

    @counted
    def test_counted():
        assert ask("counted")
"""


def test_functions_of_the_same_name_are_told_apart(suite: Suite) -> None:
    for name, source in FAKES.items():
        suite.write(name, source=source)
    suite.write(source=SAME_NAMES)
    run = suite.run().passed(5)
    assert (run.live, run.words()["test_it"], run.words()["test_counted"]) == (2, "MISS:RECORDED", "MISS:RECORDED")
    assert "left alone: 3 tests: uses respx (such as test_it.py::TestMocked::test_by_a_method)" in run.text
