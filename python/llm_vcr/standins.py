"""Modules that vcrpy imports and nearly no run needs: while it is imported, others stand in for them.

vcrpy reads and writes YAML with PyYAML, and names it in two places; with us, the core does so. What vcrpy keeps of the name is an object
that imports the module when it is first asked for anything, and each time gives what the module has then. Nobody else gets to see it:
as soon as vcrpy is imported, the modules count as not imported, and whoever imports them has the real ones.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

FOR_VCR = ("yaml", "vcr.serializers.yamlserializer")
"""The modules that wait. Of a second one that derives from a first one's classes, all is imported when it is asked for."""


class _StandIn(ModuleType):
    """A module's name, until somebody asks for what is in the module."""

    def __getattr__(self, name: str) -> Any:
        _make_room(self)
        return getattr(importlib.import_module(self.__name__), name)


@contextlib.contextmanager
def in_place(names: tuple[str, ...] = FOR_VCR) -> Iterator[None]:
    """Inside, an import of one of the modules that nobody has imported gives what stands in for it."""
    put = [_StandIn(name) for name in names if name not in sys.modules]
    for one in put:
        sys.modules[one.__name__] = one
    try:
        yield
    finally:
        for one in put:
            _make_room(one)
            package, _, last = one.__name__.rpartition(".")
            if package in sys.modules:
                # As if it had been imported, for whoever asks the package for it. To import it puts the module there.
                vars(sys.modules[package]).setdefault(last, one)


def _make_room(one: ModuleType) -> None:
    if sys.modules.get(one.__name__) is one:
        del sys.modules[one.__name__]
