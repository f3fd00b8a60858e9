"""vcrpy's log lines without the secrets of a query: at the level DEBUG it writes the URL of each request as it came."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from llm_vcr import _core

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter

CLIENTS = ()
NEEDS = ("vcr.stubs:log", "vcr.request:log")


class CleanLog(_Adapter):
    """A logger that takes the secrets out of the URLs it is given."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log as ever, the URLs among ``args`` without their secrets."""
        if self.isEnabledFor(level):
            # The adapter's own frame is not what the reader wants to see as the place.
            kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
            super().log(level, msg, *(_core.redact_uri(one) if isinstance(one, str) else one for one in args), **kwargs)


def patches() -> Iterator[tuple[object, str, object]]:
    """What is put in place of what."""
    from vcr import request, stubs

    for module in (stubs, request):
        yield module, "log", CleanLog(module.log, {})
