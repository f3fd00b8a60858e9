"""What vcrpy breaks, mended from outside for as long as a cassette is open; vcrpy itself stays as it is.

Each mend is a module that names the internals it leans on (`NEEDS`) and what it puts in their place (`patches`). One that does not fit
the vcrpy (or client) at hand is left out with a warning that says so: everything else still works.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import threading
import warnings
from collections.abc import Iterator, Sequence
from types import ModuleType
from unittest import mock

from llm_vcr.errors import LlmVcrWarning

MENDS = ("aiohttp_bodies", "aiohttp_redirects", "events", "logs", "same_response", "threads")
"""The modules of this package that are mends, by what they mend."""


class _Open:
    """The mends that are in place, and for how many open cassettes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0
        self.stack = contextlib.ExitStack()


_open = _Open()


@contextlib.contextmanager
def applied() -> Iterator[None]:
    """All mends that fit, from the first cassette that opens to the last that closes."""
    with _open.lock:
        if _open.count == 0:
            for mend in fitting():
                for owner, name, replacement in mend.patches():
                    _open.stack.enter_context(mock.patch.object(owner, name, replacement))
        _open.count += 1
    try:
        yield
    finally:
        with _open.lock:
            _open.count -= 1
            if _open.count == 0:
                _open.stack.close()


@functools.cache
def fitting() -> tuple[ModuleType, ...]:
    """The mends for what is installed here."""
    modules = [importlib.import_module(f"llm_vcr.mends.{name}") for name in MENDS]
    fit = []
    for module in modules:
        if any(importlib.util.find_spec(client) is None for client in module.CLIENTS):
            continue
        if absent := missing(module.NEEDS):
            name = module.__name__.rpartition(".")[2]
            warnings.warn(f"this vcrpy has no {', '.join(absent)}: left out the mend {name!r}", LlmVcrWarning, stacklevel=2)
            continue
        fit.append(module)
    return tuple(fit)


def missing(needs: Sequence[str]) -> list[str]:
    """Which of these, ``module:name.name`` each, are not there."""
    absent = []
    for place in needs:
        module, _, path = place.partition(":")
        try:
            functools.reduce(getattr, path.split("."), importlib.import_module(module))
        except (ImportError, AttributeError):
            absent.append(place)
    return absent
