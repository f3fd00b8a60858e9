"""How our own modules are imported in a run: as they are written.

pytest rewrites the asserts of all modules that a plugin brings along. Ours have none, but each of them would be looked at, hashed, and read
from pytest's cache value by value: more than half of what it takes to import them.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class _Finder:
    """Stands before pytest's finder, and finds nothing but modules of llm_vcr, where Python does."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,  # noqa: ARG002 - the import system's protocol
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        return PathFinder.find_spec(fullname, path) if fullname.startswith("llm_vcr.") else None


@contextlib.contextmanager
def as_written() -> Iterator[None]:
    """Inside, modules of llm_vcr are imported as Python alone would import them."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(finder)
