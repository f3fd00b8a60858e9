"""How our cassettes behave beyond what vcrpy's configuration can say, and what is counted at them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from llm_vcr.config import Settings, override
from llm_vcr.filters import Filters
from llm_vcr.persister import Persister
from llm_vcr.vcr_request import Request

if TYPE_CHECKING:
    from llm_vcr.playback.cassette import Cassette


@dataclass
class Counts:
    """What happened at a cassette. Every call of a client is counted in exactly one of the first four."""

    played: int = 0
    """Answered by an episode that had not been played yet."""
    repeated: int = 0
    """Answered by an episode that had been played before."""
    live: int = 0
    """Sent to the provider."""
    refused: int = 0
    """Neither in the cassette nor allowed to be recorded."""
    masked: int = 0
    """Of the played and repeated: only equal when volatile tokens are masked."""
    stale: int = 0
    """Of the played and repeated: older than they may be."""
    recorded: int = 0
    """Of the live: their answer is kept in the cassette."""
    shrunk: int = 0
    """Bodies kept with small media in place of the full ones."""


class Spending(Protocol):
    """Whoever counts the calls that cost money."""

    def reserve(self, request: Request) -> str | None:
        """Asked before a call is made: why it must not be, or ``None``, and then it counts as made."""

    def settle(self, request: Request, response: Mapping[str, Any]) -> None:
        """Told when the answer to a reserved call has come: the answer as it would be played."""

    def around(self, request: Any) -> str | None:
        """Asked before a call is made that came to a cassette and is none of its business: why it must not be, or ``None``."""


@dataclass(eq=False)
class Policy:
    """How a cassette behaves beyond what vcrpy's configuration can say. Nobody changes one; to freeze it takes a call for each field."""

    settings: Settings
    persister: Persister
    forced: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of ``use_cassette`` that win over the user's."""
    providers_only: bool = False
    """Only calls to LLM providers are the cassette's business (automatic marking)."""
    fresh_start: bool = False
    """Record everything anew, and replace what was there only if the recording is kept."""
    on_open: Callable[[Cassette], None] | None = None
    """Called with each cassette that was opened."""
    belongs: Callable[[Any], bool] | None = None
    """Whether a call that is made now belongs to whoever opened the cassette, and not to a test that is over."""
    before_open: Callable[[Mapping[str, Any]], None] | None = None
    """Called with the arguments of each cassette before it is opened and anything is patched."""
    spending: Spending | None = None
    """Asked before each call goes live."""
    patches_stay: bool = False
    """What others patch while the cassette is open stays when it is left: it is a fixture's, which does that for the tests."""
    answer_refusals: bool = False
    """A provider's client is given an answer that says why its call was refused, so that it does not retry. (vcrpy raises an exception,
    of which SDKs make a "Connection error" after three tries.)"""

    @functools.cached_property
    def filters(self) -> Filters:
        """The filters under these settings."""
        return _filters(self.settings)

    def under(self, where: str, values: Mapping[str, Any]) -> Policy:
        """The same policy with other settings, except where a stronger source (marker, flag or environment) has set them.

        Raises:
            ConfigError: for a value that cannot be, naming ``where``.
        """
        weak = {
            name: value
            for name, value in values.items()
            if not self.settings.sources.get(name, "").startswith(("--", "LLM_VCR", "CASSETTE_", "@"))
        }
        return replace(self, settings=override(self.settings, where, **weak)) if weak else self


_KEPT = 4
"""So many filters are kept: nearly all tests of a suite have the same settings, and one test has few others."""

_made: tuple[Filters, ...] = ()


def _filters(settings: Settings) -> Filters:
    """The filters under these settings, made once: they are immutable, and as dear as opening a small cassette."""
    global _made
    if _made and _made[0].settings is settings:
        return _made[0]
    found = next((one for one in _made if one.settings is settings), None) or Filters(settings)
    _made = (found, *(one for one in _made if one is not found))[:_KEPT]
    return found
