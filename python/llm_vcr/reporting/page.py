"""The page: one file, with its style, its script and its data in it, and a policy under which it can ask nothing of any network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from llm_vcr.reporting import charts, rows, sections
from llm_vcr.reporting.headline import sentence
from llm_vcr.reporting.markup import Html, join, tag
from llm_vcr.reporting.run import Run, dicts

_POLICY = "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; form-action 'none'"
"""Only our own script and style, by their digests: markup that came through would still run nothing and load nothing."""


def page(run: Run, earlier: Sequence[Run] = ()) -> str:
    """The HTML of a run, with a line over ``earlier`` ones."""
    style, script = _template("page.css"), _template("page.js")
    numbers = {test.nodeid: place for place, test in enumerate(run.tests)}
    parts = {
        "policy": join(_POLICY.format(script=_digest(script), style=_digest(style))),
        "title": join(f"{run.project or 'llm_vcr'}: {sentence(run)}"),
        "style": style,
        "script": script,
        "facts": sections.facts(run),
        "top": sections.top(run),
        "menu": _menu(run),
        "verdicts": sections.verdicts(run),
        "mend": sections.mend(run, numbers),
        "spend": sections.spend(run, numbers),
        "trend": sections.trend(run, earlier),
        "store": sections.store(run),
        "patterns": charts.patterns(),
        "data": rows.embedded(rows.document(run)),
    }
    # In one pass: what a value holds is never taken for a place.
    return Template(_template("page.html")).substitute(parts)


def write(path: Path, run: Run, earlier: Sequence[Run] = ()) -> None:
    """Write the page to ``path``, and make its folder.

    Raises:
        OSError: where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(run, earlier), "utf-8")


def _menu(run: Run) -> Html:
    groups = len(dicts(run.told, "misses"))
    items = (
        ("verdicts", "Verdicts", None),
        ("mend", "What to mend", groups or None),
        ("spend", "Spend", None),
        ("trend", "Trend", None),
        ("store", "Store", None),
        ("tests", "Tests", len(run.tests)),
    )
    return join(
        tag("a", title, tag("span", f"{count:,}", class_="badge") if count is not None else None, href=f"#{name}")
        for name, title, count in items
    )


def _template(name: str) -> str:
    return files("llm_vcr.reporting").joinpath(name).read_text("utf-8")


def _digest(source: str) -> str:
    return base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
