"""A file of the module, which the first test reads to its end: alone, or in another worker, the second one sends another body."""

import io

from conftest import URL
from httpx import Client

NOTES = io.BytesIO(b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Read my notes."}]}')


def send():
    with Client(verify=False) as client:
        return client.post(f"{URL}/chat/completions", content=NOTES.read(), headers={"authorization": "Bearer k"}).status_code


def test_first():
    assert send() == 200


def test_leak():
    assert send() == 400
