"""Files of other tools that somebody has broken, by hand or by half a copy: each is told, and never a traceback."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from llm_vcr import config, foreign
from llm_vcr.cli.repair import Repair
from llm_vcr.errors import CassetteFileError
from llm_vcr.filters import Filters

from tests.python.cli.place import Place, everywhere

OTHERS = Path(__file__).parent / "written_by_others"

VCRPY = {"version": 1, "recorded_at": "2026-09-02T12:00:00+00:00", "ttl_seconds": 86400, "interactions": [{
    "request": {"method": "POST", "uri": "https://api.openai.com/v1/x", "headers": {"accept": ["*/*"]}, "body": "{}"},
    "response": {"status": {"code": 200, "message": "OK"}, "headers": {"date": ["today"]}, "body": {"string": "{}"}},
}]}  # fmt: skip

FILES = {file.name: file.read_bytes() for file in sorted(OTHERS.iterdir()) if file.suffix in (".yaml", ".json")} | {
    "vcrpy.yaml": yaml.safe_dump(VCRPY).encode(),
    "vcrpy.json": json.dumps(VCRPY).encode(),
}


def told(data: bytes) -> str:
    """What becomes of a file; whatever else is raised is a bug."""
    repair = Repair(Filters(config.read(env={})))
    try:
        _, found = foreign.read(data, "theirs.yaml")
    except CassetteFileError:
        return "refused"
    for number, one in enumerate(found.episodes, 1):
        with found.interaction(number):
            repair.episode(one)
    assert all(why for _, why in found.unusable)
    return "unusable" if found.unusable else "usable"


@pytest.mark.parametrize("name", FILES)
def test_one_that_is_cut_off(name: str) -> None:
    data = FILES[name]
    outcomes = [told(data[:length]) for length in range(0, len(data) - 2, max(1, len(data) // 80))]
    assert outcomes.count("refused") > len(outcomes) // 2 or name.endswith(".yaml")
    if name.endswith(".json"):
        assert set(outcomes) == {"refused"}


def paths(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield (*path, key)
        yield from paths(value, (*path, key))


GONE = object()
INSTEAD = [GONE, None, 1, "x", [], {}, [None], True, "\ud800", 10**400]


@pytest.mark.parametrize("name", FILES)
def test_one_in_which_something_else_stands(name: str) -> None:
    tree = yaml.safe_load(FILES[name])
    outcomes = set()
    for path in list(paths(tree))[:120]:
        for value in INSTEAD:
            changed = copy.deepcopy(tree)
            place = changed
            for key in path[:-1]:
                place = place[key]
            if value is GONE:
                del place[path[-1]]
            else:
                place[path[-1]] = value
            outcomes.add(told(json.dumps(changed, default=str).encode()))
    assert outcomes >= {"refused", "usable"}


@pytest.mark.parametrize(
    ("data", "problem", "line"),
    [
        (b" \n", "the file is empty", 1),
        (b"version: 1", "this is no recording of llm-mock, pytest-llm-vcr, cassetter, vcrpy", 1),
        (b"\xff\xfe\x00", "the file is not UTF-8", 1),
        (b"PK\x03\x04 and so on", "this is no valid YAML: unacceptable character", None),
        (b"interactions: []\nversion: 1\nname: [", "this is no valid YAML", 3),
        (b'{"interactions": [', "this is no valid JSON", 1),
        (b"[" * 5000, "it is nested too deep", None),
        (b"{" + b'"a":{' * 20000, "it is nested too deep", None),
        (b"services: {web: {image: nginx}}", "expected a list of `interactions`", 1),
        (b"when: 2026-99-99\ninteractions: []", "a value in it cannot be read", None),
        (b'{"version": "9.0", "provider": "openai", "interactions": []}', "version 9.0 of llm-mock's format: 1 and 2 are known", 1),
        (
            b'{"version": "1.0", "provider": "acme", "interactions": []}',
            "the provider 'acme' of llm-mock: openai and anthropic are known",
            1,
        ),
        (b"interactions: [{}]\nversion: 1", "interaction 1 lacks request, response", 1),
    ],
)
def test_a_file_of_another_kind(data: bytes, problem: str, line: int | None) -> None:
    with pytest.raises(CassetteFileError) as caught:
        foreign.read(data, "theirs")
    assert problem in caught.value.problem
    assert caught.value.line == line


BREAKS: dict[str, tuple[list[Any], str]] = {
    "cassetter.yaml": (["interactions", 1, "request"], "it lacks request"),
    "llm-mock-2-openai.json": (["interactions", 0, "response"], "it has no answer"),
    "pytest-llm-vcr.yaml": (["interactions", 1, "chunks"], "its stream was not kept"),
}


@everywhere
@pytest.mark.parametrize("name", BREAKS)
def test_of_a_file_with_one_broken_interaction_the_others_are_imported(empty: Place, name: str) -> None:
    path, why = BREAKS[name]
    whole = yaml.safe_load(FILES[name])
    tree = copy.deepcopy(whole)
    place = tree
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    for file, content in (("whole", whole), ("broken", tree)):
        (empty.root / f"{file}.txt").write_text(json.dumps(content, default=str), "utf-8")
    (before,) = empty.json("import", "whole.txt", "--into", "a", status=None)["imported"]
    (after,) = empty.json("import", "broken.txt", "--into", "b", status=1)["imported"]
    assert after["episodes"] == before["episodes"] - 1
    assert {"interaction": path[1] + 1, "why": why} in after["unusable"]
    output = " ".join(empty.run("import", "broken.txt", "--into", "c").output.split())
    assert f"unusable broken.txt, interaction {path[1] + 1}: {why}" in output


@everywhere
def test_two_files_that_would_become_one_cassette(empty: Place) -> None:
    for suffix in ("json", "yaml"):
        (empty.root / f"chat.{suffix}.txt").write_bytes(FILES[f"vcrpy.{suffix}"])
        (empty.root / "theirs").mkdir(exist_ok=True)
        (empty.root / "theirs" / f"chat.{suffix}").write_bytes(FILES[f"vcrpy.{suffix}"])
    told = empty.json("import", "theirs", "--into", "new", "--force", status=1)
    assert [row["state"] for row in told["imported"]] == ["imported", "left out: theirs/chat.json went there"]
    assert len(empty.load("new/chat.yaml").episodes) == 1


@pytest.mark.parametrize("empty", ["redis"], indirect=True)
def test_in_a_shared_store_it_is_as_fresh_as_it_was(empty: Place) -> None:
    now = datetime.now(UTC)
    for name, ago, ttl in (("fresh", 3600, 86400.0), ("stale", 3 * 86400, 86400.0), ("always", 86400, None)):
        tree = {**VCRPY, "recorded_at": (now - timedelta(seconds=ago)).isoformat(), "ttl_seconds": ttl}
        (empty.root / f"{name}.txt").write_text(json.dumps(tree), "utf-8")
        empty.json("import", f"{name}.txt", "--into", "new")
    until = {name: empty.load(f"new/{name}.yaml").episodes[0].fresh_until - time.time() for name in ("fresh", "stale", "always")}
    # The store spreads times by a tenth.
    assert 0.85 * 82800 < until["fresh"] < 1.15 * 82800
    assert until["stale"] < 5
    assert until["always"] == math.inf
    (empty.root / "again.txt").write_text(json.dumps({**VCRPY, "recorded_at": None, "ttl_seconds": None}), "utf-8")
    (empty.root / "stale.txt").write_bytes((empty.root / "again.txt").read_bytes())
    empty.json("import", "stale.txt", "--into", "new", "--force")
    assert empty.load("new/stale.yaml").episodes[0].fresh_until == math.inf, "what takes its place is not stale as well"
