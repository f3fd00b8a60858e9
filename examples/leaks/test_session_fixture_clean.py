"""A fixture of the session that asks the same in each run: what it recorded is replayed."""

import pytest
from conftest import ask, new_client


@pytest.fixture(scope="session")
def glossary():
    with new_client() as client:
        return ask(client, "A glossary, please.")


def test_clean(glossary):
    assert glossary
