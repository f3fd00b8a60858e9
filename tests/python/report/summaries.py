"""Summaries of runs as the plugin writes them: small, large, old and hostile."""

from __future__ import annotations

from collections import Counter
from typing import Any

HOSTILE = (
    "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1><!--<script>",
    "\"onmouseover='window.pwned=1' x=\"",
    "${policy} $data {{7*7}} {% raw %} %s {0}",
    "javascript:window.pwned=1//",
    "abc\u202egnp.exe\u2066\u0000\u0007\x1b[31m",
    "]]>&lt;b&gt;&amp;\u2028\u2029\ufeff\ud800",
    "<svg onload=window.pwned=1><style>*{display:none}</style>" + "A" * 50_000,
)
"""What may stand in a prompt, a path, a test's name: each tries another way out of its place."""


def miss(cause: str = "text", path: str = "messages[0].content", here: str = "now", recorded: str = "then", **more: str) -> dict[str, str]:
    return {
        "call": "POST https://api.openai.com/v1/chat/completions",
        "cause": cause,
        "path": path,
        "here": here,
        "recorded": recorded,
        "nearest": "episode 1 of 2",
        "fix": f"set llm_vcr_ignore = {path}, or record the test again",
        "refused": "",
        **more,
    }


def one_test(verdict: str = "HIT", **told: Any) -> dict[str, Any]:
    """What a summary says of a test."""
    counts = dict.fromkeys(
        ("played", "repeated", "masked", "stale", "live", "recorded", "refused", "leaked", "shrunk", "earlier_live", "earlier_refused"), 0
    )
    return {
        "verdict": verdict,
        **counts,
        "reason": "",
        "disabled": "",
        "notes": [],
        "misses": [],
        "calls": [],
        "spent": 0.0,
        "avoided": 0.0,
        "unknown_calls": 0,
        "models": [],
        "seconds": 0.1,
        "outcome": "passed",
        "cassettes": [],
        **told,
    }


def summary(tests: dict[str, dict[str, Any]], **told: Any) -> dict[str, Any]:
    """The summary of these tests: its figures are the tests' sums."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for nodeid, one in tests.items():
        for found in one["misses"]:
            key = (found["cause"], found["path"])
            group = groups.setdefault(key, {**{name: found[name] for name in ("cause", "path", "fix")}, "tests": [], "example": found})
            group["tests"].append(nodeid)
    models: dict[str, dict[str, Any]] = {}
    for one in tests.values():
        for used in one["models"]:
            kept = models.setdefault(used["model"], {**used, **dict.fromkeys(COUNTED, 0)})
            for name in COUNTED:
                kept[name] += used[name]

    def total(*names: str) -> Any:
        return sum(one[name] for one in tests.values() for name in names)

    return {
        "format": 1,
        "started": "2026-03-02T08:30:00+00:00",
        "seconds": 74.2,
        "exit_status": 0,
        "project": "shop-assistant",
        "verdicts": dict(Counter(one["verdict"] for one in tests.values())),
        "calls": {
            "live": total("live", "leaked", "earlier_live"),
            "replayed": total("played", "repeated"),
            "leaked": total("leaked"),
            "refused": total("refused"),
            "recorded": total("recorded"),
            "repeated": total("repeated"),
            "masked": total("masked"),
        },
        "dollars": {
            "spent": total("spent"),
            "avoided": total("avoided"),
            "unknown_calls": total("unknown_calls"),
            "unknown_models": sorted(name for name, one in models.items() if one["unknown_calls"]),
        },
        "models": list(models.values()),
        "misses": sorted(groups.values(), key=lambda group: -len(group["tests"])),
        "disabled": {},
        "outside_of_tests": [],
        "warnings": {},
        "failures": [],
        "media_shrunk": 0,
        "masked_values": [],
        "store": {"url": "file", "health": [], "capacity": None},
        "unused": {},
        "orphans": [],
        "complete": True,
        "tests": tests,
        **told,
    }


COUNTED = ("live", "replayed", "spent", "avoided", "unknown_calls")


def used(model: str, *, live: int = 0, replayed: int = 0, spent: float = 0.0, avoided: float = 0.0, unknown: int = 0) -> dict[str, Any]:
    """What one model cost, in a test."""
    counts = {"live": live, "replayed": replayed, "spent": spent, "avoided": avoided, "unknown_calls": unknown}
    return {"model": model, "provider": "openai", **counts}


def large(count: int) -> dict[str, Any]:
    """A suite of ``count`` tests with every verdict, some hundred misses, dollars, sizes and ages."""
    tests = {}
    for number in range(count):
        nodeid = f"tests/area_{number % 40:02}/test_part_{number % 200:03}.py::test_case[{number:05}]"
        avoided = 0.001 * (number % 500)
        cassette = {
            "id": f"tests/cassettes/{number}.yaml",
            "episodes": 1 + number % 5,
            "bytes": 900 + 37 * (number % 9000),
            "recorded_at": f"2026-0{1 + number % 2}-{1 + number % 28:02}T00:00:00+00:00",
        }
        one = one_test(
            played=1 + number % 5, avoided=avoided, cassettes=[cassette],
            models=[used(f"model-{number % 30}", replayed=1 + number % 5, avoided=avoided)],
        )  # fmt: skip
        if number % 50 == 7:
            found = miss(path=f"metadata.field_{number % 3}", here=f"run {number}", recorded=f"run {number - 1}")
            paid = used(f"model-{number % 30}", live=1, spent=0.02)
            one = one_test("MISS:RECORDED", live=1, recorded=1, spent=0.02, misses=[found], cassettes=[cassette], models=[paid])
        if number % 10 == 3:
            one = one_test("UNMARKED:NO_TRAFFIC")
        if number % 1000 == 13:
            call = {"host": "api.openai.com", "via": "socket.getaddrinfo", "where": "tests/conftest.py:12 in client", "refused": False}
            one = one_test("UNMARKED:LIVE_CALL", leaked=1, unknown_calls=1, calls=[call])
        tests[nodeid] = one
    return summary(tests)


def hostile() -> dict[str, Any]:
    """A summary with something hostile in every place that holds a text."""
    tests = {}
    for number, text in enumerate(HOSTILE):
        nodeid = f"tests/test_{number}.py::test[{text}]"
        tests[nodeid] = one_test(
            "MISS:NOT_PERSISTED", live=2, leaked=1, reason=text, notes=[text], spent=0.1, outcome="failed",
            misses=[miss(text, text, text, text, call=text, nearest=text, fix=text, refused=text)],
            calls=[{"host": text, "via": text, "where": text, "refused": False}],
            models=[{**used(text, live=2, spent=0.1), "provider": text}],
            cassettes=[{"id": text, "episodes": 1, "bytes": 10, "recorded_at": text}],
        )  # fmt: skip
    tests["tests/test_odd.py::test_verdict"] = one_test(HOSTILE[0])
    every = list(HOSTILE)
    return summary(
        tests,
        project=HOSTILE[0],
        failures=every,
        disabled={text: [text] for text in every},
        warnings=dict.fromkeys(every, 2),
        outside_of_tests=[{"host": text, "via": text, "where": text, "when": text, "refused": False} for text in every],
        masked_values=[{"what": text, "count": 3, "example_test": text} for text in every],
        store={"url": HOSTILE[0], "health": every, "capacity": {"used": 5, "limit": 10}},
        unused={text: [text] for text in every},
        orphans=every,
    )
