"""Runs one client: record against a stand-in, stop it, replay with its port closed, judge."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

REPOSITORY = Path(__file__).parents[2]

FAST = ("openai", "anthropic", "httpx2", "aiohttp", "requests")
"""What `make test` runs: one client of each kind."""
EVERY = (*FAST, "httpx", "urllib", "gemini", "mistral", "cohere", "groq", "bedrock", "boto3", "litellm", "crossed", "large")
"""All of them, in the order of the table."""

Layer = Literal["ours", "stock", "none"]

REPLAYS = "replays"
REFUSED = "refused"
RIGHT = (REPLAYS, REFUSED)
VERDICTS = (
    REPLAYS,
    REFUSED,
    "leaks",
    "breaks while recording",
    "breaks on replay",
    "differs on replay",
    "wrong answer",
    "wrong cause",
)
"""*Leaks*: a call would go out on replay, or went out unrecorded. *Differs on replay*: the client is given something else than while
recording. *Wrong answer*: a changed call is answered from the recording. *Wrong cause*: it is refused, but for another reason than told.
"""


@dataclass(frozen=True)
class Verdict:
    """What came of one case or negative."""

    client: str
    name: str
    verdict: str
    why: str = ""

    @property
    def right(self) -> bool:
        """Whether it is as it should be."""
        return self.verdict in RIGHT

    @property
    def negative(self) -> bool:
        """Whether it is a call that must be refused."""
        return " but " in self.name


def run(client: str, layer: Layer, folder: Path, *, only: str = "") -> list[Verdict]:
    """The verdicts over one client's cases."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "calls.jsonl"
    with stand_in(folder, log) as port:
        recorded = _child(client, layer, "record", port, log, folder, only)
    if not is_closed(port):
        raise RuntimeError(f"the stand-in is stopped, but port {port} still answers")
    if layer == "none":
        return [Verdict(client, name, "broken case" if "error" in one else REPLAYS, one.get("trace", "")) for name, one in recorded.items()]
    replayed = _child(client, layer, "replay", port, log, folder, only)
    verdicts = []
    for name, first in recorded.items():
        second = replayed[name]
        verdicts.append(judge(client, name, first, second))
        verdicts += [judge_negative(client, one, tried, layer) for one, tried in second["negatives"].items()]
    return verdicts


def judge(client: str, name: str, first: dict[str, Any], second: dict[str, Any]) -> Verdict:
    """One case: what it did while it recorded, then what it did on replay."""

    def verdict(word: str, why: str = "") -> Verdict:
        return Verdict(client, name, word, why)

    if "error" in first:
        return verdict("breaks while recording", first["trace"])
    if first["answered"] != first["missed"]:
        return verdict("leaks", f"while recording, {first['answered']} calls were made and the cassette saw {first['missed']}")
    if second.get("missed") or second.get("connects"):
        texts = [f"{one['differs']}" for one in second["refusals"]][:2]
        return verdict("leaks", f"{second['missed']} calls not answered, {second['connects']} connections tried: {'; '.join(texts)}")
    if "error" in second:
        return verdict("breaks on replay", second.get("trace", ""))
    if first["answer"] != second["answer"]:
        return verdict("differs on replay", _difference(first["answer"], second["answer"]))
    return verdict(REPLAYS)


def judge_negative(client: str, name: str, tried: dict[str, Any], layer: Layer) -> Verdict:
    """A call that must be refused, without a connection being tried, and for the right reason."""
    wanted = tried.get("cause")
    if "answer" in tried:
        return Verdict(client, name, "wrong answer", f"answered {_short(tried['answer'])}")
    if tried["connects"] or not tried["refusals"]:
        return Verdict(client, name, "leaks", f"{tried['connects']} connections tried, no refusal: {tried.get('error', '')}")
    causes = [cause_of(text) for _, text in tried["refusals"][0]["differs"]]
    told = tried.get("misses", ())
    if layer == "ours" and (wanted not in causes or told != [wanted]):
        return Verdict(client, name, "wrong cause", f"named {causes} and {told}, not {wanted!r}: {tried['refusals'][0]['message'][:1500]}")
    return Verdict(client, name, REFUSED)


def cause_of(text: str) -> str:
    """The word by which a failed matcher names the difference."""
    return text.partition(":")[0].partition(" ")[0].strip()


def _short(answer: Any) -> str:
    text = json.dumps(answer, ensure_ascii=False)
    return text if len(text) < 500 else f"{text[:500]} …"


def _difference(recorded: Any, replayed: Any) -> str:
    one, other = (json.dumps(answer, ensure_ascii=False) for answer in (recorded, replayed))
    at = next((index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    start = max(0, at - 150)
    return f"recorded … {one[start : at + 150]} …\nreplayed … {other[start : at + 150]} …"


def _child(client: str, layer: Layer, phase: str, port: int, log: Path, folder: Path, only: str) -> dict[str, Any]:
    arguments = ["--client", client, "--layer", layer, "--phase", phase, "--port", str(port)]
    arguments += ["--log", str(log), "--folder", str(folder), "--only", only]
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "tests.clients.child", *arguments],
        cwd=REPOSITORY,
        env=environment() | {"CLIENTS_PHASE": phase},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    answers = folder / f"{phase}.json"
    if done.returncode or not answers.exists():
        raise RuntimeError(f"{client}, {layer}, {phase} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}")
    results: dict[str, Any] = json.loads(answers.read_text("utf-8"))
    return results


def environment() -> dict[str, str]:
    """A user's environment, without what would take calls elsewhere or change what is recorded."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("LLM_VCR_")
        and not name.lower().endswith("_proxy")
        and not name.endswith(("_API_KEY", "_TOKEN", "_BASE_URL"))
    }
    return {
        **kept,
        "PYTHONPATH": str(REPOSITORY),
        "NO_PROXY": "127.0.0.1",
        "OPENAI_API_KEY": "sk-session",
        "ANTHROPIC_API_KEY": "sk-ant-session",
        "GEMINI_API_KEY": "gemini-session",
        "MISTRAL_API_KEY": "mistral-session",
        "CO_API_KEY": "cohere-session",
        "GROQ_API_KEY": "groq-session",
        "AWS_ACCESS_KEY_ID": "AKIASESSION",
        "AWS_SECRET_ACCESS_KEY": "session",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }


@contextmanager
def stand_in(folder: Path, log: Path) -> Iterator[int]:
    """A stand-in in a process of its own, and the port it listens on; ended with the block."""
    announce = folder / "port"
    log.touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fake_provider", "--announce", str(announce), "--log", str(log)], cwd=REPOSITORY, env=environment()
    )
    try:
        deadline = time.monotonic() + 60
        while not announce.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the stand-in did not start")
            time.sleep(0.02)
        yield int(announce.read_text("utf-8"))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def is_closed(port: int) -> bool:
    """Whether nobody listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) != 0
