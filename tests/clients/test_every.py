"""The other clients: ``make test-clients`` installs them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.clients.matrix import check
from tests.clients.run import EVERY, FAST


@pytest.mark.parametrize("client", [one for one in EVERY if one not in FAST])
def test_every_call_replays_and_every_changed_one_is_refused(
    client: str, tmp_path: Path, subtests: pytest.Subtests, record_property: Any
) -> None:
    check(client, tmp_path, subtests, record_property)
