"""What a run pays that does not use us: nothing of vcrpy, redis or any HTTP client is imported."""

from __future__ import annotations

import subprocess
import sys

from tests.python.plugin.conftest import Suite

HEAVY = ("vcr", "redis", "httpx", "httpx2", "aiohttp", "requests", "urllib3", "yaml", "wrapt", "asyncio", "http.client")


def test_importing_the_package_and_the_plugin_loads_nothing_heavy() -> None:
    script = (
        "import pytest, sys; before = set(sys.modules); import llm_vcr, llm_vcr.pytest_plugin; "
        f"print([name for name in {HEAVY} if name in sys.modules and name not in before])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_run_without_a_marked_test_loads_neither_vcr_nor_a_client(suite: Suite) -> None:
    # The other plugins that are installed here load clients of their own.
    suite.ini(llm_vcr="marked", asyncio_default_fixture_loop_scope=None, addopts="-p no:anyio -p no:asyncio -p no:cacheprovider -s")
    suite.conftest(f"""
        import sys

        def pytest_unconfigure():
            print("LOADED", [name for name in {HEAVY[:8]} if name in sys.modules])
    """)
    (suite.path / "test_it.py").write_text("def test_one(): pass\n", "utf-8")
    for mode in ("off", "marked"):
        result = suite.pytester.runpytest_subprocess(f"--llm-vcr={mode}", timeout=60)
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["LOADED []*"])
