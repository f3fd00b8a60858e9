"""The matrix as a table: on the terminal one row per case, in the documents one row per client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.clients.run import VERDICTS, Verdict


def rows(verdicts: Sequence[Verdict]) -> list[str]:
    """One line per case: client, endpoint, sync or async, verdict; what must be refused stands below its case."""
    lines = []
    for one in verdicts:
        if one.negative:
            lines.append(f"  {'':<14}   but {one.name.partition(' but ')[2]:<50} {one.verdict}")
            continue
        client, endpoint, how = split(one.name)
        lines.append(f"  {client:<14} {endpoint:<44} {how:<9} {one.verdict}")
    return lines


def summary(verdicts: Sequence[Verdict]) -> list[str]:
    """One line per client."""
    clients = dict.fromkeys(one.client for one in verdicts)
    return [f"  {client:<14} {counts([one for one in verdicts if one.client == client])}" for client in clients]


def split(name: str) -> tuple[str, str, str]:
    """Client, endpoint (with what is special) and how it is called."""
    client, *words = name.split(".")
    how = next((word for word in words if word in ("sync", "async")), "")
    return client, " ".join(word for word in words if word != how), how


def counts(verdicts: Sequence[Verdict]) -> str:
    """How many of each verdict, in words."""
    found = Counter(one.verdict for one in verdicts)
    return ", ".join(f"{found[word]} {word}" for word in VERDICTS if found[word])


def markdown(ours: dict[str, list[Verdict]], stock: dict[str, list[Verdict]], versions: dict[str, str]) -> str:
    """The table of the README: per client what replays and what is refused, ours beside stock vcrpy's."""
    lines = [
        "| client | calls | llm_vcr: replay | stock: replay | changed calls | llm_vcr: refused, cause named | stock: refused |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    total = [0] * 6
    for client, verdicts in ours.items():
        row = [*_numbers(verdicts, stock[client], negative=False), *_numbers(verdicts, stock[client], negative=True)]
        total = [one + other for one, other in zip(total, row, strict=True)]
        name = f"{client} {versions[client]}".strip()
        lines.append(f"| {name} | {row[0]} | {row[1]} | {row[2]} | {row[3]} | {row[4]} | {row[5]} |")
    lines.append("| **all** | " + " | ".join(f"**{one}**" for one in total) + " |")
    of_stock = Counter(one.verdict for verdicts in stock.values() for one in verdicts if not one.right)
    wrong = ", ".join(f"{of_stock[word]} {word}" for word in VERDICTS if of_stock[word])
    return "\n".join([*lines, "", f"What goes wrong with stock vcrpy {versions['vcrpy']}: {wrong or 'nothing'}."])


def _numbers(ours: Sequence[Verdict], stock: Sequence[Verdict], *, negative: bool) -> list[int]:
    mine = [one for one in ours if one.negative is negative]
    return [len(mine), sum(one.right for one in mine), sum(one.right for one in stock if one.negative is negative)]


def markdown_rows(ours: dict[str, list[Verdict]], stock: dict[str, list[Verdict]]) -> str:
    """The table of the guide: every call, ours beside stock vcrpy's verdict."""
    lines = ["| client | call | | llm_vcr | stock vcrpy |", "|---|---|---|---|---|"]
    for client, verdicts in ours.items():
        theirs = {one.name: one.verdict for one in stock[client]}
        for one in verdicts:
            cells = ("", f"but {one.name.partition(' but ')[2]}", "") if one.negative else split(one.name)
            lines.append("| " + " | ".join((*cells, one.verdict, theirs.get(one.name, "no recording"))) + " |")
    return "\n".join(lines)
