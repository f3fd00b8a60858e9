"""A token that is no uuid in the prompt: another request in each run."""

import secrets

from conftest import ask


def test_leak(client):
    assert ask(client, f"Summarise ticket {secrets.token_urlsafe(12)} in one line.")
