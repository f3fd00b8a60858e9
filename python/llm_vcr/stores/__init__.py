"""Where cassettes live. `open_store` chooses by URL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from llm_vcr.errors import ConfigError
from llm_vcr.stores.base import CassetteRecord, Episode, MergeResult, Store

if TYPE_CHECKING:
    from llm_vcr.config import Settings

__all__ = ["CassetteRecord", "Episode", "MergeResult", "Store", "open_store"]

_LATER = {
    "redis+cluster": "a Redis Cluster is not supported yet: name a single server, redis://HOST:PORT/DB",
    "redis+sentinel": "Redis Sentinel is not supported yet: name the server itself, redis://HOST:PORT/DB",
}


def open_store(url: str, settings: Settings | None = None, *, root: str | os.PathLike[str] | None = None) -> Store:
    """The store at ``url``: ``file`` (below ``root``, by default the working directory), ``file:DIR``, or a Redis.

    A Redis is ``redis://``, ``rediss://`` (TLS) or ``unix://``; it connects when first used, or by its ``open()``. ``settings`` say under
    which prefix and project its cassettes are, and where its mirror is; they are read from the environment where they are not given.

    Raises:
        ConfigError: for a URL that is none of these, for a store that this version does not have, and where redis-py is missing.
    """
    from llm_vcr import config

    checked: str = config.lookup("store").read("open_store(url)", url)
    scheme, _, rest = checked.partition(":")
    base = Path(root) if root is not None else Path()
    if scheme == "file":
        from llm_vcr.stores.file import FileStore

        return FileStore(base / (rest.removeprefix("//") or "."))
    if scheme in _LATER:
        from llm_vcr import _core

        raise ConfigError("open_store(url)", _core.redact_uri(url), f"another store; {_LATER[scheme]}")
    try:
        from llm_vcr.stores.redis import RedisStore, project_of
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        from llm_vcr import _core

        raise ConfigError("open_store(url)", _core.redact_uri(url), "redis-py to be installed: pip install 'llm-vcr-rs[redis]'") from None
    chosen = settings if settings is not None else config.read()
    store = RedisStore(checked, project=chosen.project or project_of(base), prefix=chosen.prefix)
    if not chosen.mirror:
        if chosen.on_outage == "mirror":
            raise ConfigError("llm_vcr_on_outage", "mirror", "llm_vcr_mirror to name a folder")
        return store
    from llm_vcr.stores.mirror import MirrorStore

    return MirrorStore(store, base / chosen.mirror, limit=chosen.mirror_size, replay=chosen.outage == "mirror")
