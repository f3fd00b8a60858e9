"""The same client, and both tests have a cassette."""

from conftest import ask, new_client

CLIENT = new_client()


def test_first():
    assert ask(CLIENT, "Open a connection.")


def test_clean():
    with CLIENT:
        assert ask(CLIENT, "Use it again.")
