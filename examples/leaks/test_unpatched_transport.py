"""A transport that vcrpy does not patch: HTTP by hand, over a socket."""

import json
import socket
from urllib.parse import urlsplit

from conftest import URL


def test_leak():
    place = urlsplit(URL)
    body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "by hand"}]}).encode()
    head = f"POST {place.path}/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n"
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(f"{head}connection: close\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        assert b" 200 " in connection.makefile("rb").readline()
