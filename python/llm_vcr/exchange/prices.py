"""What a call costs, by the table of the package genai-prices. What is not known is said to be unknown, and is never zero.

The package is imported for the first call that tells what it used: that takes a tenth of a second.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llm_vcr.exchange.content import Used, used

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot

    from llm_vcr.stores.base import Episode


@dataclass(frozen=True)
class Price:
    """What an answer cost, as far as it can be known."""

    dollars: float | None
    provider: str = ""
    """Whose table of prices it is, by the name genai-prices has for it; the host where there is none, or none was asked for."""
    why_unknown: str = ""


def of_episode(episode: Episode) -> Price:
    """What the call would cost again at today's prices."""
    request = episode.request
    found = used(request["method"], request["uri"], request["headers"], request["body"], episode.response)
    return Price(0.0) if found is None else price(found)


@functools.lru_cache(maxsize=4096)
def price(call: Used) -> Price:
    """What the call cost at today's prices."""
    if not call.usage:
        return Price(None, _host(call.address), f"{call.name}: the answer tells no usage")
    try:
        import genai_prices.data_snapshot
    except (ImportError, OSError) as error:  # a file system that a test has replaced
        return Price(None, _host(call.address), f"{call.name}: the table of prices cannot be loaded: {error}")
    table = genai_prices.data_snapshot.get_snapshot()
    whose = next(_providers(table, call.address, call.model), _host(call.address))
    told = json.loads(call.usage)
    # A deployment of Azure's has a name of its own, and only the answer tells the model's.
    for model in dict.fromkeys((call.model, told.get("model", call.model))):
        # The shape of OpenAI's is what most gateways speak, whatever they call their models.
        for provider in dict.fromkeys((*_providers(table, call.address, model), "openai")):
            for flavor in _flavors(call.address):
                try:
                    usage = table.extract_usage({**told, "model": model}, provider, api_flavor=flavor).usage
                    found = table.calc(usage, model, provider, None, None)
                except (LookupError, ValueError, TypeError):
                    continue
                return Price(float(found.total_price), provider)
    return Price(None, whose, f"{call.name}: no price is known for what it used")


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""


def _flavors(address: str) -> Iterator[str]:
    """The shapes of usage, the likeliest first. That of embeddings fits many others, and counts half of what they used."""
    path = urlsplit(address).path
    likely = (("/responses", "responses"), ("embed", "embeddings"), ("images", "images"), ("/messages", "anthropic"), ("/chat/", "chat"))
    yield from dict.fromkeys((*(flavor for part, flavor in likely if part in path), "default", "chat", "anthropic", "responses", "tokens"))


def _providers(table: DataSnapshot, address: str, model: str) -> Iterator[str]:
    """By address; a proxy or a stand-in has none, and there the path and the model's name tell."""
    path = urlsplit(address).path
    for known in ({"provider_api_url": address}, {"provider_id": "aws"} if path.startswith("/model/") else {}, {"model_ref": model}):
        try:
            yield table.find_provider(**{"model_ref": None, "provider_id": None, "provider_api_url": None, **known}).id
        except LookupError:
            continue


def total(prices: Iterable[Price]) -> tuple[float | None, bool]:
    """The sum of what is known, and whether some is not; no sum where none is known."""
    every = list(prices)
    known = [one.dollars for one in every if one.dollars is not None]
    return (sum(known) if known or not every else None), len(known) < len(every)
