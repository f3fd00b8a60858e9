"""``rewrite`` without the loss: pytest-recording deletes the file before the test has shown that it can make a better one.

So marker and ``vcr_config`` reach pytest-recording with ``new_episodes`` in its place, and our cassette starts empty instead.
"""

from __future__ import annotations

from typing import Any

import pytest


class FreshConfig(dict[str, Any]):
    """A ``vcr_config`` that said ``rewrite``. It is known by its type, as its fixture may be set up once for many tests."""


class FreshMarkers(list[pytest.Mark]):
    """The ``vcr`` markers of a test, one of which said ``rewrite``."""


def without_rewrite(name: str, value: Any) -> Any:
    """The value of the fixture ``vcr_config`` or ``vcr_markers`` as pytest-recording may see it; any other as it is.

    Under ``--setup-plan`` nothing is set up, and the value is none.
    """
    if name == "vcr_config" and isinstance(value, dict) and value.get("record_mode") == "rewrite":
        return FreshConfig({**value, "record_mode": "new_episodes"})
    if name == "vcr_markers" and isinstance(value, list) and any(mark.kwargs.get("record_mode") == "rewrite" for mark in value):
        return FreshMarkers(_plain(mark) for mark in value)
    return value


def _plain(mark: pytest.Mark) -> pytest.Mark:
    if mark.kwargs.get("record_mode") != "rewrite":
        return mark
    decorated: pytest.MarkDecorator = getattr(pytest.mark, mark.name)(*mark.args, **{**mark.kwargs, "record_mode": "new_episodes"})
    return decorated.mark
