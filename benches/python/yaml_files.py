"""``python -m benches.python.yaml_files FOLDER``: real cassette files to Python objects, with ours, PyYAML's C loader and cassetter.

The goal was set with the cassettes of crewAI (596 files as PyYAML wrote them), which are no part of this project:
``git clone --depth 1 https://github.com/crewAIInc/crewAI`` and name its folder. A tar file will do too.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from llm_vcr import codec
from llm_vcr.errors import LlmVcrError

from benches import budgets
from benches.python.replay import cassetter

TITLE = "YAML load to Python objects, the 596 crewAI files of the corpus"
BUDGET = budgets.section("yaml")[TITLE]
ROUNDS = 5

_CASSETTER = """\
import sys, time
from cassetter._core import Cassette

paths = sys.stdin.read().split("\\0")
begun, failed = time.process_time(), 0
for path in paths:
    try:
        Cassette.load(path)
    except Exception:
        failed += 1
print(time.process_time() - begun, failed)
"""


class Row(NamedTuple):
    """CPU seconds of each way over all files, and how many files cassetter could not load."""

    files: int
    ours: float
    pyyaml: float
    cassetter: float
    failed: int

    @property
    def missed(self) -> bool:
        """Whether a goal is missed."""
        return self.pyyaml / self.ours < BUDGET["pyyaml"] or self.cassetter / self.ours < BUDGET["cassetter"]

    def __str__(self) -> str:
        against = f"{self.pyyaml / self.ours:.1f} x PyYAML's C loader | {BUDGET['pyyaml']}"
        against += f"   {self.cassetter / self.ours:.1f} x cassetter | {BUDGET['cassetter']}"
        told = f"{TITLE} ({self.files} found): {1e3 * self.ours:.0f} ms   {against}"
        return told + (f"   ({self.failed} cassetter cannot load)" if self.failed else "") + ("   MISSED" if self.missed else "")


def ours(data: bytes, name: str) -> object:
    """A file, read as we read it."""
    return codec.read(data, name)


def pyyaml(data: bytes, name: str) -> object:  # noqa: ARG001 - alike
    """A file, read by PyYAML on libyaml."""
    return yaml.load(data, Loader=yaml.CSafeLoader)


def measure(place: Path, rounds: int = ROUNDS) -> Row:
    """Load every cassette below ``place`` in turns; medians."""
    with tempfile.TemporaryDirectory() as folder:
        if place.is_file():
            with tarfile.open(place) as archive:
                archive.extractall(folder, filter="data")
            place = Path(folder)
        files = {str(path): path.read_bytes() for path in sorted(place.rglob("*.y*ml"))}
        files = {name: data for name, data in files.items() if b"interactions:" in data and _is_cassette(data, name)}
        if not files:
            raise SystemExit(f"there is no cassette below {place}")
        seen: dict[str, list[float]] = {"ours": [], "pyyaml": [], "cassetter": []}
        failed = 0
        for _ in range(rounds):
            seen["ours"].append(_time(ours, files))
            seen["pyyaml"].append(_time(pyyaml, files))
            said = subprocess.run(
                [cassetter(), "-c", _CASSETTER], input="\0".join(files), capture_output=True, text=True, check=True
            ).stdout
            seen["cassetter"].append(float(said.split()[0]))
            failed = int(said.split()[1])
    return Row(len(files), *(statistics.median(seen[name]) for name in ("ours", "pyyaml", "cassetter")), failed)


def _is_cassette(data: bytes, name: str) -> bool:
    try:
        ours(data, name)
    except LlmVcrError:
        return False
    return True


def _time(load: Callable[[bytes, str], Any], files: dict[str, bytes]) -> float:
    begun = time.process_time()
    for name, data in files.items():
        load(data, name)
    return time.process_time() - begun


def main() -> None:
    """Print the row."""
    parser = argparse.ArgumentParser(
        prog="python -m benches.python.yaml_files", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("place", type=Path, metavar="FOLDER", help="a folder with cassettes, or a tar file of one")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    print(measure(options.place, options.rounds))


if __name__ == "__main__":
    sys.exit(main())
