"""Cassettes as files beside the tests: vcrpy's own format, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from llm_vcr import codec
from llm_vcr.errors import CassetteFileError
from llm_vcr.stores.base import CassetteRecord, MergeResult

_SUFFIXES = (".yaml", ".yml", ".json")


class FileStore:
    """One file a cassette, at its id below ``root``; an absolute id is the file itself."""

    def __init__(self, root: Path | str, serializer: codec.Serializer | None = None) -> None:
        """Keep cassettes below ``root``, as YAML or with a ``serializer`` of vcrpy's."""
        self.root = Path(root)
        self._serializer = serializer
        self._seen: dict[str, tuple[int, int, int] | None] = {}

    def __repr__(self) -> str:
        return f"FileStore({str(self.root)!r})"

    def with_serializer(self, serializer: codec.Serializer | None) -> FileStore:
        """The same files, read and written with ``serializer``."""
        return FileStore(self.root, serializer)

    def path(self, cassette_id: str) -> Path:
        """The file of a cassette."""
        return self.root / cassette_id

    def load(self, cassette_id: str) -> CassetteRecord | None:
        """See `Store.load`."""
        path = self.path(cassette_id)
        self._seen[cassette_id] = _signature(path)
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise CassetteFileError(str(path), None, f"the file cannot be read: {error.strerror or error}") from error
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise CassetteFileError(str(path), line, "the file is not UTF-8") from error
        return codec.decode(text, str(path), self._serializer)

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
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path.parent):
            others = {}
            # Read again only what somebody else has written since: that is rare, and reading costs as much as writing.
            changed = cassette_id not in self._seen or self._seen[cassette_id] != _signature(path)
            if changed and (present := self.load(cassette_id)) is not None:
                known = record.keyed().keys() | (record.base.keyed().keys() if record.base is not None else ())
                others = {key: one for key, one in present.keyed().items() if key not in known}
            known_before = len(record.base.episodes) if record.base is not None else 0
            room = len(record.episodes) if cap is None else max(known_before, cap - len(others))
            merged = replace(record, episodes=(*record.episodes[:room], *others.values()), ttl=ttl)
            _write(path, codec.encode(merged, self._serializer).encode("utf-8", "surrogatepass"))
            self._seen[cassette_id] = _signature(path)
        refused = max(0, len(record.episodes) - room)
        return MergeResult(kept=len(merged.episodes), from_others=len(others), refused=refused)

    def delete(self, cassette_id: str) -> bool:
        """See `Store.delete`."""
        try:
            self.path(cassette_id).unlink()
        except FileNotFoundError:
            return False
        return True

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `Store.scan`."""
        found = (one.relative_to(self.root).as_posix() for one in self.root.rglob("*") if one.suffix in _SUFFIXES and one.is_file())
        yield from sorted(one for one in found if one.startswith(prefix))

    def capacity(self) -> float | None:
        """See `Store.capacity`: a disk's limit is not the store's to know."""
        return None


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other writers of this folder waiting. The folder itself is locked, so that no lock file is left beside the cassettes."""
    try:
        import fcntl
    except ImportError:  # Windows has no lock for a folder: there, the replacement below is still atomic
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _signature(path: Path) -> tuple[int, int, int] | None:
    """What changes whenever a file is replaced, or ``None`` where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _write(path: Path, data: bytes) -> None:
    """Replace the file in one step: whoever reads it, or whatever kills us, sees the old one or the new one."""
    temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
