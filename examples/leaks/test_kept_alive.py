"""A client whose connection is still open from the test before, used again by one that has opted out: no name is resolved."""

import pytest
from conftest import ask, new_client

CLIENT = new_client()


def test_first():
    assert ask(CLIENT, "Open a connection.")


@pytest.mark.llm_vcr(off="on purpose")
def test_leak():
    with CLIENT:
        assert ask(CLIENT, "Use it again.")
