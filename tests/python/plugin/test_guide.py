"""The guide and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

from llm_vcr.config import TABLE
from llm_vcr.pytest_plugin import verdict

GUIDE = (Path(__file__).parents[3] / "docs/guide/plugin.md").read_text("utf-8")


def test_every_setting_is_in_the_guide_in_the_same_words() -> None:
    names = {row: (row.ini if row.name == "mode" else row.name, " (whole run)" if row.whole_run else "") for row in TABLE.values()}
    expected = [f"| `{name}`{scope} | {row.help} |" for row, (name, scope) in names.items()]
    assert GUIDE.rstrip().splitlines()[-len(expected) :] == expected


def test_every_verdict_is_in_the_truth_table() -> None:
    documented = re.findall(r"^([A-Z][A-Z:_]+)  ", verdict.__doc__ or "", re.MULTILINE)
    section = GUIDE.partition("## Verdicts")[2].partition("## ")[0]
    assert re.findall(r"^\| `([A-Z:_]+)` \|", section, re.MULTILINE) == documented
    source = Path(verdict.__file__).read_text("utf-8").partition("def judge")[2]
    assert {*re.findall(r'"([A-Z]{3,}[A-Z:_]*)"', source)} == {*documented}
