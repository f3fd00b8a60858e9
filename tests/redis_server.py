"""A real redis-server on a free port of 127.0.0.1, for as long as a test needs it. Nothing here is a mock, and nothing is skipped.

``python -m tests.redis_server`` starts one by hand and prints its URL.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from tests.debian import find_program


def find_server() -> str:
    """The redis-server or valkey-server of this machine; installed from Debian's packages where we may."""
    return find_program("redis-server", "valkey-server", package="redis-server")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """The server. Starts when made, stops at the end of the ``with`` block or by `stop`.

    Args:
        options: Lines of redis.conf, such as ``{"requirepass": "secret"}``.
        durable: Whether every write is on disk before it is answered (AOF, ``appendfsync always``).
        tls: A folder with ``cert.pem`` and ``key.pem``: speak TLS only.
    """

    def __init__(self, options: dict[str, str] | None = None, *, durable: bool = False, tls: Path | None = None) -> None:
        self._program = find_server()
        self._folder = tempfile.TemporaryDirectory(prefix="llm-vcr-redis-")
        self.folder = Path(self._folder.name)
        self.options = dict(options or {})
        self._durable = durable
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None
        self._begin()

    def _begin(self) -> None:
        # Somebody else may take the port between our look and the server's: then another one is tried.
        for _ in range(10):
            self.port = free_port()
            try:
                self.start()
            except RuntimeError:
                continue
            return
        raise RuntimeError(f"redis-server did not start: {(self.folder / 'log').read_text(errors='replace')[-2000:]}")

    @property
    def url(self) -> str:
        """What `open_store` takes."""
        password = self.options.get("requirepass")
        scheme = "rediss" if self._tls else "redis"
        return f"{scheme}://{f':{password}@' if password else ''}127.0.0.1:{self.port}/0" + ("?ssl_cert_reqs=none" if self._tls else "")

    @property
    def socket_url(self) -> str:
        """The same by its unix socket."""
        return f"unix://{self.folder / 'socket'}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it again on the same port, with what it has on disk."""
        lines = {
            "port": "0" if self._tls else str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "unixsocket": str(self.folder / "socket"),
            "save": '""',
            "appendonly": "yes" if self._durable else "no",
            "appendfsync": "always",
            "daemonize": "no",
            "logfile": str(self.folder / "log"),
            **self.options,
        }
        if self._tls:
            lines |= {
                "tls-port": str(self.port),
                "tls-cert-file": str(self._tls / "cert.pem"),
                "tls-key-file": str(self._tls / "key.pem"),
                "tls-ca-cert-file": str(self._tls / "cert.pem"),
                "tls-auth-clients": "no",
            }
        (self.folder / "redis.conf").write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        self._process = subprocess.Popen([self._program, str(self.folder / "redis.conf")], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError("redis-server ended at once")
            with contextlib.suppress(redis.RedisError):
                if self.client().ping():
                    return
            time.sleep(0.02)
        raise RuntimeError("redis-server did not answer in time")

    def client(self, **options: Any) -> redis.Redis:
        """A client of the test's own."""
        return redis.Redis.from_url(self.url, **options)

    def kill(self) -> None:
        """SIGKILL: no goodbye to anybody."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: connections stay, answers do not come."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End this very process, and remove its folder; twice is once."""
        self._end(signal.SIGTERM)
        self._folder.cleanup()

    def halt(self) -> None:
        """End it, and leave its folder for another `start`."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


if __name__ == "__main__":
    with RedisServer() as server:
        print(server.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
