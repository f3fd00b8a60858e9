"""The same client; the test asks."""

from conftest import ask, new_client

CLIENT = new_client()


def test_clean():
    with CLIENT:
        assert ask(CLIENT, "What may I ask you?")
