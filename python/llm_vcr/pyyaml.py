"""What only PyYAML can do: YAML that the core leaves to it, and what is wrong with a text that is none.

Imported when that happens: the core reads and writes nearly every cassette, and PyYAML is as dear to import as forty replays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

try:
    _Dumper: Any = yaml.CSafeDumper
    _Loader: Any = yaml.CSafeLoader
except AttributeError:  # PyYAML built without libyaml
    _Dumper = yaml.SafeDumper
    _Loader = yaml.SafeLoader


class _CassetteDumper(_Dumper):  # type: ignore[misc]  # one of two classes, chosen above
    """Texts of several lines as a literal block, so that a diff shows the line that changed."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's
        """Write every header list out: an anchor would tie unrelated episodes together."""
        return True


# What a literal block cannot carry unchanged: other line breaks are folded into `\n`, and leading space reads as indentation.
_NOT_LITERAL = re.compile(
    "[^\\t\\n\\x20-\\x7e\\xa0-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]|[\\u2028\\u2029]|\\A\\s|[ \\t]\\n|[ \\t]\\Z"
)


_SURROGATES = re.compile("[\ud800-\udfff]")


def _represent_str(dumper: Any, text: str) -> yaml.Node:
    if _SURROGATES.search(text):
        # There is no YAML for those. aiohttp makes them of header bytes that are no UTF-8, which are Latin-1 (RFC 9110, section 5.5).
        text = _SURROGATES.sub(lambda one: chr(ord(one[0]) - 0xDC00) if "\udc80" <= one[0] <= "\udcff" else "\ufffd", text)
    style = "|" if "\n" in text and not _NOT_LITERAL.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)  # type: ignore[no-any-return]


_CassetteDumper.add_representer(str, _represent_str)


def dump(data: Mapping[str, Any]) -> str:
    """A cassette as YAML, laid out for people."""
    return str(yaml.dump(data, Dumper=_CassetteDumper, sort_keys=False, allow_unicode=True, width=2**30))


def is_deeper(text: str, most: int) -> bool:
    """Whether a YAML text is nested deeper than that."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > most:
            return True
    return False


def problem_of(error: Exception) -> tuple[int | None, str] | None:
    """The line, from 1, and the words of what PyYAML complains of; ``None`` for anybody else's error, and where it tells no line itself."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return None
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else None, f"this is no valid YAML: {error.problem or error.context}"


def is_error(error: Exception) -> bool:
    """Whether PyYAML complains of a text."""
    return isinstance(error, yaml.YAMLError)


def line_of(text: str, what: str | int) -> int | None:
    """The line, from 1, of a top-level key or of the interaction with this number; only asked for when an error is certain."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == what:
            return int(key.start_mark.line) + 1
        if key.value == "interactions" and isinstance(what, int) and what < len(value.value):
            return int(value.value[what].start_mark.line) + 1
    return None
