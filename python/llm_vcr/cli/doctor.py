"""``llm-vcr doctor``: whether everything is as it should be, and where each setting came from."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import math
import os
import platform
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import click
from rich.table import Table
from rich.text import Text

from llm_vcr import _core, config
from llm_vcr.cli import project as projects
from llm_vcr.cli import screen
from llm_vcr.cli.library import resolved
from llm_vcr.cli.project import Project
from llm_vcr.cli.screen import Screen
from llm_vcr.errors import LlmVcrError, StoreUnavailableError

PACKAGES = ("llm-vcr-rs", "vcrpy", "pytest", "pytest-recording", "pytest-xdist", "redis", "genai-prices")

RIVALS = {
    "pytest-llm-vcr": "it installs the same import name llm_vcr: uninstall one of the two",
    "pytest-vcr": "it defines the same marker and fixture vcr as pytest-recording: uninstall it",
    "cassetter": "its plugin defines the same marker vcr: uninstall it, or run pytest with -p no:cassetter",
}
"""Packages that get in the way of ours when both are installed."""

_NOWHERE = "http://llm-vcr-doctor.invalid/"
"""An address that nobody can have (RFC 6761, section 6.4): a call there that is not intercepted costs nothing."""


@dataclass(frozen=True)
class Check:
    """What was looked at, and how it is."""

    name: str
    state: Literal["ok", "warning", "wrong", "info"]
    text: str


@click.command("doctor", short_help="Check installation, HTTP clients, store and settings.")
@click.option("--store", metavar="URL", help="Look at this store instead of the project's.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document, for scripts.")
def command(store: str | None, *, as_json: bool) -> None:
    """Check the installation, the HTTP clients, the store and the settings.

    Exit status 1 where something is wrong.
    """
    out = Screen(as_json=as_json)
    project = projects.find(Path.cwd(), store=store)
    groups = {
        "versions": list(_versions()),
        "HTTP clients": list(_clients()),
        "store": list(_store(project)),
        "name clashes": list(_clashes()),
    }
    settings = [
        {"name": row.ini, "value": getattr(project.settings, name), "source": project.source(name)} for name, row in config.TABLE.items()
    ]
    if as_json:
        out.json({
            **{name: [asdict(one) for one in checks] for name, checks in groups.items()},
            "root": project.root,
            "settings": [one | {"value": _safe(one["name"], one["value"])} for one in settings],
        })  # fmt: skip
    else:
        _show(out, project, groups, settings)
    if any(one.state == "wrong" for checks in groups.values() for one in checks):
        raise SystemExit(1)


def _versions() -> Iterator[Check]:
    yield Check("Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in PACKAGES:
        try:
            yield Check(name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            needed = name in ("vcrpy", "pytest", "pytest-recording")
            yield Check(name, "wrong" if needed else "info", "not installed")
    if _core.DEBUG:
        yield Check("core", "warning", "a debug build: ten times slower than it should be")
    try:
        from llm_vcr.vcrpy_hooks import check_internals

        check_internals()
    except LlmVcrError as error:
        yield Check("vcrpy", "wrong", str(error))


def _clients() -> Iterator[Check]:
    """Send a call through each installed HTTP client, into a cassette that refuses it before a byte leaves."""
    for name, call in _CALLS.items():
        if importlib.util.find_spec(name) is None:
            continue
        version = importlib.metadata.version(name)
        refused, error = _refused(call)
        if refused:
            yield Check(name, "ok", f"{version}, intercepted")
        else:
            yield Check(name, "wrong", f"{version}, goes around the cassette: its calls are live, and cost ({error})")


def _refused(call: Callable[[], object]) -> tuple[bool, str]:
    from llm_vcr.playback.cassette import Cassette
    from llm_vcr.vcrpy_hooks import VCR

    error = "no error"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with VCR().use_cassette("llm-vcr-doctor-never-written.yaml", record_mode="none") as cassette:
            try:
                call()
            except Exception as raised:  # noqa: BLE001 - each client wraps the refusal in its own
                error = type(raised).__name__
    assert isinstance(cassette, Cassette)  # noqa: S101 - for the type checker
    return cassette.counts.refused > 0, error


def _by_name(module: str, function: str) -> Callable[[], object]:
    return lambda: getattr(importlib.import_module(module), function)(_NOWHERE)


def _aiohttp() -> object:
    import asyncio

    aiohttp = importlib.import_module("aiohttp")

    async def call() -> None:
        async with aiohttp.ClientSession() as session, session.get(_NOWHERE):
            pass

    return asyncio.run(call())


def _urllib3() -> object:
    return importlib.import_module("urllib3").PoolManager(retries=False).request("GET", _NOWHERE)


def _botocore() -> object:
    session = importlib.import_module("botocore.httpsession").URLLib3Session()
    request = importlib.import_module("botocore.awsrequest").AWSRequest("GET", _NOWHERE)
    return session.send(request.prepare())


_CALLS: dict[str, Callable[[], object]] = {
    "httpx": _by_name("httpx", "get"),
    "httpx2": _by_name("httpx2", "get"),
    "requests": _by_name("requests", "get"),
    "urllib3": _urllib3,
    "aiohttp": _aiohttp,
    "botocore": _botocore,
}


def _store(project: Project) -> Iterator[Check]:
    from llm_vcr.stores import open_store
    from llm_vcr.stores.file import FileStore

    shown = _core.redact_uri(project.settings.store)
    try:
        store = open_store(resolved(project), project.settings, root=project.root)
        if isinstance(store, FileStore) and not store.root.is_dir():
            yield Check("store", "wrong", f"{shown}: the folder {store.root} is not there")
            return
        count = sum(1 for _ in store.scan())
        yield Check("store", "ok", f"{shown}: reachable, {screen.many(count, 'cassette')}")
        if isinstance(store, FileStore) and not os.access(store.root, os.W_OK):
            yield Check("writing", "wrong", f"{store.root} cannot be written to")
        used = store.capacity()
        if used is not None:
            yield Check("capacity", "ok" if used < 0.85 else "warning", f"{used:.0%} used")
        policy = getattr(store, "eviction_policy", None)
        if policy is not None:
            name = policy()
            good = name in ("noeviction", "volatile-ttl")
            yield Check(
                "eviction policy",
                "ok" if good else "warning",
                name + ("" if good else ": recordings may go before they age; noeviction keeps them"),
            )
    except StoreUnavailableError as error:
        yield Check("store", "wrong", f"{shown} cannot be used: {error.reason}")
    except (LlmVcrError, OSError) as error:
        yield Check("store", "wrong", f"{shown}: {error}")


def _clashes() -> Iterator[Check]:
    found = False
    for name, advice in RIVALS.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found = True
        yield Check(f"{name} {version}", "wrong", advice)
    owners = set(importlib.metadata.packages_distributions().get("llm_vcr", [])) - {"llm-vcr-rs", *RIVALS}
    if owners:
        found = True
        yield Check("llm_vcr", "wrong", f"the import name belongs to {', '.join(sorted(owners))} too")
    if not found:
        yield Check("packages", "ok", "none gets in the way")


def _show(out: Screen, project: Project, groups: dict[str, list[Check]], settings: list[dict[str, Any]]) -> None:
    signs = {"ok": "[green]✓[/]", "warning": "[dark_orange3]![/]", "wrong": "[red]✗[/]", "info": "[dim]·[/]"}
    for heading, checks in groups.items():
        out.line(f"[bold]{heading}[/]")
        grid = Table.grid(padding=(0, 1))
        # The names of all groups below each other.
        grid.add_column(min_width=3)
        grid.add_column(min_width=18, no_wrap=True)
        for one in checks:
            style = {"wrong": "red", "warning": "dark_orange3", "info": "dim"}.get(one.state, "")
            grid.add_row(f"  {signs[one.state]}", screen.escape(one.name), Text(screen.plain(one.text), style))
        out.show(grid)
        out.line()
    where = f" ({project.file.name})" if project.file is not None else ""
    out.line(f"[bold]settings[/] [dim]for {screen.escape(str(project.root))}{where}[/]")
    table = screen.table("setting", "value", "from", fold="value")
    for row in settings:
        dim = row["source"] == "default"
        value = screen.escape(_value(row["name"], row["value"]))
        table.add_row(
            row["name"],
            f"[dim]{value}[/]" if dim else value,
            f"[dim]{row['source']}[/]" if dim else f"[cyan]{screen.escape(row['source'])}[/]",
        )
    out.show(table)


def _safe(name: str, value: object) -> object:
    """A value for JSON, which has no infinity; keys and passwords are nobody's."""
    if name == "llm_vcr_placeholder_keys" and isinstance(value, tuple):
        return ["[redacted]"] * len(value)
    if name == "llm_vcr_store":
        return _core.redact_uri(str(value))
    return None if value == math.inf else value


def _value(name: str, value: object) -> str:
    if value is None:
        return "–"
    if name in ("llm_vcr_ttl", "llm_vcr_wait"):
        return screen.duration(float(str(value)))
    if name == "llm_vcr_mirror_size":
        return screen.size(int(str(value)))
    if isinstance(value, bool):
        return str(value).lower()
    if name == "llm_vcr_placeholder_keys":
        return screen.many(len(value), "key") if isinstance(value, tuple) and value else "–"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "–"
    return _core.redact_uri(str(value)) if name == "llm_vcr_store" else str(value)
