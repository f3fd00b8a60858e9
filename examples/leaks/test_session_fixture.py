"""A fixture of the session that asks: it is set up before the cassette of any test."""

import pytest
from conftest import ask, new_client


@pytest.fixture(scope="session")
def glossary():
    with new_client() as client:
        return ask(client, "A glossary, please.")


def test_leak(glossary):
    assert glossary
