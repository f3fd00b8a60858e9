"""What a run pays that does not use us: nothing of vcrpy, redis or any HTTP client is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.python.plugin.conftest import Suite

HEAVY = ("vcr", "redis", "httpx", "httpx2", "aiohttp", "requests", "urllib3", "yaml", "wrapt", "asyncio", "http.client")


def test_importing_the_package_and_the_plugin_loads_nothing_heavy() -> None:
    script = (
        "import pytest, sys; before = set(sys.modules); import llm_vcr, llm_vcr.pytest_plugin; "
        f"print([name for name in {HEAVY} if name in sys.modules and name not in before])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


MODULES = 6
"""So many modules may come on top of what pytest has imported: four are ours."""
SHARE = 20
"""Of what pytest itself takes to be imported, the package and the plugin may take this part (measured: a thirtieth, 4 ms of 130)."""

_TIMED = """
import sys, time
start = time.process_time()
import pytest
between, before = time.process_time(), set(sys.modules)
import llm_vcr, llm_vcr.pytest_plugin
print(between - start, time.process_time() - between, *sorted(set(sys.modules) - before))
"""


def test_importing_the_package_and_the_plugin_costs_a_small_part_of_importing_pytest(tmp_path: Path) -> None:
    # Compiled once, as on anybody's machine; the first run is not counted.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    shares = []
    for _ in range(6):
        done = subprocess.run([sys.executable, "-c", _TIMED], env=environment, capture_output=True, text=True, check=True, timeout=120)
        of_pytest, of_ours, *modules = done.stdout.split()
        shares.append(float(of_ours) / float(of_pytest))
        assert len(modules) <= MODULES, modules
    # The best one: noise only adds, and a module too many takes its time each time.
    assert min(shares[1:]) <= 1 / SHARE


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
