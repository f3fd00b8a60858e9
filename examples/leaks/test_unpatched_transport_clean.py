"""The same call through a client that vcrpy patches."""

from conftest import URL
from httpx import Client


def test_clean():
    with Client(verify=False) as client:
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "by hand"}]}
        assert client.post(f"{URL}/chat/completions", json=body, headers={"authorization": "Bearer k"}).status_code == 200
