"""A fixture of the session that asks something else in each run: it has a cassette of its own, which does not have the answer."""

import secrets

import pytest
from conftest import ask, new_client


@pytest.fixture(scope="session")
def glossary():
    with new_client() as client:
        return ask(client, f"A glossary for {secrets.token_urlsafe(12)}, please.")


def test_leak(glossary):
    assert glossary
