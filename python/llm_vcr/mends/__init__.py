"""What vcrpy breaks, mended from outside for as long as a cassette is open; vcrpy itself stays as it is.

Each mend is a module that names the internals it leans on (`NEEDS`) and what it puts in their place (`patches`). One that does not fit
the vcrpy (or client) at hand is left out with a warning that says so: everything else still works.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType

from llm_vcr import latecomers
from llm_vcr.errors import LlmVcrWarning
from llm_vcr.latecomers import Step, lock
from llm_vcr.swaps import Swaps

MENDS = ("aiohttp_bodies", "aiohttp_events", "aiohttp_responses", "chunks", "events", "httpx_headers", "logs", "same_response", "threads")
"""The modules of this package that are mends, by what they mend."""

_FOR = {name: "aiohttp" for name in MENDS if name.startswith("aiohttp")}
"""Those that are imported with a client only, and which that is."""


class _Open:
    """The mends, and for how many open cassettes they are in place: from the first that opens to the last that closes."""

    def __init__(self) -> None:
        self.count = 0
        self.swaps = Swaps(())
        self.made_of: object = None
        self.late: list[Swaps] = []
        """For the clients that came when they were in place."""

    def __enter__(self) -> Swaps:
        with lock:
            if self.count == 0:
                # Made once, unless what they mend is not what it was.
                made_of = (fitting(), latecomers.arrivals())
                if self.made_of != made_of or not self.swaps.fits():
                    self.made_of = made_of
                    self.swaps = Swaps([one for mend in fitting() for one in mend.patches()])
                self.swaps.put()
            self.count += 1
            return self.swaps

    def __exit__(self, *error: object) -> None:
        with lock:
            self.count -= 1
            if self.count == 0:
                for swaps in (*reversed(self.late), self.swaps):
                    swaps.put_back()
                self.late.clear()

    def take_up(self, client: str) -> None:
        """Mend the stubs of a client that has just been imported."""
        if self.count:
            late = Swaps([one for mend in fitting() if client in mend.CLIENTS for one in mend.patches()])
            late.put()
            self.late.append(late)


applied = _Open()
"""All mends that fit, for as long as one is inside."""

latecomers.on_arrival(Step.MEND, applied.take_up)


def fitting() -> tuple[ModuleType, ...]:
    """The mends for what is installed here, but for clients that nobody has imported yet."""
    return _fitting(latecomers.awaited())


@functools.cache
def _fitting(awaited: frozenset[str]) -> tuple[ModuleType, ...]:
    modules = [importlib.import_module(f"llm_vcr.mends.{name}") for name in MENDS if name not in _FOR or _FOR[name] not in awaited]
    fit = []
    for module in modules:
        if any(client not in sys.modules and importlib.util.find_spec(client) is None for client in module.CLIENTS):
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
