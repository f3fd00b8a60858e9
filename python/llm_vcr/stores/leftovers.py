"""What a writer that was killed leaves behind: files that were to take another one's place and never did."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

SUFFIX = ".tmp"

ABANDONED = 3600.0
"""Seconds after which nobody writes to such a file any more: a write takes a moment, and clocks of a network share differ by minutes."""


def sweep(folder: Path, prefix: str = ".") -> None:
    """Delete the abandoned files of a folder whose name begins with ``prefix``; what cannot be looked at is left."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{prefix}*{SUFFIX}"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink()
