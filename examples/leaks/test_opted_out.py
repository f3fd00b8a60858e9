"""A test that has opted out, and calls all the same."""

import pytest
from conftest import ask


@pytest.mark.llm_vcr(off="observes prompt-cache warm-up")
def test_leak(client):
    assert ask(client, "Is my cache warm?")
