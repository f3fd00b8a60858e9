"""Cassettes as files beside the tests: vcrpy's own YAML or JSON for people, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from llm_vcr import codec
from llm_vcr.errors import CassetteFileError
from llm_vcr.stores import leftovers, memory
from llm_vcr.stores.base import CassetteRecord, MergeResult

_SUFFIXES = (".yaml", ".yml", ".json")

_NOT_OURS = ("node_modules", "site-packages", "__pycache__")
"""Folders of other people's files; so is every hidden one, and every virtual environment."""


class FileStore:
    """One file a cassette, at its id below ``root``; an absolute id is the file itself.

    The suffix says how a file is written: ``.json`` in our JSON, anything else as YAML. How it is read, its first bytes say. A cassette
    that is there in the other format is read too, and takes the name and the format it is asked for under when it is next written.
    """

    def __init__(self, root: Path | str, serializer: codec.Serializer | None = None) -> None:
        """Keep cassettes below ``root``, as YAML or with a ``serializer`` of vcrpy's."""
        self.root = Path(root)
        self._below = str(self.root)
        self._serializer = serializer
        self._read: weakref.WeakValueDictionary[tuple[str, _Signature], CassetteRecord] = weakref.WeakValueDictionary()
        """What the file of a cassette held when it was so. Only as long as its reader has it: a run opens thousands of cassettes."""

    def __repr__(self) -> str:
        return f"FileStore({str(self.root)!r})"

    def with_serializer(self, serializer: codec.Serializer | None) -> FileStore:
        """The same files, read and written with ``serializer``."""
        return FileStore(self.root, serializer)

    def path(self, cassette_id: str) -> Path:
        """The file of a cassette."""
        return self.root / cassette_id

    def found(self, cassette_id: str) -> Path:
        """The file that a cassette is in now: its own or, where there is none, the one in the other format."""
        path = self.path(cassette_id)
        if self._serializer is not None or os.path.exists(path):
            return path
        if path.suffix == ".json":
            return next((one for suffix in (".yaml", ".yml") if (one := path.with_suffix(suffix)).is_file()), path)
        other = path.with_suffix(".json")
        # Any other JSON beside the cassettes is somebody's data.
        return other if path.suffix in _SUFFIXES and codec.is_json(_beginning(other)) else path

    def _looked_up(self, cassette_id: str) -> tuple[str, _Signature]:
        """The file that a cassette is in now (`found`), and how it is."""
        # Nearly every one is where its id says, and a `Path` is dear.
        path = os.path.join(self._below, cassette_id)
        if (signature := _signature(path)) is None:
            path = str(self.found(cassette_id))
            signature = _signature(path)
        return path, signature

    def size(self, cassette_id: str) -> int | None:
        """Bytes of a cassette's file, or ``None`` where there is none."""
        _, signature = self._looked_up(cassette_id)
        return None if signature is None else signature[1]

    def load(self, cassette_id: str) -> CassetteRecord | None:
        """See `Store.load`."""
        path, signature = self._looked_up(cassette_id)
        if signature is not None and signature[1] >= memory.LARGE:
            memory.let_go_of_answers()
        record = codec.read_file(path) if self._serializer is None and signature is not None else None
        if record is None:
            try:
                data = Path(path).read_bytes()
                if not data or data.isspace():  # for vcrpy, too, there is no cassette in it
                    return None
                record = codec.read(data, path, self._serializer)
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as error:
                raise CassetteFileError(path, None, f"the file cannot be read: {error.strerror or error}") from error
        self._read[cassette_id, signature] = record
        return record

    def merge(
        self,
        cassette_id: str,
        record: CassetteRecord,
        *,
        ttl: float,
        keep: float,  # noqa: ARG002 - the protocol's
        cap: int | None = None,
    ) -> MergeResult:
        """See `Store.merge`. Files never forget, so ``keep`` has no meaning here, and nothing that is there makes room for something new.

        Raises:
            OSError: where the file cannot be written.
            CassetteFileError: where somebody else put something there that cannot be read.
        """
        path = self.path(cassette_id)
        with _alone(path.parent):
            others = {}
            before = self.found(cassette_id)
            there = _signature(before)
            # Read again only what somebody has written since this writer loaded it: that is rare, and reading costs as much as writing.
            unchanged = there is None if record.base is None else self._read.get((cassette_id, there)) is record.base
            if not unchanged and (present := self.load(cassette_id)) is not None:
                known = record.keyed().keys() | (record.base.keyed().keys() if record.base is not None else ())
                others = {key: one for key, one in present.keyed().items() if key not in known}
            known_before = len(record.base.episodes) if record.base is not None else 0
            room = len(record.episodes) if cap is None else max(known_before, cap - len(others))
            whole = not others and room >= len(record.episodes) and ttl == record.ttl
            merged = record if whole else replace(record, episodes=(*record.episodes[:room], *others.values()), ttl=ttl)
            self._put(path, merged, instead=there is not None)
            if before is not path and before != path:
                before.unlink(missing_ok=True)
        refused = max(0, len(record.episodes) - room)
        return MergeResult(kept=len(merged.episodes), from_others=len(others), refused=refused)

    def overwrite(self, cassette_id: str, record: CassetteRecord) -> None:
        """Put ``record`` in the place of whatever is there, be it readable or not."""
        path = self.path(cassette_id)
        with _alone(path.parent):
            self._put(path, record, instead=_signature(path) is not None)

    def _put(self, path: Path, record: CassetteRecord, *, instead: bool) -> None:
        """Write a cassette: a file in vcrpy's own JSON stays one, or its other readers could not read it any more.

        What takes the place of an older file (``instead``) is on the disk before it does: a power failure may cost what was recorded a
        moment ago, and nothing that was there before. Where nothing was there, nothing has to be waited for.
        """
        serializer = self._serializer
        if serializer is None and path.suffix == ".json":
            from llm_vcr import json_layout

            serializer = codec.layout_of(_beginning(path), path.name) or json_layout
        _replace(os.fspath(path), lambda temporary: codec.write_file(record, temporary, serializer, sync=instead))

    def delete(self, cassette_id: str) -> bool:
        """See `Store.delete`."""
        try:
            self.found(cassette_id).unlink()
        except FileNotFoundError:
            return False
        return True

    def scan(self, prefix: str = "", refused: Callable[[OSError], None] | None = None) -> Iterator[str]:
        """See `Store.scan`. The root may be a whole project: a cassette lies in a folder ``cassettes``, or begins like one.

        A folder that cannot be looked into is told to ``refused``.
        """
        yield from sorted(one for one in _cassettes(self.root, refused) if one.startswith(prefix))

    def capacity(self) -> float | None:
        """See `Store.capacity`: a disk's limit is not the store's to know."""
        return None


def _cassettes(root: Path, refused: Callable[[OSError], None] | None = None) -> Iterator[str]:
    """The files below ``root`` that are cassettes, or are meant to be: their ways from there, with ``/`` on every system."""
    for folder, folders, files in os.walk(root, onerror=refused):
        here = Path(folder)
        folders[:] = [one for one in folders if one[0] != "." and one not in _NOT_OURS and not os.path.exists(here / one / "pyvenv.cfg")]
        named = "cassettes" in here.parts
        below = here.relative_to(root).as_posix()
        for file in files:
            # A suite has thousands, and a `Path` is dear.
            path = os.path.join(folder, file)
            if os.path.splitext(file)[1] in _SUFFIXES and file[0] != "." and os.path.isfile(path) and (named or _begins_like_one(path)):
                yield file if below == "." else f"{below}/{file}"


def _begins_like_one(path: str) -> bool:
    return re.search(rb"""^\W*["']?interactions["']?\s*:""", _beginning(Path(path)), re.MULTILINE) is not None


def _beginning(path: Path) -> bytes:
    """The first bytes of a file; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(512)
    except OSError:
        return b""


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other writers of this folder, which is made if need be, waiting.

    The folder itself is locked, so that no lock file is left beside the cassettes.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no lock for a folder: there, the replacement below is still atomic
        folder.mkdir(parents=True, exist_ok=True)
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


_Signature = tuple[int, int, int] | None


def _signature(path: str | Path) -> _Signature:
    """What changes whenever a file is replaced, or ``None`` where there is none."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


_TEMPORARY = ".llm-vcr-"

_swept: set[str] = set()
"""Folders that this process has looked through for what killed writers left."""


def _replace(path: str, write: Callable[[str], None]) -> None:
    """Replace the file in one step: whoever reads it, or whatever kills us, sees the old one or the new one."""
    if os.path.islink(path):  # and stays one
        path = os.path.realpath(path)
    folder = os.path.dirname(path)
    if folder not in _swept:
        _swept.add(folder)
        leftovers.sweep(Path(folder), _TEMPORARY)
    temporary = os.path.join(folder, f"{_TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}{leftovers.SUFFIX}")
    try:
        write(temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
