"""The number is still random; the test says that it does not count."""

import random

import pytest
from conftest import ask


@pytest.mark.llm_vcr(ignore=["metadata.score"])
def test_clean(client):
    assert ask(client, "Rate this answer.", extra_body={"metadata": {"score": random.random()}})
