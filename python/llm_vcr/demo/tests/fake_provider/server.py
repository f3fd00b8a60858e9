"""The HTTP side: a threaded HTTP/1.1 server that counts every call before it answers.

Failures on demand, in two ways. A prompt (any body) that says ``fail once with 500``, ``fail twice with 529`` or
``fail 3 times with 429`` gets that status so many times and then an answer; then it begins anew, so that a second run
meets what the first one met. Attempts are told apart by what the request says, not by its boundary. Or
``POST /_fail?status=500&times=2``: the next two calls, whatever they are.

A request's header ``x-answer-encoding`` (gzip, deflate, br or zstd) says in which coding its answer comes.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import re
import secrets
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from tests.fake_provider.anthropic import Anthropic
from tests.fake_provider.bedrock import Bedrock
from tests.fake_provider.cohere import Cohere
from tests.fake_provider.encoding import encode
from tests.fake_provider.exchange import BadRequest, Call, Provider, Reply, Request, Turn
from tests.fake_provider.gemini import Gemini
from tests.fake_provider.mistral import Mistral
from tests.fake_provider.openai import OpenAI
from tests.fake_provider.plain import Plain

PROVIDERS: Final[tuple[Provider, ...]] = (Plain(), Bedrock(), Gemini(), Cohere(), Anthropic(), Mistral(), OpenAI())
"""In the order in which they are asked; the last one takes what nobody claims."""

_FAIL = re.compile(rb"fail (once|twice|(\d+) times|always) with (\d{3})")


class FakeProvider:
    """The stand-in. Starts when made, stops at the end of the `with` block or by `stop()`.

    Args:
        port: To listen on; 0 picks a free one.
        log: A file to which one JSON line is added per call.
        compress: Whether to answer in gzip to clients that take it (streams are never compressed).
    """

    def __init__(self, port: int = 0, *, log: Path | None = None, compress: bool = False) -> None:
        self.nonce = secrets.token_hex(4)
        self.compress = compress
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._attempts: Counter[str] = Counter()
        self._planned: list[int] = []
        self._number = 0
        self._log = log.open("a", encoding="utf-8") if log else None
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="fake-provider", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`; the openai SDK wants `/v1` behind it, the anthropic SDK does not."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def calls(self) -> list[Call]:
        """The calls so far, in the order in which they came; control calls (`/_…`) are none."""
        with self._lock:
            return list(self._calls)

    @property
    def count(self) -> int:
        """How many calls came so far."""
        with self._lock:
            return len(self._calls)

    def fail(self, status: int, times: int = 1) -> None:
        """Lets the next `times` calls fail."""
        with self._lock:
            self._planned += [status] * times

    def reset(self) -> None:
        """Forgets calls and planned failures; the running number goes on, so answers stay distinct."""
        with self._lock:
            self._calls.clear()
            self._attempts.clear()
            self._planned.clear()

    def stop(self) -> None:
        """Closes the port and every kept-alive connection; twice is once."""
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.drop_connections()
        with self._lock:
            if self._log:
                self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def respond(self, request: Request) -> Reply:
        """Answers one request and counts it; called by the connection's thread."""
        if request.path.startswith("/_"):
            return self._control(request)
        with self._lock:
            self._number += 1
            turn = Turn(self._number, self.nonce, request.logical)
            failure = self._failure(request)
        provider = next((one for one in PROVIDERS if one.claims(request)), PROVIDERS[-1])
        reply = self._answer(provider, request, turn, failure)
        reply.headers = provider.headers(turn) | reply.headers
        call = Call(
            number=turn.number,
            method=request.method,
            path=request.path,
            content_type=request.headers.get("content-type", ""),
            length=len(request.body),
            sha256=hashlib.sha256(request.body).hexdigest(),
            logical=request.logical,
            status=reply.status,
        )
        with self._lock:
            self._calls.append(call)
            if self._log and not self._log.closed:
                self._log.write(json.dumps(asdict(call)) + "\n")
                self._log.flush()
        return reply

    def _answer(self, provider: Provider, request: Request, turn: Turn, failure: int | None) -> Reply:
        key = provider.key(request)
        if not key:
            return provider.error(401, "You didn't provide an API key.", turn)
        if "invalid" in key:
            return provider.error(401, "Incorrect API key provided.", turn)
        if failure is not None:
            reply = provider.error(failure, f"The stand-in was asked to fail with {failure}.", turn)
            # The SDKs wait half a second and more unless told how long.
            reply.headers["retry-after-ms"] = "5"
            return reply
        try:
            return provider.answer(request, turn)
        except BadRequest as error:
            return provider.error(error.status, str(error), turn)

    def _failure(self, request: Request) -> int | None:
        if self._planned:
            return self._planned.pop(0)
        asked = _FAIL.search(request.body)
        if asked is None:
            return None
        status = int(asked[3])
        if asked[1] == b"always":
            return status
        times = {b"once": 1, b"twice": 2}.get(asked[1]) or int(asked[2] or 0)
        attempt = self._attempts[request.logical]
        self._attempts[request.logical] = (attempt + 1) % (times + 1)
        return status if attempt < times else None

    def _control(self, request: Request) -> Reply:
        match request.method, request.path:
            case "POST", "/_fail":
                self.fail(int(request.query.get("status", "500")), int(request.query.get("times", "1")))
            case "POST", "/_reset":
                self.reset()
            case "GET", "/_calls":
                pass
            case _:
                return Reply.json({"error": "/_fail, /_reset (POST) and /_calls (GET) are what there is"}, 404)
        return Reply.json({"calls": [asdict(call) for call in self.calls]})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    # On Windows SO_REUSEADDR would let two servers share one port.
    allow_reuse_address = os.name != "nt"

    def __init__(self, address: tuple[str, int], owner: FakeProvider) -> None:
        self.owner = owner
        self._open: set[Any] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer would ask the resolver for a name that nobody needs.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        """Ends kept-alive connections: a closed port alone would leave them answering."""
        with self._open_lock:
            left = list(self._open)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle(self) -> None:
        # A client that goes away is its own business.
        with contextlib.suppress(ConnectionError, ValueError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(ConnectionError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        self._serve()

    do_GET = do_DELETE = do_PUT = do_PATCH = do_POST

    def _serve(self) -> None:
        url = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=url.path,
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._body(),
        )
        reply = self.server.owner.respond(self._decoded(request))
        if isinstance(reply.body, bytes):
            self._send_whole(reply, reply.body, request)
        else:
            self._send_pieces(reply, reply.body)

    @staticmethod
    def _decoded(request: Request) -> Request:
        if request.headers.get("content-encoding") == "gzip":
            return replace(request, body=gzip.decompress(request.body))
        return request

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", "").lower():
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)

    def _head(self, reply: Reply, extra: dict[str, str]) -> None:
        self.send_response_only(reply.status)
        headers = {"Date": formatdate(usegmt=True), "Content-Type": reply.content_type, **extra, **reply.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_whole(self, reply: Reply, body: bytes, request: Request) -> None:
        extra = {}
        coding = request.headers.get("x-answer-encoding", "")
        if self.server.owner.compress and "gzip" in request.headers.get("accept-encoding", ""):
            coding = coding or "gzip"
        if coding:
            body = encode(body, coding)
            extra = {"Content-Encoding": coding, "Vary": "Accept-Encoding"}
        self._head(reply, {"Content-Length": str(len(body)), **extra})
        self.wfile.write(body)
        self.wfile.flush()

    def _send_pieces(self, reply: Reply, pieces: Iterable[bytes]) -> None:
        self._head(reply, {"Transfer-Encoding": "chunked", "Cache-Control": "no-cache"})
        for piece in pieces:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
