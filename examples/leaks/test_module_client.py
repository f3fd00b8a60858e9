"""A client of the module that asks when the module is imported: no test has begun, and no cassette is open."""

import contextlib

from conftest import ask, new_client
from openai import APIError

CLIENT = new_client()
ANSWER = None
with contextlib.suppress(APIError):
    ANSWER = ask(CLIENT, "What may I ask you?")


def test_leak():
    CLIENT.close()
