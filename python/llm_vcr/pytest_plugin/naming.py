"""The name of a test's cassette."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest
    import vcr as vcrpy


def cassette_name(item: pytest.Item, vcr: vcrpy.VCR, *, in_files: bool) -> str | None:
    """A name no other test has, where pytest-recording's own would be shared, or ``None`` where its own will do.

    pytest-recording writes ``[a/b]`` and ``[a:b]`` both as ``[a-b]``. A recording that is there under the old name is still used,
    where cassettes are ``in_files``.
    """
    safe, own = names(item)
    if own is None:
        return None
    if not in_files:
        return own
    folder = Path(vcr.cassette_library_dir or ".")
    return own if _is_there(folder, own) or not _is_there(folder, safe) else None


def names(item: pytest.Item) -> tuple[str, str | None]:
    """pytest-recording's name for a test's cassette and, where other tests could have the same one, a name of its own."""
    from pytest_recording.plugin import get_default_cassette_name

    marker = item.get_closest_marker("default_cassette")
    if marker is not None:
        return str(marker.args[0]) if marker.args else "", None
    cls = getattr(item, "cls", None)
    plain = f"{cls.__name__}.{item.name}" if cls else item.name
    safe: str = get_default_cassette_name(cls, item.name)
    if safe == plain:
        return safe, None
    return safe, f"{safe}-{hashlib.sha256(item.nodeid.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _is_there(folder: Path, name: str) -> bool:
    return any((folder / f"{name}{suffix}").exists() for suffix in (".yaml", ".json"))
