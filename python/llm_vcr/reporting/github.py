"""A run on GitHub: annotations at the lines of tests, and the step summary. Both are bounded, and what they quote is only text there.

Source: GitHub's "Workflow commands for GitHub Actions"; it shows ten annotations of a kind for a step, and a megabyte of summary.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from llm_vcr import amounts
from llm_vcr.reporting.headline import below, sentence
from llm_vcr.reporting.markup import visible
from llm_vcr.reporting.run import Run, Test, dicts, mapping, text, texts
from llm_vcr.reporting.verdicts import LEAKED, RECORDED, gravity, kind, meaning

_ANNOTATIONS = 10
_ROWS = 25
_QUOTED = 300
_WHERE = re.compile(r"(?P<file>.+):(?P<line>[1-9]\d*) in ")


class Place(NamedTuple):
    """A line of a file below the project's root, counted from 1."""

    file: str
    line: int


def commands(run: Run, places: Mapping[str, Place], folder: str = "") -> list[str]:
    """The workflow commands: an error for each test that leaked or was refused, a warning for each that recorded; ten of a kind.

    ``places`` tells where a test stands; a call around every cassette is shown at the line that made it. ``folder`` is the project's root
    as seen from the root of the checkout.
    """
    leaking = [(_place(one, places), _title(one), _why(one)) for one in run.tests if kind(one.verdict) is LEAKED]
    leaking += [
        (_seen(call), "llm_vcr: a call of no test", f"{text(call, 'host')}, {text(call, 'when')}")
        for call in dicts(run.told, "outside_of_tests")
    ]
    missing = [(_place(one, places), _title(one), _why(one)) for one in run.tests if kind(one.verdict) is RECORDED]
    return [*_bounded("error", leaking, folder), *_bounded("warning", missing, folder)]


_Annotation = tuple[Place | None, str, str]


def _bounded(command: str, found: list[_Annotation], folder: str) -> Iterator[str]:
    shown = found if len(found) <= _ANNOTATIONS else found[: _ANNOTATIONS - 1]
    for place, title, message in shown:
        properties = {"file": posixpath.join(folder, place.file.replace("\\", "/")), "line": str(place.line)} if place else {}
        written = ",".join(f"{name}={_property(value)}" for name, value in {**properties, "title": title}.items())
        yield f"::{command} {written}::{_data(message)}"
    if len(found) > len(shown):
        yield f"::{command} title=llm_vcr::and {len(found) - len(shown):,} more tests: the step summary and the report have them"


def _title(test: Test) -> str:
    return f"llm_vcr: {test.verdict}"


def _place(test: Test, places: Mapping[str, Place]) -> Place | None:
    for call in dicts(test.told, "calls"):
        if (seen := _seen(call)) is not None:
            return seen
    return places.get(test.nodeid)


def _seen(call: Mapping[str, Any]) -> Place | None:
    found = _WHERE.match(text(call, "where"))
    return Place(found["file"], int(found["line"])) if found else None


def _why(test: Test) -> str:
    """What happened, and what mends it."""
    told = [f"{test.nodeid}: {meaning(test.verdict)}"]
    calls = dicts(test.told, "calls")
    if calls:
        told.append(f"{text(calls[0], 'host')} was called from {text(calls[0], 'where')}")
    misses = dicts(test.told, "misses")
    if misses:
        path = text(misses[0], "path")
        told.append(f"{text(misses[0], 'cause')}{f' at {path}' if path else ''}: {text(misses[0], 'fix')}")
    if test.live:
        told.append(f"{amounts.many(test.live, 'live call')}, {'price unknown' if test.spent.is_unknown else test.spent}")
    return ". ".join(_cut(one).removesuffix(".") for one in told)


def _data(value: str) -> str:
    return visible(value).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def _cut(value: str) -> str:
    return value if len(value) <= _QUOTED else value[:_QUOTED] + " …"


# --- the step summary


def step_summary(run: Run) -> str:
    """The run in GitHub's Markdown: the sentence, why it fails, verdicts, leaks, misses by cause, and models by their cost."""
    lines = [f"## {_plain(sentence(run))}", ""]
    if notes := below(run):
        lines += [_plain(" ".join(notes)), ""]
    lines += [f"- **The run fails:** {_code(failure)}" for failure in texts(run.told, "failures")[:_ROWS]]
    lines += _table(
        ("tests", "verdict", ""),
        [
            (f"{count:,}", f"{kind(word).mark} {_code(word)}", meaning(word))
            for word, count in sorted(run.verdicts.items(), key=lambda one: (gravity(one[0]), one[0]))
        ],
    )
    lines += _leaks(run)
    lines += _misses(run)
    models = sorted(run.models, key=lambda one: (-(one.spent.known or 0), -(one.avoided.known or 0)))
    if models:
        rows = [(_code(one.name), f"{one.live:,}", str(one.spent), f"{one.replayed:,}", str(one.avoided)) for one in models]
        lines += ["### Spend by model", *_table(("model", "live", "spent", "replayed", "saved"), rows)]
    return "\n".join(lines) + "\n"


def _leaks(run: Run) -> list[str]:
    rows = [
        (_code(one.nodeid), _code(one.verdict), f"{one.leaked:,}", _code(text((dicts(one.told, "calls") or [{}])[0], "where")))
        for one in sorted(run.tests, key=lambda one: -one.leaked)
        if one.leaked
    ]
    rows += [(_code(text(one, "when")), "", "1", _code(text(one, "where"))) for one in dicts(run.told, "outside_of_tests")]
    return ["### Calls that leaked", *_table(("test", "verdict", "calls", "from"), rows)] if rows else []


def _misses(run: Run) -> list[str]:
    rows = []
    for group in dicts(run.told, "misses"):
        example = mapping(group, "example")
        values = [f"{name} {_code(text(example, key))}" for name, key in (("now", "here"), ("recorded", "recorded")) if text(example, key)]
        cause = _code(text(group, "cause")) + (f" at {_code(text(group, 'path'))}" if text(group, "path") else "")
        rows.append((f"{len(texts(group, 'tests')):,}", cause, "<br>".join(values), _prose(text(group, "fix"))))
    return ["### Misses, by cause", *_table(("tests", "cause", "values", "mend"), rows)] if rows else []


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = ["", f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads), *(f"| {' | '.join(row)} |" for row in rows[:_ROWS])]
    if len(rows) > _ROWS:
        lines += ["", f"… and {len(rows) - _ROWS:,} more."]
    return [*lines, ""]


def _code(value: str) -> str:
    return f"<code>{_plain(value)}</code>" if value else ""


def _prose(value: str) -> str:
    """A sentence with code between backticks, as mends are written."""
    pieces = _cut(value).split("`")
    return "".join(_code(one) if place % 2 else _plain(one) for place, one in enumerate(pieces))


def _plain(value: str) -> str:
    """A text of which no character is Markdown, HTML, a mention or a link: what could be one is written by its number."""
    shown = visible(_cut(value).replace("\n", " ⏎ ").replace("\t", " "))
    return "".join(one if one.isalnum() or one == " " or not one.isascii() else f"&#{ord(one)};" for one in shown)
