"""Programs of Debian that tests need: found on the PATH, or installed where we may."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


def find_program(*names: str, package: str) -> str:
    """The first of these programs that this machine has; as root on Debian, ``package`` is installed where it has none.

    Raises:
        RuntimeError: in one sentence that says what to install.
    """
    # Workers of one run would stand in each other's way: the package manager lets one in, and fails the others.
    with open(Path(tempfile.gettempdir()) / f"llm-vcr-install-{os.getuid()}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _on_path(names)
        if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
            # Without services: a package's own server would stand on the standard port.
            quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["apt-get", "update", "-qq"], check=False, env=quiet, capture_output=True)
            install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
            subprocess.run(install, check=False, env=quiet, capture_output=True)
            found = _on_path(names)
    if found is None:
        raise RuntimeError(f"these tests need {names[0]} on the PATH: install it (Debian: apt-get install {package}) and try again")
    return found


def _on_path(names: tuple[str, ...]) -> str | None:
    return next((found for name in names if (found := shutil.which(name)) is not None), None)
