"""The one sentence above everything: what a run cost, what replay saved, and what leaked."""

from __future__ import annotations

from typing import NamedTuple

from llm_vcr import amounts
from llm_vcr.reporting.run import Amount, Run


class Part(NamedTuple):
    """A piece of the sentence; the figures in it have a ``kind``: ``spent``, ``saved`` or ``leaked``."""

    text: str
    kind: str = ""


def headline(run: Run) -> list[Part]:
    """The sentence in parts, so that figures can stand out."""
    return [Part("This run "), *_cost(run), Part(", replay "), *_saved(run), Part(" and "), *_leaked(run), Part(".")]


def sentence(run: Run) -> str:
    """The same as plain text."""
    return "".join(part.text for part in headline(run))


def _cost(run: Run) -> list[Part]:
    if not run.live:
        return [Part("cost "), Part("nothing", "spent")]
    calls = amounts.many(run.live, "live call")
    if run.spent.is_unknown:
        return [Part(f"made {calls} at an "), Part("unknown price", "spent")]
    return [Part("cost "), Part(_words(run.spent), "spent"), Part(f" in {calls}")]


def _saved(run: Run) -> list[Part]:
    if not run.replayed:
        return [Part("saved "), Part("nothing", "saved")]
    calls = amounts.many(run.replayed, "call")
    if run.avoided.is_unknown:
        return [Part(f"answered {calls} of "), Part("unknown price", "saved")]
    return [Part("saved "), Part(_words(run.avoided), "saved"), Part(f" in {calls}")]


def _words(amount: Amount) -> str:
    """Cents are enough for a sentence."""
    known = amount.known or 0.0
    if 0 < known < 0.01:
        return f"at least {amounts.dollars(known)}" if amount.is_partial else "less than $0.01"
    shown = f"${known:,.2f}" if known else "$0"
    return f"at least {shown}" if amount.is_partial else shown


def _leaked(run: Run) -> list[Part]:
    if not run.leaked:
        return [Part("nothing leaked")]
    return [Part(amounts.many(run.leaked, "call") + " leaked", "leaked")]


def below(run: Run) -> list[str]:
    """What the sentence leaves open: where it leaked, what was refused, and whose price nobody knows."""
    notes = []
    if run.around:
        notes.append(f"{amounts.many(run.around, 'call')} or more went around every cassette.")
    if run.unkept:
        was, it = ("was", "it") if run.unkept == 1 else ("were", "them")
        notes.append(f"{amounts.many(run.unkept, 'call')} {was} paid for and not kept: the next run pays for {it} again.")
    if run.refused:
        notes.append(f"{amounts.many(run.refused, 'call')} {'was' if run.refused == 1 else 'were'} refused before a byte was sent.")
    if run.unpriced_models:
        notes.append(f"No price is known for some calls of {_listed(run.unpriced_models)}.")
    elif run.spent.unpriced or run.avoided.unpriced:
        notes.append("No price is known for some calls.")
    return notes


_NAMED = 5


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown
