"""Runs the matrix and prints it: ``python -m tests.clients [--stock] [--only TEXT] [CLIENT …]``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.clients.run import EVERY, run


def main() -> None:
    """Run what was asked for; exit 1 where something of ours is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description=__doc__)
    parser.add_argument("clients", nargs="*", choices=[*EVERY, []], default=[])
    parser.add_argument("--layer", choices=("ours", "stock", "none"), default="ours")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    options = parser.parse_args()
    wrong = 0
    for client in options.clients or EVERY:
        with tempfile.TemporaryDirectory() as folder:
            verdicts = run(client, options.layer, Path(folder), only=options.only)
        for one in verdicts:
            if not one.right:
                wrong += 1
                print(f"{one.name}: {one.verdict}\n    " + one.why.replace("\n", "\n    "))
        print(f"{client}: {sum(one.right for one in verdicts)} of {len(verdicts)} as they should be")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
