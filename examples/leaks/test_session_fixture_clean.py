"""A fixture of the test: its calls are in the test's cassette."""

import pytest
from conftest import ask


@pytest.fixture
def glossary(client):
    return ask(client, "A glossary, please.")


def test_clean(glossary):
    assert glossary
