"""The project a command works on: its root, and what its pytest configuration says of llm_vcr.

pytest finds its configuration by starting; a command that did the same would load every plugin and conftest of the user's. The files and
their order are those of pytest's documentation ("Initialization: determining rootdir and configfile").
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import iniconfig

from llm_vcr import config
from llm_vcr.config import Settings
from llm_vcr.errors import ConfigError

_FILES = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")

# Read although they may hold no pytest section: their name says whom they are for.
_ALWAYS = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")


@dataclass(frozen=True)
class Project:
    """Where the user is, and what is in force there."""

    root: Path
    settings: Settings
    file: Path | None = None
    """The file the ini settings stand in."""

    def source(self, name: str) -> str:
        """Where a setting came from, in the user's words."""
        told = self.settings.sources.get(name)
        if told is None:
            return "default"
        return f"{told} in {self.file.name}" if self.file is not None and told == config.TABLE[name].ini else told


def find(start: Path, *, store: str | None = None) -> Project:
    """The project around ``start``; ``store`` is what ``--store`` says.

    Raises:
        ConfigError: for a configuration that cannot be read, or a setting in it that cannot be.
    """
    file, ini = _configuration(start)
    values = {name: value for name, row in config.TABLE.items() if (value := ini.get(row.ini)) not in (None, "")}
    settings = config.read(ini=values)
    if store is not None:
        settings = config.override(settings, "--store", store=config.lookup("store").read("--store", store))
    return Project(root=file.parent if file is not None else _repository(start), settings=settings, file=file)


def _configuration(start: Path) -> tuple[Path | None, Mapping[str, Any]]:
    pyproject = None
    for folder in (start, *start.parents):
        for name in _FILES:
            path = folder / name
            if not path.is_file():
                continue
            section = _section(path)
            if section is not None:
                return path, section
            if name == "pyproject.toml":
                pyproject = pyproject or path
    return pyproject, {}


def _section(path: Path) -> Mapping[str, Any] | None:
    empty: Mapping[str, Any] | None = {} if path.name in _ALWAYS else None
    try:
        if path.suffix == ".toml":
            tree = tomllib.loads(path.read_text("utf-8"))
            if path.name != "pyproject.toml":
                return tree.get("pytest", empty)
            pytest: dict[str, Any] = tree.get("tool", {}).get("pytest", {})
            own = {name: value for name, value in pytest.items() if name != "ini_options"}
            found: Mapping[str, Any] | None = pytest.get("ini_options") if "ini_options" in pytest else own or empty
            return found
        ini = iniconfig.IniConfig(str(path))
        section = "tool:pytest" if path.name == "setup.cfg" else "pytest"
        return dict(ini[section].items()) if section in ini else empty
    except (tomllib.TOMLDecodeError, iniconfig.ParseError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(str(path), "", f"a file that can be read: {error}") from error


def _repository(start: Path) -> Path:
    """Without any configuration, pytest's root is where the tests are; the nearest thing to say from here is the checkout."""
    return next((folder for folder in (start, *start.parents) if (folder / "setup.py").is_file() or (folder / ".git").exists()), start)
