"""Where cassettes live. `open_store` chooses by URL."""

from __future__ import annotations

from pathlib import Path

from llm_vcr.errors import ConfigError
from llm_vcr.stores.base import CassetteRecord, Episode, MergeResult, Store

__all__ = ["CassetteRecord", "Episode", "MergeResult", "Store", "open_store"]


def open_store(url: str) -> Store:
    """The store at ``url``: ``file`` (below the working directory) or ``file:DIR``.

    ``redis://``, ``rediss://``, ``unix://``, ``redis+cluster://`` and ``redis+sentinel://`` are reserved for the shared store and
    refused for now.

    Raises:
        ConfigError: for a URL that is none of these, and for a store that this version does not have.
    """
    from llm_vcr import config

    checked: str = config.lookup("store").read("open_store(url)", url)
    scheme, _, rest = checked.partition(":")
    if scheme == "file":
        from llm_vcr.stores.file import FileStore

        return FileStore(Path(rest.removeprefix("//") or "."))
    raise ConfigError("open_store(url)", url, "file or file:DIR; the shared Redis store is not part of this version yet")
