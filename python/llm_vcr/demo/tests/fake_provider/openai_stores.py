"""OpenAI's vector stores, whose files are processed after they were attached (https://platform.openai.com/docs/api-reference/vector-stores)."""

from __future__ import annotations

import re
import time
from typing import Any

from tests.fake_provider.exchange import Reply, Request, Turn
from tests.fake_provider.jobs import Jobs

_PATH = re.compile(r"/vector_stores/(?P<store>[^/]+)/(?P<what>files|file_batches)(?:/(?P<ident>[^/]+))?")


class VectorStores:
    """Files and batches of files: attached, then asked about until they are done."""

    def __init__(self) -> None:
        self._jobs = Jobs()

    def answer(self, request: Request, path: str, turn: Turn) -> Reply | None:
        """What becomes of a file or batch, or ``None`` for other paths."""
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        asked: dict[str, Any] = request.json if request.body else {}
        made = str(asked["file_id"]) if "file_id" in asked else turn.ident("vsfb_")
        ident = match["ident"] or made
        # What was only just attached has never been asked about.
        done = match["ident"] is not None and self._jobs.done(ident)
        entry = {
            "id": ident,
            "created_at": int(time.time()),
            "status": "completed" if done else "in_progress",
            "vector_store_id": match["store"],
            "last_error": None,
            "usage_bytes": turn.number,
        }
        if match["what"] == "files":
            return Reply.json({**entry, "object": "vector_store.file"})
        counts = {"cancelled": 0, "completed": int(done), "failed": 0, "in_progress": int(not done), "total": 1}
        return Reply.json({**entry, "object": "vector_store.files_batch", "file_counts": counts})
