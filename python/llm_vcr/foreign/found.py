"""What was found in a file of another tool."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from llm_vcr.stores.base import Episode


@dataclass
class Found:
    """The episodes of a file, and what in it cannot be used."""

    episodes: list[Episode] = field(default_factory=list)
    unusable: list[tuple[int, str]] = field(default_factory=list)
    """The number of an interaction, from 1, and why it answers nothing."""
    recorded_at: datetime | None = None
    ttl: float = math.inf

    def refuse(self, number: int, why: str) -> None:
        """Note an interaction that cannot be used."""
        self.unusable.append((number, why))

    @contextlib.contextmanager
    def interaction(self, number: int) -> Iterator[None]:
        """Read an interaction: where it is not what its tool writes, it is noted as unusable, and the others are read."""
        try:
            yield
        except KeyError as error:
            self.refuse(number, f"it lacks {error.args[0]}")
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            self.refuse(number, f"it cannot be read: {error}")

    def note_time(self, moment: object) -> None:
        """Take the latest of the moments at which the interactions were recorded."""
        if isinstance(moment, str):
            try:
                moment = datetime.fromisoformat(moment)
            except ValueError:
                return
        if isinstance(moment, datetime):
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            self.recorded_at = moment if self.recorded_at is None else max(self.recorded_at, moment)


def episode(
    method: str,
    uri: str,
    asked: tuple[Mapping[str, Any], bytes | None],
    answered: tuple[int, Mapping[str, Any], bytes],
) -> Episode:
    """An episode from a request's headers and body, and an answer's status, headers and body."""
    from http import HTTPStatus

    code, headers, data = answered
    if not isinstance(method, str) or not isinstance(uri, str):
        raise TypeError("its request has no method or no address")
    phrase = HTTPStatus(code).phrase if code in HTTPStatus._value2member_map_ else ""
    response = {"status": {"code": code, "message": phrase}, "headers": lists(headers, len(data)), "body": {"string": data}}
    return Episode({"method": method.upper(), "uri": uri, "headers": lists(asked[0]), "body": asked[1]}, response)


def lists(headers: Mapping[str, Any], length: int | None = None) -> dict[str, list[str]]:
    """Headers as name and list of values; without those that speak of bytes on a wire that are no longer these.

    These tools keep bodies decoded, and write them anew: neither the encoding nor the length holds.
    """
    gone = ("content-encoding", "transfer-encoding", "content-length")
    kept = {
        str(name): [str(one) for one in values] if isinstance(values, list | tuple) else [str(values)]
        for name, values in headers.items()
        if str(name).lower() not in gone
    }
    return kept if length is None else kept | {"content-length": [str(length)]}


def as_json(value: object) -> bytes:
    """A body that a tool keeps parsed."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
