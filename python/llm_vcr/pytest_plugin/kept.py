"""Which cassettes the tests of a run have, which of their episodes no test plays any more, and which cassettes no test has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_vcr.playback.cassette import Cassette

_PREFIX = 10
"""So many digits of a fingerprint are told, as ``llm-vcr show`` has them."""


def facts(cassettes: Iterable[Cassette], *, passed: bool, is_own: Callable[[str], bool]) -> Iterator[Mapping[str, Any]]:
    """The cassettes of a test after its end: ``id``, number of ``episodes``, ``bytes``, ``recorded_at``, and those ``unplayed``.

    ``is_own`` says whether a cassette is nobody else's; of one that is ``shared``, others may play what was not played here.

    ``bytes`` are those of the file, and in a shared store those of the bodies. A test that did not pass tells nothing of what it would
    have played.
    """
    for one in cassettes:
        persister, base = one.own_persister, one._base
        if persister is None or (base is None and not one.saved):
            continue
        cassette_id = persister.cassette_id(one._path)
        moment: datetime | None
        if base is None or one.saved:
            moment, episodes = datetime.now(UTC), sum(not getattr(request, "borrowed", False) for request, _ in one.data)
        else:
            moment, episodes = base.recorded_at, len(base.episodes)
        size_of = getattr(persister.store, "size", None)  # files have one
        if size_of is not None and (size := size_of(cassette_id)) is None:
            continue
        unplayed = [_short(key) for key in one.unplayed()] if passed else []
        yield {
            "id": cassette_id,
            "episodes": episodes,
            "bytes": size if size_of is not None else _bodies(one),
            "recorded_at": None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds"),
            "unplayed": unplayed,
            "shared": bool(unplayed) and not is_own(cassette_id),
            "told": passed,
        }


def _bodies(cassette: Cassette) -> int:
    from llm_vcr.exchange.content import body

    return sum(len(request._body or b"") + len(body(response)) for request, response in cassette.data if not request.unsupported)


def _short(key: str) -> str:
    print_, _, ordinal = key.partition(":")
    return f"{print_[:_PREFIX]}:{ordinal}" if ordinal != "0" else print_[:_PREFIX]


def unused(tests: Iterable[Iterable[Mapping[str, Any]]], *, everyone: bool) -> dict[str, list[str]]:
    """The episodes of each cassette that none of its tests played, from the `facts` of all tests; of several tests, what none played.

    Unless ``everyone`` was run to its end, nothing is told of a cassette that is shared: a test that was not run may play it.
    """
    found: dict[str, list[str] | None] = {}
    for cassettes in tests:
        for one in cassettes:
            before = found.get(one["id"], one["unplayed"])
            # One test that failed might have played them all.
            known = one["told"] and before is not None and (everyone or not one["shared"])
            found[one["id"]] = [key for key in before or () if key in one["unplayed"]] if known else None
    return {cassette_id: keys for cassette_id, keys in sorted(found.items()) if keys}
