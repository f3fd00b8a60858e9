"""A random number in the metadata."""

import random

from conftest import ask


def test_leak(client):
    assert ask(client, "Rate this answer.", extra_body={"metadata": {"score": random.random()}})
