"""HTML that is escaped unless it was made here, and text in which nothing hides."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import TypeAlias

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Controls, what turns the direction of a line (Unicode's UAX 9), what has no width, and halves of a pair. Emoji keep their joiners."""

_SHOWN = 2000
"""So many characters of a value are shown: more is no reading matter, and one prompt could be megabytes."""

_VOID = ("br", "input", "link", "meta")


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


Child: TypeAlias = "str | Html | Iterable[Child] | None"


def visible(value: str) -> str:
    r"""A text with what hides in it spelt out, as ``\u202e``, and cut where it is very long."""
    cut = len(value) - _SHOWN
    if cut > 0:
        value = f"{value[:_SHOWN]} … and {cut:,} more characters"
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", value)


def tag(name: str, *children: Child, **attributes: object) -> Html:
    """An element. An attribute ``class_`` is ``class``, ``aria_label`` is ``aria-label``; ``None`` and ``False`` leave it out."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{html.escape(visible(str(value)))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{name}{written}>" if name in _VOID else f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """Children one after the other; what is not HTML is escaped."""
    return Html("".join(_flat(children)))


def _flat(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if isinstance(child, Html):
            yield child
        elif isinstance(child, str):
            yield html.escape(visible(child))
        elif child is not None:
            yield from _flat(child)
