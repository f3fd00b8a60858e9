"""A command that is killed, or stopped by Ctrl-C, between two cassettes: each is what it was or what it was to become."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple

import pytest
import yaml
from llm_vcr.stores.base import Store
from llm_vcr.stores.file import FileStore

from tests.python.cli.place import Place, episode

KEY = "sk-proj-" + "aB3dE5gH7jK9" * 8
COUNT = 120
NAMES = [f"tests/cassettes/test_it/test_it[{number:03}].yaml" for number in range(COUNT)]

signals = pytest.mark.parametrize("stopped_by", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])


def stop(process: subprocess.Popen[str], stopped_by: signal.Signals, when: Callable[[], bool]) -> int:
    """Stop a command, and what it has started, when it has come so far; its exit status.

    It runs for a moment, and stands still while we look: on a busy machine it would else be done before we had looked twice.
    """
    deadline = time.monotonic() + 120
    while True:
        os.killpg(process.pid, signal.SIGSTOP)
        assert process.poll() is None, "it ended before it could be stopped"
        assert time.monotonic() < deadline
        if when():
            break
        os.killpg(process.pid, signal.SIGCONT)
        time.sleep(0.004)
    os.killpg(process.pid, stopped_by)
    os.killpg(process.pid, signal.SIGCONT)
    return process.wait(60)


State = tuple[tuple[bytes, bytes], ...] | None


def state(place: Place, name: str) -> State:
    return episodes_of(place.store, name)


def episodes_of(store: Store, name: str) -> State:
    """All that a cassette says, or ``None`` where there is none; whatever is torn cannot be loaded."""
    record = store.load(name)
    if record is None:
        return None
    assert not record.unreadable
    return tuple((one.request["body"], one.response["body"]["string"]) for one in record.episodes)


class Work(NamedTuple):
    """A command that changes many cassettes, and how each looks before and after."""

    prepare: Callable[[Place], None]
    arguments: list[str]
    after: Callable[[Place, str], bool]
    """Whether a cassette that is not as it was is what it was to become."""


def put(place: Place, *episodes: object) -> None:
    for name in NAMES:
        place.put(name, *episodes)  # type: ignore[arg-type]


def without_keys(place: Place, name: str) -> bool:
    found = state(place, name)
    return found is not None and len(found) == 2 and KEY.encode() not in b"".join(part for one in found for part in one)


def sources(place: Place) -> None:
    """Recordings of vcrpy to be imported over what is there."""
    put(place, episode("old"), episode("older"))
    folder = place.root / "theirs"
    folder.mkdir()
    interaction = {
        "request": {"method": "POST", "uri": "https://api.openai.com/v1/x", "headers": {}, "body": f"my key: {KEY}"},
        "response": {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "new"}},
    }
    for name in NAMES:
        (folder / name.rpartition("/")[2]).write_text(yaml.safe_dump({"version": 1, "interactions": [interaction]}))


def unplayed(place: Place) -> None:
    """A last full run that played the first of two episodes of each cassette, and tests that own them all."""
    put(place, episode("played"), episode("not played"))
    (place.root / "tests" / "test_it.py").parent.mkdir(exist_ok=True)
    (place.root / "tests" / "test_it.py").write_text(
        f"import pytest\n@pytest.mark.parametrize('n', [f'{{n:03}}' for n in range({COUNT})])\ndef test_it(n): pass\n"
    )
    second = list(place.load(NAMES[0]).keyed())[1][:10]
    report = {"started": "2100-01-01T00:00:00+00:00", "seconds": 1.0, "complete": True, "store": {"url": place.url}}
    (place.root / "llm-vcr-report").mkdir()
    (place.root / "llm-vcr-report" / "summary.json").write_text(json.dumps({**report, "unused": {name: [second] for name in NAMES}}))


def bodies(*parts: bytes) -> Callable[[Place, str], bool]:
    """Whether a cassette has episodes with these in their requests, in this order."""

    def has(place: Place, name: str) -> bool:
        found = state(place, name)
        return found is not None and len(found) == len(parts) and all(part in one[0] for part, one in zip(parts, found, strict=True))

    return has


WORK = {
    "normalize": Work(lambda place: put(place, episode(f"a {KEY}"), episode(f"b {KEY}")), ["normalize", "--write"], without_keys),
    "dedupe": Work(lambda place: put(place, episode("poll"), episode("poll")), ["dedupe", "--write"], bodies(b"poll")),
    "prune": Work(unplayed, ["prune", "--write"], bodies(b"played")),
    "import": Work(sources, ["import", "theirs", "--into", "tests/cassettes/test_it", "--force"], bodies(b"my key: REDACTED")),
    "flush": Work(lambda place: put(place, episode("hi")), ["flush"], lambda place, name: state(place, name) is None),
}


# A shared store forgets 500 cassettes in one step, and keeps no copy.
OVER = [(name, store) for name in WORK for store in ("file", "redis") if (name, store) != ("flush", "redis")]


@signals
@pytest.mark.parametrize(("name", "empty"), OVER, indirect=["empty"])
def test_each_cassette_is_old_or_new(empty: Place, name: str, stopped_by: signal.Signals) -> None:
    work = WORK[name]
    work.prepare(empty)
    before = {one: state(empty, one) for one in NAMES}
    process = empty.start(*work.arguments)
    status = stop(process, stopped_by, lambda: state(empty, NAMES[3]) != before[NAMES[3]])
    assert status == (130 if stopped_by is signal.SIGINT else -signal.SIGKILL)
    changed = [one for one in NAMES if state(empty, one) != before[one]]
    assert 4 <= len(changed) < COUNT
    for one in changed:
        assert work.after(empty, one), one
        # What it was lies in the backup.
        (copy,) = [path for path in (empty.root / ".llm-vcr" / "backup").rglob("*.yaml") if path.name == one.rpartition("/")[2]]
        assert episodes_of(FileStore(copy.parent), copy.name) == before[one]
    # It can be taken up again.
    assert empty.process(*work.arguments, store=True).returncode == 0
    assert all(work.after(empty, one) for one in NAMES)
