"""How many live calls a run may make, over all its workers: exact, because a call takes its ticket before it is made."""

from __future__ import annotations

import os
import threading
from pathlib import Path


class Budget:
    """Tickets for live calls. A ticket is a file that only one process can create, so no lock is needed and none can be left behind."""

    def __init__(self, limit: int | None, folder: Path | None) -> None:
        """Allow ``limit`` calls, or any number with ``None``; workers of one run share ``folder``."""
        self.limit = limit
        self._folder = folder
        self._next = 0
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take a ticket for one call; ``False`` where none is left."""
        if self.limit is None or self._folder is None:
            return True
        with self._lock:
            while self._next < self.limit:
                number, self._next = self._next, self._next + 1
                try:
                    os.close(os.open(self._folder / f"call-{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                except FileExistsError:
                    continue
                return True
        return False

    def why_refused(self) -> str:
        """What a refused caller is told."""
        return f"--llm-vcr-max-live-calls {self.limit} is used up" if self.limit else "--llm-vcr-max-live-calls 0 allows no call"
