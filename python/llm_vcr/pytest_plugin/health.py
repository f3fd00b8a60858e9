"""How the store is at the end of a run, and whether it has room left: finding out when nothing is stored any more is dear."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_vcr import _core
from llm_vcr.config import Settings
from llm_vcr.errors import LlmVcrError

FULL = 0.85
"""From this used share on it is said."""


@dataclass(frozen=True)
class StoreHealth:
    """What is to be told of a store."""

    url: str
    """Without its password."""
    problems: tuple[str, ...] = ()
    """What is wrong with it, one sentence each."""
    used: int | None = None
    """Bytes, where the store can tell."""
    limit: int | None = None
    """Bytes, where there is a limit."""

    def data(self) -> dict[str, Any]:
        """As plain data."""
        capacity = None if self.used is None else {"used": self.used, "limit": self.limit}
        return {"url": self.url, "health": list(self.problems), "capacity": capacity}


def ask(settings: Settings, root: Path) -> StoreHealth:
    """The health of the store of these ``settings``. Files are asked nothing: a disk's limit is not the store's to know."""
    url = _core.redact_uri(settings.store)
    if settings.store.startswith("file"):
        return StoreHealth(url)
    from llm_vcr.stores import open_store

    try:
        store = open_store(settings.store, settings, root=root)
        used, limit = getattr(store, "memory", lambda: (None, None))()
    except LlmVcrError as error:
        return StoreHealth(url, (str(error),))
    problems = []
    if limit and used >= FULL * limit:
        problems.append(f"the store has used {used / limit:.0%} of its memory: flush it (llm-vcr flush), or raise its maxmemory")
    return StoreHealth(url, tuple(problems), used, limit or None)
