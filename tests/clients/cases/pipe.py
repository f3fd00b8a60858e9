"""A file that can be read once and never put back, as a socket or another process's output is."""

from __future__ import annotations

import io


class Pipe(io.RawIOBase):
    """Gives ``data`` once."""

    def __init__(self, data: bytes, name: str = "a.txt") -> None:
        self.name = name
        self._left = data

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int | None = -1) -> bytes:
        end = len(self._left) if size is None or size < 0 else size
        given, self._left = self._left[:end], self._left[end:]
        return given
