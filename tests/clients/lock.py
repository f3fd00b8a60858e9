"""Prints the installed versions of everything that the group ``clients`` stands on, and litellm: ``make clients-lock``."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution

from tests.clients.run import REPOSITORY


def main() -> None:
    """One pinned requirement per line."""
    groups = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    found: dict[str, str] = {}
    waiting = [*_members(groups, "clients"), "litellm", "vcrpy", "pytest", "pytest-recording", "PyYAML"]
    while waiting:
        wanted = waiting.pop()
        name, extras = _name(wanted), _extras(wanted)
        if name in found and not extras:
            continue
        try:
            installed = distribution(name)
        except PackageNotFoundError:  # needed by another Python or system only
            continue
        found[name] = installed.version
        waiting += [one for one in installed.requires or [] if (extra := _EXTRA.search(one)) is None or extra[1] in extras]
    print("# Every version that `make test-clients` runs with. Written by `make clients-lock`.")
    for name in sorted(found):
        print(f"{name}=={found[name]}")


def _members(groups: dict[str, list[object]], group: str) -> list[str]:
    members: list[str] = []
    for one in groups[group]:
        members += _members(groups, str(one["include-group"])) if isinstance(one, dict) else [str(one)]
    return members


_EXTRA = re.compile(r"""extra == ['"]([^'"]+)""")


def _extras(requirement: str) -> set[str]:
    match = re.match(r"[A-Za-z0-9._-]+\s*\[([^\]]*)\]", requirement)
    return {one.strip() for one in match[1].split(",")} if match else set()


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""


if __name__ == "__main__":
    main()
