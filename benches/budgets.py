"""The goals and gates of ``benches/data/budgets.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"


def section(name: str) -> dict[str, dict[str, Any]]:
    """The rows of a section, by name, in the order of the file."""
    rows: dict[str, dict[str, Any]] = tomllib.loads((DATA / "budgets.toml").read_text("utf-8"))[name]
    return rows


def gate(row: dict[str, Any]) -> float | None:
    """What a figure is held to: the row's own gate, or else its first goal; ``None`` where it has neither."""
    value = row.get("gate", next(iter(row.values()), None))
    return None if value is None else float(value)
