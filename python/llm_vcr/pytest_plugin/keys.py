"""Placeholder keys, so that SDKs construct for a contributor who only replays and has none."""

from __future__ import annotations

import os
import re
from pathlib import Path

from llm_vcr.config import PLACEHOLDER_KEY, SUPPLIED_KEYS

_DOTENV_NAME = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=", re.MULTILINE)


class SuppliedKeys:
    """The keys that were put into the environment, until they are taken back."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def supply(self, root: Path) -> None:
        """Set what is missing. A key that a ``.env`` file in ``root`` names is left to whoever loads that file."""
        dotenv = root / ".env"
        loaded_later = set(_DOTENV_NAME.findall(dotenv.read_text("utf-8", "replace"))) if dotenv.is_file() else set()
        for name in SUPPLIED_KEYS:
            if name not in os.environ and name not in loaded_later:
                os.environ[name] = PLACEHOLDER_KEY
                self._names.append(name)

    def take_back(self) -> None:
        """Take them away again, unless somebody has set others meanwhile."""
        for name in self._names:
            if os.environ.get(name) == PLACEHOLDER_KEY:
                del os.environ[name]
        self._names.clear()
