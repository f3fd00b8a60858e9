"""An application that swallows whatever its client raises: the test passes, and the run fails."""

import contextlib
import secrets

from conftest import ask


def suggest(client, prompt):
    with contextlib.suppress(Exception):
        return ask(client, prompt)
    return "nothing to suggest"


def test_leak(client):
    assert suggest(client, f"A title for draft {secrets.token_hex(3)}x, please.")
