"""A case: what one client does at one endpoint, and what must not be answered by its recording."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Function: TypeAlias = Callable[[str], Any]
"""Takes the stand-in's URL, returns (or awaits) what the client was given."""

REPLAYING = os.environ.get("CLIENTS_PHASE") == "replay"
"""Whether this process replays, for cases that do something else then; the runner tells its processes what they are for."""


@dataclass(frozen=True)
class Negative:
    """A call that differs from its case's in one thing that counts."""

    name: str
    function: Function
    cause: str
    """The word by which the refusal must name the difference."""


@dataclass
class Case:
    """One row of the matrix."""

    name: str
    """``client.endpoint.sync``, and a word for what is special."""
    function: Function
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of ours that the case is about."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of ``vcr.VCR`` that the case is about, for both layers."""
    negatives: list[Negative] = field(default_factory=list)

    def but(self, name: str, *, cause: str) -> Callable[[Function], Function]:
        """Declare a call that must be refused beside this case's recording, for this cause."""

        def declare(function: Function) -> Function:
            self.negatives.append(Negative(f"{self.name} but {name}", function, cause))
            return function

        return declare


class Client:
    """The cases of one client, in the order of their declaration."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cases: dict[str, Case] = {}

    def case(self, name: str, *, settings: Mapping[str, Any] | None = None, **options: Any) -> Callable[[Function], Case]:
        """Declare a case."""

        def declare(function: Function) -> Case:
            if name in self.cases:
                raise ValueError(f"two cases are called {name}")
            made = self.cases[name] = Case(name, function, settings or {}, options)
            return made

        return declare
