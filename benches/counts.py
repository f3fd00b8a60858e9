"""Instructions of the core, counted by callgrind: the same number each time, whatever else the machine does.

The counts in ``benches/data/counts.json`` are true for the compiler, C library and valgrind that made them. Under the same ones a tree is
compared with them; under others with the tree of the commit that wrote them, built and counted in the same run.

``python -m benches.counts`` writes the file anew (``make bench-counts``).
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benches.budgets import DATA

ROOT = Path(__file__).parents[1]
FILE = DATA / "counts.json"
TOLERANCE = 0.02
"""How far a count may be off, either way."""
_BY_RATIO = ("sha256-", "fingerprint-")
"""Mostly SHA-256, whose instructions valgrind does not have: it would count another implementation than the one that runs."""


class CannotCountError(Exception):
    """What keeps this machine from counting, and what to do about it."""


def toolchain() -> dict[str, str]:
    """What decides the counts beside the source."""
    if shutil.which("valgrind") is None:
        raise CannotCountError("instructions are counted by valgrind, which is not installed: apt-get install valgrind")
    # valgrind shows a program one of few processors, by what its own has.
    features = Path("/proc/cpuinfo").read_text("utf-8") if sys.platform == "linux" else ""
    return {
        "rustc": _said("rustc", "--version"),
        "cc": _said(os.environ.get("CC", "cc"), "--version"),
        "libc": " ".join(platform.libc_ver()),
        "valgrind": _said("valgrind", "--version"),
        "machine": platform.machine() + (" avx2" if " avx2 " in features else ""),
    }


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def count(tree: Path) -> dict[str, int]:
    """Build the bench of a source tree and count each operation in it once."""
    bench = _build(tree)
    names = subprocess.run([bench, "--list"], capture_output=True, text=True, check=True).stdout.split()
    return {name: _count(bench, name) for name in names if not name.startswith(_BY_RATIO)}


def _build(tree: Path) -> str:
    # One target folder for all trees: what they depend on is compiled once.
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    command = [os.environ.get("CARGO", "cargo"), "bench", "--no-run", "--bench", "core", "--message-format=json-render-diagnostics"]
    done = subprocess.run(command, cwd=tree, env={**os.environ, "CARGO_TARGET_DIR": target}, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise CannotCountError(f"the bench of {tree} does not build")
    built = [json.loads(line) for line in done.stdout.splitlines()]
    return str(next(one["executable"] for one in built if one.get("executable") and one["target"]["name"] == "core"))


def _count(bench: str, name: str) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted*", bench, name, "1"]
    # An environment of its own: its size would move the stack, and what is aligned takes other ways.
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or found is None or not int(found[1]):
        raise CannotCountError(f"{name} was not counted:\n{done.stderr[-2000:]}")
    return int(found[1])


def base() -> tuple[str, Mapping[str, int]]:
    """What to compare with, and what it is: the committed counts, or those of the tree that they were committed with.

    Raises:
        CannotCountError: where the counts are another toolchain's, and there is no history to take that tree from.
    """
    committed = json.loads(FILE.read_text("utf-8"))
    here = toolchain()
    if committed["toolchain"] == here:
        return "the committed counts", committed["instructions"]
    other = ", ".join(
        f"{committed['toolchain'].get(name)} (here {value})" for name, value in here.items() if committed["toolchain"].get(name) != value
    )
    asked = ["git", "log", "-1", "--format=%H", "--", FILE.relative_to(ROOT).as_posix()]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    shallow = subprocess.run(["git", "rev-parse", "--is-shallow-repository"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    if not commit or shallow != "false":
        raise CannotCountError(
            f"{FILE.name} was made with {other}, and there is no git history to build its tree from: fetch the history, or make the counts "
            "anew on a tree that is known to be good (make bench-counts)"
        )
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(["git", "archive", "--format=tar", commit], cwd=ROOT, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        return f"{commit[:12]}, counted here as {FILE.name} was made with {other}", count(Path(folder))


def main() -> None:
    """Write the counts anew."""
    try:
        made = {"toolchain": toolchain(), "instructions": count(ROOT)}
    except CannotCountError as error:
        raise SystemExit(str(error)) from None
    FILE.write_text(json.dumps(made, indent=2) + "\n", "utf-8")
    print(f"{len(made['instructions'])} counts written to {FILE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
