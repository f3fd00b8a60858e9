"""Each test opens the file for itself."""

import io

import requests
from conftest import URL


def notes():
    return io.BytesIO(b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Read my notes."}]}')


def test_first():
    assert b"notes" in notes().read()


def test_clean():
    headers = {"authorization": "Bearer k", "content-type": "application/json"}
    assert requests.post(f"{URL}/chat/completions", data=notes(), headers=headers, timeout=10).status_code == 200
