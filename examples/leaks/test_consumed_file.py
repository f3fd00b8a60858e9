"""A file of the module: alone the test sends all of it, and nothing after another one has read it to its end."""

import io

import requests
from conftest import URL

NOTES = io.BytesIO(b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Read my notes."}]}')


def test_first():
    assert b"notes" in NOTES.read()


def test_leak():
    headers = {"authorization": "Bearer k", "content-type": "application/json"}
    assert requests.post(f"{URL}/chat/completions", data=NOTES, headers=headers, timeout=10).status_code == 200
