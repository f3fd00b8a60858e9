"""The plain ways to fingerprint a JSON body: what comes out is the fingerprint ``llm_vcr`` makes, digit for digit.

(Of bodies whose numbers Python prints as they stand: ``1.0`` and ``1e0`` are one number to ``json``, and two to us.)
"""

import hashlib
import json

import orjson
from llm_vcr import _core

_SEAL = f"\njson llm-vcr {_core.FORMAT}".encode()


def fingerprint(body: bytes) -> str:
    """Parse, dump with sorted keys, hash: with the standard library."""
    canonical = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode() + _SEAL).hexdigest()


def fingerprint_orjson(body: bytes) -> str:
    """Parse, dump with sorted keys, hash: with the fastest JSON library there is for Python."""
    canonical = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical + _SEAL).hexdigest()
