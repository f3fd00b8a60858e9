"""A wheel as somebody has it who has nothing else: ``python -m tests.installed WHEEL``, or ``make test-wheel``.

It is installed into a fresh environment outside of the checkout, and every command is asked for its help, and the demo run, from there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]

# What is imported must come from the environment, and must have been put there by the wheel.
WHERE = """
import json, sys, llm_vcr, llm_vcr._core
from llm_vcr.cli import main
import click
print(json.dumps({"path": sys.path, "package": llm_vcr.__file__, "core": llm_vcr._core.__file__, "debug": llm_vcr._core.DEBUG,
                  "commands": main.list_commands(click.Context(main))}))
"""


def check(wheel: Path, folder: Path) -> str:
    """Install a wheel below ``folder`` and use it there; what the demo's second run came to."""
    environment, elsewhere = folder / "environment", folder / "elsewhere"
    elsewhere.mkdir()
    # A project of its own, whatever lies in the folders above.
    (elsewhere / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", "utf-8")
    venv.create(environment, with_pip=True)
    programs = environment / ("Scripts" if os.name == "nt" else "bin")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LLM_VCR", "VIRTUAL_ENV"))}
    clean["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=elsewhere, env=clean, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=False, timeout=900
        )
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}")
        return done.stdout

    python = str(programs / "python")
    run(python, "-m", "pip", "install", "--quiet", f"{wheel.resolve()}[demo,redis]")
    where = json.loads(run(python, "-c", WHERE))
    inside = [Path(one).resolve() for one in (where["package"], where["core"])]
    if not all(environment.resolve() in one.parents for one in inside) or any(str(CHECKOUT) in one for one in where["path"]):
        sys.exit(f"this is not what the wheel brings: {where}")
    if where["debug"]:
        sys.exit("the wheel's core is a debug build")
    llm_vcr = str(programs / "llm-vcr")
    told = run(llm_vcr, "--help")
    for name in where["commands"]:
        if f"  {name} " not in told or "Usage: llm-vcr" not in run(llm_vcr, name, "--help"):
            sys.exit(f"llm-vcr --help does not tell of {name}")
    if json.loads(run(llm_vcr, "list", "--json"))["cassettes"]:
        sys.exit("there are cassettes in an empty folder")
    checks = json.loads(run(llm_vcr, "doctor", "--json"))
    wrong = [one for several in ("versions", "HTTP clients", "store", "name clashes") for one in checks[several] if one["state"] == "wrong"]
    if wrong:
        sys.exit(f"the doctor finds {wrong}")
    demo = json.loads(run(llm_vcr, "demo", "--json"))
    left = [path.name for path in elsewhere.iterdir() if path.name != "pyproject.toml"]
    if not demo["passed"] or demo["second"]["live"] or demo["second"]["replayed"] != demo["first"]["recorded"] or left:
        sys.exit(f"the demo: {demo}; left behind: {left}")
    return f"{len(where['commands'])} commands; demo: 0 live calls, {demo['second']['replayed']} replayed"


def main() -> None:
    """Reads the command line and checks."""
    (wheel,) = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="llm-vcr-wheel-") as folder:
        print(f"{wheel.name}: {check(wheel, Path(folder))}")


if __name__ == "__main__":
    main()
