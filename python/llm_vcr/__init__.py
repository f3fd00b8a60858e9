"""A test suite pays for each LLM call once, and can prove it.

Nothing of vcrpy is imported before it is needed: ``import llm_vcr`` is paid by every test run.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from llm_vcr.errors import (
    CassetteFileError,
    ConfigError,
    ConsumedBodyWarning,
    LiveCallRefusedError,
    LlmVcrError,
    LlmVcrWarning,
    NotSavedWarning,
    ReportFileError,
    SecretWarning,
    StoreUnavailableError,
    StoreWarning,
    UnsupportedBodyError,
)

if TYPE_CHECKING:
    from llm_vcr import matchers
    from llm_vcr._core import Mismatch
    from llm_vcr.body import (
        Rewritten,
        canonical_body,
        explain,
        fingerprint,
        key_fingerprint,
        rewrite_multipart,
        shrink_media,
    )
    from llm_vcr.persister import Persister
    from llm_vcr.request import materialize
    from llm_vcr.stores import open_store
    from llm_vcr.vcrpy_hooks import VCR, install, vcr_config

__all__ = [
    "VCR",
    "CassetteFileError",
    "ConfigError",
    "ConsumedBodyWarning",
    "LiveCallRefusedError",
    "LlmVcrError",
    "LlmVcrWarning",
    "Mismatch",
    "NotSavedWarning",
    "Persister",
    "ReportFileError",
    "Rewritten",
    "SecretWarning",
    "StoreUnavailableError",
    "StoreWarning",
    "UnsupportedBodyError",
    "canonical_body",
    "explain",
    "fingerprint",
    "install",
    "key_fingerprint",
    "matchers",
    "materialize",
    "open_store",
    "rewrite_multipart",
    "shrink_media",
    "vcr_config",
]

# By the module it stands in; imported when first asked for. A run that does not use us pays for this file and the errors alone.
_LATER = {
    "Mismatch": "llm_vcr._core",
    **dict.fromkeys(
        ("Rewritten", "canonical_body", "explain", "fingerprint", "key_fingerprint", "rewrite_multipart", "shrink_media"), "llm_vcr.body"
    ),
    "materialize": "llm_vcr.request",
    "open_store": "llm_vcr.stores",
    "VCR": "llm_vcr.vcrpy_hooks",
    "install": "llm_vcr.vcrpy_hooks",
    "vcr_config": "llm_vcr.vcrpy_hooks",
    "Persister": "llm_vcr.persister",
    "matchers": "llm_vcr.matchers",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'llm_vcr' has no attribute {name!r}")
    module = importlib.import_module(_LATER[name])
    found = module if name == "matchers" else getattr(module, name)
    globals()[name] = found  # the next time, nobody asks here
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
