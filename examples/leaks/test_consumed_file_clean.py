"""Each test opens the file for itself."""

import io

from conftest import URL
from httpx import Client


def send():
    notes = io.BytesIO(b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Read my notes."}]}')
    with Client(verify=False) as client:
        return client.post(f"{URL}/chat/completions", content=notes.read(), headers={"authorization": "Bearer k"}).status_code


def test_first():
    assert send() == 200


def test_clean():
    assert send() == 200
