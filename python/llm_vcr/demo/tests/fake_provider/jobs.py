"""Work that a provider does after it has answered: clients ask again until it is done."""

from __future__ import annotations

import threading
from collections import Counter


class Jobs:
    """Counts how often each job was asked about."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def done(self, ident: str) -> bool:
        """Whether a job is done: at the third time of asking. Then it begins anew, so that a second run meets what the first one met."""
        with self._lock:
            self._asked[ident] += 1
            return self._asked[ident] % 3 == 0
