"""Shows that the gate closes: slows the core by a tenth, sees it red, takes that back, and sees it green (`make bench-gate-proof`).

All of it in a copy of the tree, in a temporary folder: the checkout is not touched.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benches import counts, gate

SOURCE = Path("rust/body.rs")
_ENTRY = re.compile(r"pub fn canonical_into\([^{]*\{\n")
_OPERATION, _LENGTH = "canonical-chat-200k", 200_000
_A_LOOK = 5
"""Instructions that a turn of the loop below takes, about."""


def slowed(source: str, instructions: int) -> str:
    """The source with a tenth more to do in the canonical form: a look at every so manieth byte, of which nothing comes."""
    step = max(1, round(_A_LOOK * _LENGTH * 10 / instructions))
    look = f"    for byte in body.iter().step_by({step}) {{\n        std::hint::black_box(byte);\n    }}\n"
    slower, places = _ENTRY.subn(lambda entry: entry[0] + look, source)
    if places != 1:
        raise SystemExit(f"{SOURCE} has {places} functions canonical_into, not 1: slow_core.py no longer knows where to slow the core")
    return slower


def copy(tree: Path) -> None:
    """The files of the checkout as they are now, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=counts.ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (counts.ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(counts.ROOT / name, tree / name)


def main() -> int:
    """0 where the gate was red for the slow core, by about what it was slowed, and green for the core as it is."""
    try:
        what, before = counts.base()
    except counts.CannotCountError as error:
        print(error, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        copy(tree)
        section = {"counts": functools.partial(gate.core, tree, (what, before))}
        original = (tree / SOURCE).read_text("utf-8")
        print(f"--- {SOURCE} does a tenth more in the canonical form")
        (tree / SOURCE).write_text(slowed(original, before[_OPERATION]), "utf-8")
        red = gate.judge(section)
        print("\n--- as it was")
        (tree / SOURCE).write_text(original, "utf-8")
        green = gate.judge(section)
    works = red == 1 and green == 0
    print(f"\nthe gate {'works' if works else 'DOES NOT WORK'}: exit {red} for the slow core, exit {green} for the core as it is")
    return 0 if works else 1


if __name__ == "__main__":
    sys.exit(main())
