"""Whether a shared store has room left: who finds that out when nothing is stored any more has paid for it."""

from __future__ import annotations

from pathlib import Path

from llm_vcr.config import Settings
from llm_vcr.errors import LlmVcrError

FULL = 0.85
"""From this used share on it is said."""


def full(settings: Settings, root: Path) -> str | None:
    """A sentence for a store that is nearly full, asked at the end of a run; ``None`` for one that is not, or does not answer."""
    if settings.store.startswith("file"):
        return None
    from llm_vcr.stores import open_store

    try:
        used = open_store(settings.store, settings, root=root).capacity()
    except LlmVcrError:
        return None
    if used is None or used < FULL:
        return None
    return f"the store has used {used:.0%} of its memory: flush it (llm-vcr flush), or raise its maxmemory"
