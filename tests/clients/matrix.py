"""What the two test files share: a client is run, and each of its cases is a subtest."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.clients.run import Verdict, run

PROPERTY = "clients"
"""The user property of a test's report in which its verdicts travel to the table."""


def check(client: str, folder: Path, subtests: pytest.Subtests, record_property: Any) -> None:
    """Every case replays without a live call, and every changed call is refused with its cause."""
    verdicts = run(client, "ours", folder)
    assert verdicts, f"{client} has no case"
    record_property(PROPERTY, [asdict(one) for one in verdicts])
    for one in verdicts:
        with subtests.test(case=one.name):
            assert one.right, f"{one.verdict}\n{one.why}"
    refused = {one.name.partition(" but ")[0] for one in verdicts if one.negative}
    alone = [one.name for one in verdicts if one.right and not one.negative and one.name not in refused]
    assert not alone, f"what must these not be confused with? {alone}"


def verdicts_of(report: pytest.TestReport) -> list[Verdict]:
    """What `check` left in the report."""
    return [Verdict(**one) for name, value in report.user_properties if name == PROPERTY for one in value]
