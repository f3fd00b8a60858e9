"""What can be asked about a body: the public functions over the core. Each takes any body that `materialize` takes."""

from __future__ import annotations

from collections.abc import Mapping

from llm_vcr import _core
from llm_vcr.config import MEDIA_MIN
from llm_vcr.request import materialize, text

_RULES = _core.Rules()


class Rewritten(tuple[bytes, str]):
    """Body and ``Content-Type`` after `rewrite_multipart`."""

    reason: str | None
    """Why they came back untouched, or ``None`` where they did not, or need not."""


def rewrite_multipart(body: object, content_type: str | bytes) -> Rewritten:
    """Put the fixed boundary into the delimiter lines of a multipart body and into its ``Content-Type``.

    Only delimiter lines are rewritten (RFC 2046, section 5.1.1), those of nested multiparts too; a boundary's text inside a payload is
    payload. A second time changes nothing. A malformed body, and any that is no multipart, comes back untouched, and ``.reason`` of
    the result says what is wrong with it.

    Raises:
        UnsupportedBodyError: for a body that cannot be turned into bytes.
    """
    data, fixed, reason = _core.rewrite_multipart(materialize(body), text(content_type))
    result = Rewritten((data, fixed))
    result.reason = reason
    return result


def canonical_body(body: object, content_type: str | bytes | None = None, *, mask_volatile: bool = False) -> bytes:
    """The form in which bodies are compared; with ``mask_volatile``, uuids, times and epochs are replaced.

    Raises:
        UnsupportedBodyError: for a body that cannot be turned into bytes. Nothing about its content raises.
    """
    return _RULES.canonical(materialize(body), _type(content_type), mask_volatile=mask_volatile)


def fingerprint(body: object, content_type: str | bytes | None = None, *, mask_volatile: bool = False) -> str:
    """64 hex digits: the SHA-256 of the canonical form, with the version of that form and the kind of body mixed in.

    Raises:
        UnsupportedBodyError: for a body that cannot be turned into bytes.
    """
    return _RULES.fingerprint(materialize(body), _type(content_type), mask_volatile=mask_volatile)


def shrink_media(body: object, content_type: str | bytes | None = None) -> bytes:
    """Replace media of 64 KiB and more by small valid files of the same type, a PNG by one of the same width and height.

    Finds base64 and ``data:`` URLs in JSON, JSON lines and server-sent events, binary parts of a multipart, and bodies that are media
    themselves. Bytes without such media come back as the same object.

    Raises:
        UnsupportedBodyError: for a body that cannot be turned into bytes.
    """
    return _core.shrink(materialize(body), _type(content_type), MEDIA_MIN, digest=False)


def key_fingerprint(headers: Mapping[str, object]) -> str:
    """16 hex digits that tell the API key in a request's headers from others, or ``"no-key"``.

    AWS Signature Version 4 counts by its access key id, a Google OAuth token (``ya29.``) by its kind: both change by themselves.
    """
    pairs = [(text(name), text(value[0] if isinstance(value, list | tuple) and value else value)) for name, value in headers.items()]
    return _core.key_fingerprint(pairs, "")


def explain(a: object, b: object, content_type: str | bytes | None = None) -> _core.Mismatch:
    """Why two bodies are not the same one: cause, path, both values in a window, and what mends it. Never a secret.

    ``a`` is the request being made, ``b`` the recorded one. Each multipart body brings its own boundary, so ``content_type`` may hold
    either one's, or none.

    Raises:
        UnsupportedBodyError: for a body that cannot be turned into bytes.
    """
    kind = _type(content_type)
    left, right = materialize(a), materialize(b)
    return _RULES.explain(left, _own_type(left, kind), right, _own_type(right, kind))


def _type(content_type: str | bytes | None) -> str | None:
    return None if content_type is None else text(content_type)


def _own_type(body: bytes, content_type: str | None) -> str | None:
    """The ``Content-Type`` with the boundary that the body itself begins with: two bodies rarely share one."""
    if content_type is None or not content_type.lower().startswith("multipart/"):
        return content_type
    first = body.lstrip(b"\r\n").partition(b"\n")[0].strip()
    if not first.startswith(b"--") or _core.rewrite_multipart(body, content_type)[2] is None:
        return content_type
    return f'{content_type.partition(";")[0]}; boundary="{first[2:].decode("latin-1")}"'
