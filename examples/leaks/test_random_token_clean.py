"""A token of the test itself: the same request in each run."""

from conftest import ask


def test_clean(client):
    assert ask(client, "Summarise ticket Jq3-vKx_81bT in one line.")
