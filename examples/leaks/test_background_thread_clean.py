"""The test waits for its thread."""

import threading

from conftest import ask, new_client


def work(answers):
    with new_client() as client:
        answers.append(ask(client, "Anything else?"))


def test_clean():
    answers = []
    thread = threading.Thread(target=work, args=[answers])
    thread.start()
    thread.join(20)
    assert answers


def test_next(client):
    assert ask(client, "Of the next test.")
