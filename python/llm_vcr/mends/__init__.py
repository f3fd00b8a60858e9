"""What vcrpy breaks, mended from outside for as long as a cassette is open; vcrpy itself stays as it is.

Each mend is a module that names the internals it leans on (`NEEDS`) and what it puts in their place (`patches`). One that does not fit
the vcrpy (or client) at hand is left out with a warning that says so: everything else still works.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import threading
import warnings
from collections.abc import Sequence
from types import ModuleType

from llm_vcr.errors import LlmVcrWarning
from llm_vcr.swaps import Swaps

MENDS = ("aiohttp_bodies", "chunks", "events", "logs", "same_response", "threads")
"""The modules of this package that are mends, by what they mend."""


class _Open:
    """The mends, and for how many open cassettes they are in place: from the first that opens to the last that closes."""

    def __init__(self) -> None:
        # Whatever is collected meanwhile may be a cassette that nobody left.
        self.lock = threading.RLock()
        self.count = 0
        self.swaps = Swaps(())
        self.modules: tuple[ModuleType, ...] = ()

    def __enter__(self) -> Swaps:
        with self.lock:
            if self.count == 0:
                # Made once, unless what they mend is not what it was.
                if self.modules != fitting() or not self.swaps.fits():
                    self.modules = fitting()
                    self.swaps = Swaps([one for mend in self.modules for one in mend.patches()])
                self.swaps.put()
            self.count += 1
            return self.swaps

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.count -= 1
            if self.count == 0:
                self.swaps.put_back()


applied = _Open()
"""All mends that fit, for as long as one is inside."""


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
