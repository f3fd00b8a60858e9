"""One fixed boundary for the multipart bodies of httpx and httpx2, where ``llm_vcr_pin_boundary`` asks for it.

Matching does not need it: boundaries are rewritten before bodies are compared. It is for whoever reads or hashes requests elsewhere.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

PINNED = b"llm-vcr-boundary"
"""What rewritten bodies in cassettes have, too."""


class PinnedBoundary:
    """The pinned libraries, until they are let go."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def pin(self) -> None:
        """Let both libraries use the fixed boundary wherever the caller gives none."""
        for library in ("httpx", "httpx2"):
            if importlib.util.find_spec(library) is not None:
                self._pin(importlib.import_module(f"{library}._multipart").MultipartStream)

    def _pin(self, stream: Any) -> None:
        original = stream.__init__

        @functools.wraps(original)
        def pinned(self: Any, data: Any, files: Any, boundary: bytes | None = None, **more: Any) -> None:
            original(self, data, files, boundary=PINNED if boundary is None else boundary, **more)

        def undo() -> None:
            # Whoever patched it after us keeps their patch, and ours below it.
            if stream.__init__ is pinned:
                stream.__init__ = original

        stream.__init__ = pinned
        self._undo.append(undo)

    def let_go(self) -> None:
        """Put everything back."""
        while self._undo:
            self._undo.pop()()
