"""The same application, asked what is recorded."""

import contextlib

from conftest import ask


def suggest(client, prompt):
    with contextlib.suppress(Exception):
        return ask(client, prompt)
    return "nothing to suggest"


def test_clean(client):
    assert suggest(client, "A title for draft 7, please.") != "nothing to suggest"
