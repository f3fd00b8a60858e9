"""The Rust core. Bytes in, bytes out: what is to be done to a body is done in one call."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, final

NO_KEY: Final[str]
"""What `key_fingerprint` gives for a request without a credential."""

CREDENTIAL_HEADERS: Final[list[str]]
"""The headers at which `key_fingerprint` looks, in lower case."""

FIXED_BOUNDARY: Final[str]
"""The boundary that stands in every rewritten multipart body."""

FORMAT: Final[int]
"""The version of the canonical form; it goes into every fingerprint."""

EPISODE_VERSION: Final[int]
"""The version of the compact form in which stores keep episodes."""

DEBUG: Final[bool]
"""Whether this is a debug build; benchmarks refuse one."""

@final
class Rules:
    """What does not count when bodies are compared: JSON paths, and patterns to mask. Immutable."""

    def __new__(cls, ignore: Sequence[str] = (), mask: Sequence[str] = ()) -> Rules:
        """Raises ``ValueError`` for a path or pattern that cannot be parsed."""

    def canonical(self, body: bytes, content_type: str | None, *, mask_volatile: bool) -> bytes:
        """The compare form of a body."""

    def fingerprint(self, body: bytes, content_type: str | None, *, mask_volatile: bool) -> str:
        """64 hex digits: the SHA-256 of the compare form, with the format's version and the kind of body mixed in."""

    def shrink_request(self, body: bytes, content_type: str | None, min_len: int) -> bytes:
        """The body with its media replaced by small files that keep its fingerprint; the same object where there is none."""

    def explain(self, left: bytes, left_type: str | None, right: bytes, right_type: str | None) -> Mismatch:
        """Why two bodies are not the same under these rules."""

    def __deepcopy__(self, memo: object) -> Rules:
        """Itself: it cannot change."""

@final
class Mismatch:
    """Why two bodies are not the same."""

    @property
    def cause(self) -> str:
        """The cause in one word, such as ``boundary``, ``uuid``, ``text`` or ``model``; ``same`` where there is none."""

    @property
    def path(self) -> str | None:
        """The JSON path, or the part of a multipart, where the first difference stands."""

    @property
    def offset(self) -> int | None:
        """The byte offset in the first body where the first difference stands."""

    @property
    def left(self) -> str:
        """What stands there in the first body, in a bounded window and without secrets."""

    @property
    def right(self) -> str:
        """What stands there in the second body."""

    @property
    def fix(self) -> str:
        """The setting or code change that mends it."""

def rewrite_multipart(body: bytes, content_type: str) -> tuple[bytes, str, str | None]:
    """Body and ``Content-Type`` with the fixed boundary, and why not where they come back untouched (RFC 2046, section 5.1)."""

def shrink(body: bytes, content_type: str | None, min_len: int, *, digest: bool) -> bytes:
    """The body with media of at least ``min_len`` bytes replaced by small valid files; the same object where there is none.

    With ``digest``, each small file tells the SHA-256 of the full one, and counts as it wherever it turns up again.
    """

def first_difference(left: bytes, right: bytes) -> int | None:
    """The offset of the first byte that differs, or of the end of the shorter one; ``None`` where they are equal."""

def members(body: bytes, names: list[str]) -> list[bytes | None] | None:
    """The source texts of an object's top-level members, each where its name stands in ``names``; ``None`` where the body is no object.

    Of a name that repeats, the last counts.
    """

def mask(body: bytes) -> bytes:
    """The text with uuids, times and epochs replaced; the same object where there are none."""

def key_fingerprint(headers: Sequence[tuple[str, str]], query: str) -> str:
    """16 hex digits that tell a request's credential from others, or `NO_KEY`."""

def redact(body: bytes) -> bytes:
    """The body without secrets of any kind; the same object where there are none."""

def redact_keys(body: bytes) -> bytes:
    """The body without secrets that are known by their own shape, whatever stands around them: what an answer may lose."""

def header_store(headers: Mapping[str, Any]) -> dict[str, tuple[str, Any]] | None:
    """A request's headers as vcrpy keeps them: by name in lower case the name as written and its value.

    ``None`` for anything but a dict of different names with one value each, in a list.
    """

def raw_header_store(raw: list[Any]) -> dict[str, tuple[str, str]] | None:
    """The same of a client's pairs of bytes, with the names in lower case as written.

    ``None`` for anything but pairs of ASCII, of different names.
    """

def first_header(headers: dict[Any, Any], name: str) -> str | None:
    """The first value of the header called ``name``, which is in lower case; names and values may be text, bytes, or lists of them."""

def stand(owners: tuple[Any, ...], names: tuple[str, ...], values: tuple[Any, ...]) -> bool:
    """Whether each of ``owners`` (namespaces, and classes, which are asked with their bases) has the very object of ``values`` there."""

def redact_uri(uri: str) -> str:
    """The URI without credentials in its query and its user information."""

def scan(body: bytes) -> list[tuple[str, int, int]]:
    """The secrets in a body: kind, and byte offsets of start and end; never the secret itself."""

def is_secret_header(name: str) -> bool:
    """Whether a request header of this name carries a credential."""

def is_incidental_header(name: str) -> bool:
    """Whether a response header of this name tells of a run or an account, rather than of the answer."""

def read_yaml(data: bytes, resolve: Callable[[str], Any]) -> Any:
    """A cassette file as vcrpy reads it, its bodies as bytes; ``None`` for any YAML beyond what dumpers write, which is PyYAML's to read.

    ``resolve`` is asked about plain scalars that may be numbers or dates.
    """

def read_yaml_file(path: str | os.PathLike[str], resolve: Callable[[str], Any]) -> Any:
    """As `read_yaml`, of a file; ``None`` too where the file cannot be read: who opens it next is told why."""

def write_yaml(tree: dict[str, Any]) -> bytes | None:
    """The text of a cassette file, its bodies as text where they are UTF-8; ``None`` for a tree that holds more than cassettes do."""

def write_yaml_file(tree: dict[str, Any], path: str | os.PathLike[str], *, sync: bool) -> bool:
    """Write that text into a new file, on the disk with ``sync``; ``False``, and whatever in the file, where `write_yaml` is ``None``.

    Raises:
        OSError: where the file is there already, or cannot be written.
    """

def sha256_hex(body: bytes) -> str:
    """64 hex digits: the plain SHA-256."""

def pack_episodes(episodes: list[tuple[bytes, bytes | None, bytes | None]]) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Episodes (head, request body, response body) in compact form, and their large payloads as blobs.

    A blob is 64 hex digits of its payload's SHA-256, and what is to be stored under them. Base64 is kept as the bytes it stands for, where
    that loses nothing. Raises ``ValueError`` for more than a gigabyte.
    """

def pack_blobs(pack: bytes) -> list[str]:
    """The digests of the blobs that a pack points to. Raises ``ValueError`` for anything else."""

def unpack_episodes(pack: bytes, blobs: list[bytes | None]) -> list[tuple[bytes, bytes | None, bytes | None] | str]:
    """What `pack_episodes` was given. ``blobs`` are in the order of `pack_blobs`, ``None`` for one that is not there.

    An episode that lacks a payload is the digest of that payload. Raises ``ValueError`` for a damaged pack, and one of another version.
    """
