"""Runs the matrix and prints it: ``python -m tests.clients [--layer stock] [--only TEXT] [CLIENT …]``.

With ``--documents`` every client is run in both layers, and the tables in README.md and docs/guide/clients.md are written anew.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.clients.run import EVERY, REPOSITORY, Layer, Verdict, run
from tests.clients.table import counts, markdown, markdown_rows

PACKAGES = {
    "gemini": "google-genai",
    "mistral": "mistralai",
    "bedrock": "anthropic",
    "urllib": "urllib3",
    "crossed": "",
    "large": "",
}
"""Which distribution a client is of, where the name does not say; none where it is of several."""


def main() -> None:
    """Run what was asked for; exit 1 where something of ours is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description=__doc__)
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=f"of {', '.join(EVERY)}; all of them if none is named")
    parser.add_argument("--layer", choices=("ours", "stock", "none"), default="ours")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--documents", action="store_true", help="write the tables of the documents")
    options = parser.parse_args()
    if options.documents:
        sys.exit(not write_documents())
    verdicts = [one for client in options.clients or EVERY for one in told(client, options.layer, options.only)]
    print(f"{len(verdicts)} calls: {counts(verdicts)}")
    sys.exit(not all(one.right for one in verdicts))


def told(client: str, layer: Layer, only: str = "") -> list[Verdict]:
    """The verdicts over one client; what is wrong is printed."""
    with tempfile.TemporaryDirectory() as folder:
        verdicts = run(client, layer, Path(folder), only=only)
    for one in verdicts:
        if not one.right:
            print(f"{one.name}: {one.verdict}\n    " + one.why.replace("\n", "\n    "))
    print(f"{client}, {layer}: {counts(verdicts)}", flush=True)
    return verdicts


def write_documents() -> bool:
    """Write the tables; whether everything of ours is as it should be."""
    ours = {client: told(client, "ours") for client in EVERY}
    stock = {client: told(client, "stock") for client in EVERY}
    versions = {client: version(package) if (package := PACKAGES.get(client, client)) else "" for client in EVERY}
    table = markdown(ours, stock, versions | {"vcrpy": version("vcrpy")})
    _replace(REPOSITORY / "README.md", table)
    _replace(REPOSITORY / "docs" / "guide" / "clients.md", f"{table}\n\n{markdown_rows(ours, stock)}")
    return all(one.right for verdicts in ours.values() for one in verdicts)


def _replace(path: Path, table: str) -> None:
    """Put the table between the two comments that mark its place."""
    text = path.read_text("utf-8")
    begin, end = "<!-- clients: written by make clients-table -->", "<!-- /clients -->"
    replaced, places = re.subn(f"{begin}.*?{end}", lambda _: f"{begin}\n{table}\n{end}", text, flags=re.DOTALL)
    if places != 1:
        raise ValueError(f"{path.name} has {places} places for the table of clients, not 1")
    path.write_text(replaced, "utf-8")


if __name__ == "__main__":
    main()
