"""A run with its cassettes in Redis: freshness, faults, and what a user is told."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from llm_vcr.stores import open_store
from llm_vcr.stores import redis as redis_store
from llm_vcr.stores.redis import RedisStore

from tests.python.plugin.conftest import Run, Suite, Workers
from tests.python.stores import conftest
from tests.redis_server import RedisServer

DOCS = Path(__file__).parents[3] / "docs" / "guide" / "store.md"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as made:
        yield made


@pytest.fixture
def shared(suite: Suite, server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """The inner suite, with its store in Redis."""
    monkeypatch.setattr(redis_store, "PAUSES", (0.02,))
    # What goes wrong is to be seen on the screen, not to fail the inner test by itself.
    suite.ini(filterwarnings=None)
    suite.ini(llm_vcr_store=f"{server.url}?socket_timeout=0.5")
    suite.write(source="def test_it():\n    assert ask('hello')\n")
    return suite


def store(suite: Suite, server: RedisServer) -> RedisStore:
    found = open_store(server.url, root=suite.path)
    assert isinstance(found, RedisStore)
    return found


def age(server: RedisServer, hours: float) -> None:
    """Let everything be recorded so long ago."""
    client = server.client()
    for key in client.keys("llm-vcr:cassette:*"):
        conftest.age(client, key, hours * 3600)


def episodes(server: RedisServer) -> int:
    client = server.client()
    return sum(conftest.is_episode(field) for key in client.keys("llm-vcr:cassette:*") for field in client.hkeys(key))


def test_recorded_once_and_replayed(shared: Suite, server: RedisServer) -> None:
    assert shared.run().passed(1).words() == {"test_it": "MISS:RECORDED"}
    again = shared.run().passed(1)
    assert again.words() == {"test_it": "HIT"}
    assert again.live == 0
    assert shared.cassettes() == []
    assert server.client().keys("llm-vcr:lease:*") == []
    (key,) = server.client().keys("*")
    assert key == b"llm-vcr:cassette:default/cassettes/test_it/test_it.yaml"


def test_on_ci_a_shared_store_records_too(shared: Suite, server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert shared.run().words() == {"test_it": "MISS:RECORDED"}


def test_a_stale_answer_is_recorded_anew(shared: Suite, server: RedisServer) -> None:
    shared.run()
    age(server, 30)
    again = shared.run().passed(1)
    assert (again.words(), again.live) == ({"test_it": "MISS:RECORDED"}, 1)
    assert shared.run().words() == {"test_it": "HIT"}
    assert episodes(server) == 1


def test_a_stale_answer_can_be_served(shared: Suite, server: RedisServer) -> None:
    shared.run()
    age(server, 30)
    for options in (["--llm-vcr-stale=serve"], ["--record-mode=none"]):
        again = shared.run(*options).passed(1)
        assert (again.words(), again.live) == ({"test_it": "HIT:STALE"}, 0)
    age(server, 8 * 24)
    assert shared.run("--llm-vcr-stale=serve").words() == {"test_it": "MISS:RECORDED"}, "Redis has forgotten it by then"


@pytest.mark.parametrize(("ttl", "seconds"), [("1h", 3600), ("inf", None), ("2d", 2 * 86400)])
def test_a_marker_says_how_long_an_answer_is_fresh(shared: Suite, server: RedisServer, ttl: str, seconds: int | None) -> None:
    shared.write(source=f"@pytest.mark.llm_vcr(ttl={ttl!r})\ndef test_it():\n    assert ask('hello')\n")
    shared.run().passed(1)
    (key,) = server.client().keys("llm-vcr:cassette:*")
    assert server.client().ttl(key) == (-1 if seconds is None else pytest.approx(7 * seconds, abs=60))
    age(server, 24 * 365 if seconds is None else 0.5 * seconds / 3600)
    assert shared.run().words() == {"test_it": "HIT"}


def test_rewrite_replaces_a_fresh_answer_only_if_the_test_passes(shared: Suite, server: RedisServer) -> None:
    shared.run()
    shared.write(source="def test_it():\n    ask('hello')\n    assert os.environ.get('BROKEN') is None\n")
    (key,) = server.client().keys("llm-vcr:cassette:*")
    before = server.client().hgetall(key)
    os.environ["BROKEN"] = "1"
    try:
        shared.run("--record-mode=rewrite").passed(0, failed=1)
    finally:
        del os.environ["BROKEN"]
    assert server.client().hgetall(key) == before
    assert shared.run("--record-mode=rewrite").passed(1).live == 1
    assert server.client().hgetall(key) != before
    assert episodes(server) == 1


def test_what_failed_before_a_green_retry_is_not_kept(shared: Suite, server: RedisServer) -> None:
    shared.write(source="def test_it():\n    with open('tries', 'a+') as tries:\n        tries.write('x')\n        tries.seek(0)\n        "
                 "number = len(tries.read())\n    ask(f'try {number}')\n    assert number > 2\n")  # fmt: skip
    run = shared.run("--reruns=3")
    assert (run.words(), run.live) == ({"test_it": "MISS:RECORDED"}, 3)
    assert episodes(server) == 1


def test_at_the_cap_it_is_refused_loudly(shared: Suite, server: RedisServer, workers: Workers) -> None:
    shared.write(source="def test_it():\n    for number in range(4):\n        ask(f'number {number}')\n")
    run = shared.run("--llm-vcr-max-episodes=3", "--llm-vcr-fail-on=OVERFLOW").passed(1)
    assert (run.words(), run.code) == ({"test_it": "MISS:OVERFLOW"}, 1)
    assert "has 3 episodes and may have 3 (llm_vcr_max_episodes): 1 not stored" in run.text
    assert episodes(server) == 3
    # Hours later, what no run plays any more makes room.
    age(server, 3)
    shared.write(source="def test_it():\n    assert ask('another question')\n")
    assert shared.run("--llm-vcr-max-episodes=3").words() == {"test_it": "MISS:RECORDED"}
    assert episodes(server) == 3


def test_no_two_tests_share_a_key(shared: Suite, server: RedisServer) -> None:
    names = ["a/b", "a:b", "a b", "a*b?", "[x]", "..", "ü✓", "a\\b", "x" * 300, "x" * 299 + "y"]
    shared.write(source=f"@pytest.mark.parametrize('name', {names!r})\ndef test_it(name):\n    assert ask(name)\n")
    assert shared.run().passed(len(names)).live == len(names)
    assert len(server.client().keys("llm-vcr:cassette:*")) == len(names)
    assert shared.run().passed(len(names)).live == 0


def test_under_block_network_the_store_is_still_reached(shared: Suite) -> None:
    shared.run()
    assert shared.run("--block-network", "--record-mode=none").passed(1).words() == {"test_it": "HIT"}


def test_a_store_that_is_nearly_full_is_told(shared: Suite, server: RedisServer, workers: Workers) -> None:
    assert "of its memory" not in shared.run().text
    server.client().config_set("maxmemory", int(server.client().info("memory")["used_memory"] * 1.05))
    assert re.search(r"warning: the store has used \d+% of its memory: flush it", shared.run().text)


def test_workers_share_it(shared: Suite, server: RedisServer) -> None:
    shared.write(source="@pytest.mark.parametrize('n', range(6))\ndef test_it(n):\n    assert ask(f'number {n}')\n")
    assert shared.run("-n", "2", subprocess=True).passed(6).live == 6
    assert shared.run("-n", "2", subprocess=True).passed(6).live == 0


def test_fail_stops_workers_too(shared: Suite, server: RedisServer) -> None:
    server.kill()
    run = shared.run("-n", "2", "--llm-vcr-on-outage=fail", subprocess=True)
    assert (run.code != 0, run.live) == (True, 0)
    assert "llm_vcr_on_outage = fail" in run.text


AWAY = """
import signal

def go_away():
    os.kill(int(os.environ["REDIS_PID"]), signal.SIGKILL)

def test_before():
    assert ask("before")
    go_away()

@pytest.mark.parametrize("n", range(8))
def test_after(n):
    assert ask(f"after {n}")
"""
"""A suite whose store goes away on the way."""


def test_fail_stops_a_run_whose_store_goes_away(
    shared: Suite, server: RedisServer, monkeypatch: pytest.MonkeyPatch, workers: Workers
) -> None:
    monkeypatch.setenv("REDIS_PID", str(server.pid))
    monkeypatch.setenv("LLM_VCR_ON_OUTAGE", "fail")
    shared.write(source=AWAY.replace("    go_away()", "    if 'GO' in os.environ:\n        go_away()"))
    shared.run().passed(9)
    monkeypatch.setenv("GO", "1")
    shared.write("test_never.py", "@pytest.mark.parametrize('n', range(8))\ndef test_never(n):\n    assert ask(f'never {n}')\n")
    run = shared.run("-v")
    # The other worker may be in the middle of its test.
    assert (run.code, run.live) == (pytest.ExitCode.INTERRUPTED, 0)
    assert re.search(r"Interrupted: llm_vcr: the store redis\S+ cannot be used: .* \(llm_vcr_on_outage = fail\)", run.text)
    assert len([name for name in run.words() if "never" in name]) <= len(workers)


def test_fail_refuses_a_call_that_nobody_could_store(shared: Suite, server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PID", str(server.pid))
    source = AWAY + "\ndef test_before():\n    go_away()\n    assert ask('never paid')\n"
    shared.write(source=source)
    run = shared.run("--llm-vcr-on-outage=fail")
    assert (run.code, run.live) == (pytest.ExitCode.INTERRUPTED, 0)
    run.passed(0, failed=1)
    assert "(llm_vcr_on_outage = fail)" in run.text


# --- the table of faults in the docs


@dataclass(frozen=True)
class Fault:
    name: str
    strike: Callable[[RedisServer], None]
    options: tuple[str, ...] = ()
    first_asked: bool = False
    """What the test asks has been recorded before the fault."""
    during: bool = False
    """It strikes in the run, after another test has passed."""


def _full(server: RedisServer) -> None:
    server.client().config_set("maxmemory", server.client().info("memory")["used_memory"])


def _damage(server: RedisServer) -> None:
    client = server.client()
    (key,) = client.keys("llm-vcr:cassette:*")
    (field,) = filter(conftest.is_episode, client.hkeys(key))
    client.hset(key, field, client.hget(key, field)[:20])


def _newer(server: RedisServer) -> None:
    client = server.client()
    (key,) = client.keys("llm-vcr:cassette:*")
    (field,) = filter(conftest.is_episode, client.hkeys(key))
    client.hset(key, field, b"\x63" + client.hget(key, field)[1:])


def _cut(server: RedisServer) -> None:
    client = server.client()
    (key,) = client.keys("llm-vcr:cassette:*")
    (field,) = (one for one in client.hkeys(key) if one.startswith(b"pack:"))
    client.hset(key, field, client.hget(key, field)[:-9])


FAULTS = (
    Fault("stopped", RedisServer.kill, (), True),
    Fault("stopped, `mirror`", RedisServer.kill, ("--llm-vcr-mirror=mirror",), True),
    Fault("stopped, `mirror`, not recorded yet", RedisServer.kill, ("--llm-vcr-mirror=mirror",)),
    Fault("stopped, `fail`", RedisServer.kill, ("--llm-vcr-on-outage=fail",), True),
    Fault("stopped on the way", RedisServer.kill, (), True, during=True),
    Fault("stopped on the way, `mirror`", RedisServer.kill, ("--llm-vcr-mirror=mirror",), True, during=True),
    Fault("stopped on the way, `fail`", RedisServer.kill, ("--llm-vcr-on-outage=fail",), True, during=True),
    Fault("does not answer", RedisServer.freeze, (), True),
    Fault("does not answer, `fail`", RedisServer.freeze, ("--llm-vcr-on-outage=fail",), True),
    Fault("wants a password", lambda server: server.client().config_set("requirepass", "secret") and None, (), True),
    Fault("full (`maxmemory`)", _full),
    Fault("full, `mirror`", _full, ("--llm-vcr-mirror=mirror",)),
    Fault("a read-only replica", lambda server: server.client().replicaof("127.0.0.1", "1") and None),
    Fault("a read-only replica, asked for what it has", lambda server: server.client().replicaof("127.0.0.1", "1") and None, (), True),
    Fault("a damaged episode", _damage, (), True),
    Fault("an episode of a later version", _newer, (), True),
    Fault("a damaged pack", _cut, (), True),
)


def _row(fault: Fault, run: Run, kept: int | None) -> str:
    said = [line.strip() for line in run.text.splitlines() if "cannot be used" in line or "passed over" in line]
    said.sort(key=lambda one: ("Interrupted:" not in one, not one.startswith("warning:")))
    line = said[0] if said else "–"
    line = re.sub(r"^.*?(?=cassettes/test_it/test_it.yaml was not saved|the store redis|llm-vcr:cassette)", "", line)
    line = re.sub(r"\s*!+\s*(_pytest\.outcomes\.)?Exit.*|\s*!+$", "", line)
    line = re.sub(r"redis://\S+", "redis://…", line)
    line = re.sub(r"[0-9a-f]{32}", "…", line)
    line = re.sub(r"Error \d+ connecting to 127\.0\.0\.1:\d+\. (Connection refused)\.", r"\1", line)
    line = re.sub(r"the mirror /\S+", "the mirror", line).replace("cassettes/test_it/test_it.yaml", "CASSETTE")
    line = re.sub(r"\s+", " ", line).replace("|", "\\|")
    verdict = run.words().get("test_it", "–")
    return f"| {fault.name} | {run.code} | `{verdict}` | {run.live} | {'–' if kept is None else kept} | {line} |"


HEAD = "| fault | exit status | verdict | live calls | episodes kept | message |\n|---|---|---|---|---|---|\n"


STRIKE = """
import signal

def test_before():
    if "REDIS_PID" in os.environ:
        os.kill(int(os.environ["REDIS_PID"]), signal.SIGKILL)

"""


def test_the_table_of_faults_in_the_docs_is_what_happens(shared: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []
    for number, fault in enumerate(FAULTS):
        with RedisServer() as own:
            shared.ini(llm_vcr_store=f"{own.url}?socket_timeout=0.5")
            asked = f"def test_it():\n    assert ask('fault {number}')\n"
            monkeypatch.delenv("REDIS_PID", raising=False)
            shared.write(source=STRIKE + asked if fault.during else asked)
            if fault.first_asked:
                shared.run(*fault.options)
                if "mirror" in str(fault.options):
                    shared.run(*fault.options)
            monkeypatch.setenv("REDIS_PID", str(own.pid))
            if not fault.during:
                fault.strike(own)
            run = shared.run(*fault.options)
            own.thaw() if fault.strike is RedisServer.freeze else None
            kept: int | None = None
            if fault.strike is not RedisServer.kill:
                with own.client(password="secret") if "password" in fault.name else own.client() as client:
                    fields = [field for key in client.keys("llm-vcr:cassette:*") for field in client.hkeys(key)]
                    kept = sum(not one.startswith((b"meta", b"pack:")) for one in fields)
            rows.append(_row(fault, run, kept))
    table = HEAD + "\n".join(rows) + "\n"
    text = DOCS.read_text("utf-8")
    if os.environ.get("WRITE_DOCS"):
        text = re.sub(r"(?s)(<!-- faults -->\n).*?(<!-- end -->)", lambda found: found[1] + table + found[2], text)
        DOCS.write_text(text, "utf-8")
    assert table in text, "docs/guide/store.md has another table: run this test with WRITE_DOCS=1"
