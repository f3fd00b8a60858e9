"""``llm_vcr_pin_boundary``: one boundary for the whole run, and none of it afterwards."""

from __future__ import annotations

from typing import Any

import httpx
import httpx2
import pytest

from tests.python.plugin.conftest import Suite

ASKED = """
    import httpx2

    def boundary(library, **more):
        request = library.Request("POST", "http://a/", files={"file": ("a.txt", b"one")}, **more)
        return request.headers["content-type"].partition("boundary=")[2]
"""


def boundary(library: Any) -> str:
    request = library.Request("POST", "http://a/", files={"file": ("a.txt", b"one")})
    return str(request.headers["content-type"].partition("boundary=")[2])


def test_pinned_for_the_run_and_undone_after_it(suite: Suite) -> None:
    suite.ini(llm_vcr_pin_boundary="true")
    before = [library._multipart.MultipartStream.__init__ for library in (httpx, httpx2)]
    suite.write(
        "test_it.py",
        ASKED
        + """
    def test_pinned():
        assert boundary(httpx) == boundary(httpx2) == "llm-vcr-boundary"

    def test_a_boundary_of_the_callers_own_stays():
        assert boundary(httpx2, headers={"content-type": "multipart/form-data; boundary=mine"}) == "mine"
""",
    )
    suite.run().result.assert_outcomes(passed=2)
    assert [library._multipart.MultipartStream.__init__ for library in (httpx, httpx2)] == before
    assert boundary(httpx) != boundary(httpx)


def test_off_unless_asked_for(suite: Suite) -> None:
    suite.write(
        "test_it.py",
        ASKED
        + """
    def test_random():
        assert boundary(httpx) != boundary(httpx)
        assert boundary(httpx2) != boundary(httpx2)
""",
    )
    suite.run().result.assert_outcomes(passed=1)


def test_a_patch_of_somebody_elses_is_kept(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.ini(llm_vcr_pin_boundary="true")
    stream = httpx._multipart.MultipartStream
    monkeypatch.setattr(stream, "__init__", stream.__init__)  # put back after this test
    suite.write(
        "test_it.py",
        """
    def theirs(*arguments, **keywords):
        raise NotImplementedError

    def test_patched_and_left():
        httpx._multipart.MultipartStream.__init__ = theirs
""",
    )
    suite.run().result.assert_outcomes(passed=1)
    assert stream.__init__.__name__ == "theirs"
