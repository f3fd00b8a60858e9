"""A thread that outlives its test, and calls while the next one is running."""

import contextlib
import threading

from conftest import ask, new_client

NEXT, DONE = threading.Event(), threading.Event()


def later():
    NEXT.wait(20)
    with new_client() as client, contextlib.suppress(Exception):
        ask(client, "Anything else?")
    DONE.set()


def test_leak():
    threading.Thread(target=later).start()


def test_next(client):
    assert ask(client, "Of the next test.")
    NEXT.set()
    assert DONE.wait(20)
