"""Charts as inline SVG: no script draws them, no style attribute is needed, and each has its figures in words beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llm_vcr.reporting.markup import Html, join, tag

_PATTERNS = Html(
    '<svg class="defs" width="0" height="0" aria-hidden="true"><defs>'
    '<pattern id="stripes" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" class="leaked"></rect><rect width="2" height="6" class="stripe"></rect></pattern></defs></svg>'
)


def patterns() -> Html:
    """What the charts refer to: the stripes of what leaked, for whom two reds are one. Once a page."""
    return _PATTERNS


def stacked(parts: Sequence[tuple[str, int]], label: str) -> Html:
    """One bar in which each part, ``(class, count)``, has its share; one of ten thousand can be seen too."""
    total = sum(count for _, count in parts) or 1
    widths = [max(0.5, 100 * count / total) if count else 0.0 for _, count in parts]
    bars, x = [], 0.0
    for (name, _), one in zip(parts, widths, strict=True):
        width = 100 * one / (sum(widths) or 1)
        bars.append(tag("rect", x=_percent(x), y=0, width=_percent(width), height=18, class_=name))
        x += width
    return tag("svg", bars, class_="stacked", width="100%", height=18, role="img", aria_label=label)


def bar(parts: Sequence[tuple[str, float]], longest: float) -> Html:
    """A bar of a list: its parts, ``(class, value)``, as shares of the list's longest bar. What is there at all can be seen."""
    bars, x = [], 0.0
    for name, value in parts:
        if value <= 0:
            continue
        width = max(0.6, 100 * value / longest)
        bars.append(tag("rect", x=_percent(min(x, 99.4)), y=0, width=_percent(min(width, 100 - min(x, 99.4))), height=12, class_=name))
        x += width
    return tag("svg", bars, class_="bar", width="100%", height=12, aria_hidden="true")


def _percent(value: float) -> str:
    return f"{value:.3f}%"


@dataclass(frozen=True)
class Point:
    """A run in a line: its value (``None`` leaves a gap), what stands beside it, and whether it is more than is known."""

    value: float | None
    shown: str
    when: str
    partial: bool = False


_WIDTH, _HEIGHT = 320, 132
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 312, 30, 106


def line(points: Sequence[Point], kind: str, title: str) -> Html:
    """A line over runs, the last of them with its value. A hollow point is a sum of which a part is unknown."""
    values = [one.value for one in points if one.value is not None]
    top = max(values, default=0) or 1
    step = (_RIGHT - _LEFT) / max(1, len(points) - 1)
    places = [
        None if one.value is None else (_LEFT + number * step if len(points) > 1 else _RIGHT, _BOTTOM - (_BOTTOM - _TOP) * one.value / top)
        for number, one in enumerate(points)
    ]
    drawn = [
        tag("line", x1=_LEFT, x2=_RIGHT, y1=_BOTTOM, y2=_BOTTOM, class_="axis"),
        tag("line", x1=_LEFT, x2=_RIGHT, y1=_TOP, y2=_TOP, class_="grid"),
    ]
    drawn += [tag("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in run), class_=kind) for run in _unbroken(places)]
    many = len(points) > 40
    for one, place in zip(points, places, strict=True):
        if place is not None and (not many or one is points[-1]):
            name = f"point {kind}" + (" partial" if one.partial else "")
            drawn.append(tag("circle", cx=f"{place[0]:.1f}", cy=f"{place[1]:.1f}", r=4 if one is points[-1] else 3, class_=name))
    highest = next((one.shown for one in points if one.value == top), "")
    drawn.append(tag("text", highest, x=_LEFT, y=_TOP - 6, class_="tick"))
    drawn.append(tag("text", points[-1].shown, x=_RIGHT, y=14, class_=f"last {kind}", text_anchor="end"))
    drawn.append(tag("text", points[0].when, x=_LEFT, y=_HEIGHT - 8, class_="tick"))
    drawn.append(tag("text", "this run", x=_RIGHT, y=_HEIGHT - 8, class_="tick", text_anchor="end"))
    told = f"{title} over {len(points)} runs: " + ", ".join(one.shown for one in points[-12:])
    picture = tag("svg", drawn, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", class_="line", role="img", aria_label=told)
    return tag("figure", tag("figcaption", title), picture)


def _unbroken(places: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    pieces: list[list[tuple[float, float]]] = [[]]
    for place in places:
        if place is not None:
            pieces[-1].append(place)
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if len(piece) > 1]


def meter(used: float, limit: float, label: str) -> Html:
    """How full something is."""
    share = min(1.0, max(0.0, used / limit)) if limit > 0 else 0.0
    parts = [
        tag("rect", x=0, y=0, width="100%", height=12, class_="track"),
        tag("rect", x=0, y=0, width=_percent(100 * share), height=12, class_="leaked" if share > 0.9 else "quiet"),
    ]
    return join(tag("svg", parts, class_="bar", width="100%", height=12, role="img", aria_label=label))
