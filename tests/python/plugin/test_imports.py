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


MODULES = 7
"""So many modules may come on top of what pytest has imported: five are ours."""

MILLISECONDS = 5.0
"""What the package and the plugin may take to be imported, to offer their options and to read their settings, where they stay off."""

SHARE = 30
"""Where a machine is slower than the one on which pytest takes 150 ms to be imported, they may take this part of that."""

_TIMED = """
import sys, time
now = lambda: time.process_time() * 1000
start = now()
import pytest, _pytest.config
of_pytest = now() - start
config = _pytest.config.get_config()
before = set(sys.modules)
start = now()
import llm_vcr, llm_vcr.pytest_plugin
config.pluginmanager.register(llm_vcr.pytest_plugin, "llm_vcr")
of_ours, modules = now() - start, set(sys.modules) - before
config.parse([])
start = now()
llm_vcr.pytest_plugin.pytest_configure(config)
print(of_pytest, of_ours + now() - start, *sorted(modules))
"""


def test_the_package_and_the_plugin_cost_5_ms_where_they_are_off(tmp_path: Path) -> None:
    # Compiled once, as on anybody's machine; the first run is not counted.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path / "compiled"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    times = []
    for _ in range(9):
        command = [sys.executable, "-c", _TIMED]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=120)
        of_pytest, of_ours, *modules = done.stdout.split()
        times.append((float(of_pytest), float(of_ours)))
        assert len(modules) <= MODULES, modules
    # The best ones: noise only adds, and what is too much takes its time each time.
    of_pytest, of_ours = (min(several) for several in zip(*times[1:], strict=True))
    assert of_ours <= max(MILLISECONDS, of_pytest / SHARE)


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


SPARED = ("yaml", "llm_vcr.json_layout", "llm_vcr.pyyaml")
"""What a run does not import whose calls are all answered from files as we write them."""


def test_a_replay_loads_what_it_uses(suite: Suite) -> None:
    suite.ini(asyncio_default_fixture_loop_scope=None, addopts="-p no:anyio -p no:asyncio -s")
    suite.write(
        source=f"""
        import sys

        def test_one():
            ask("one")

        def test_two():
            print("LOADED", [name for name in {SPARED} if name in sys.modules])
        """
    )
    suite.run(subprocess=True).passed(2)
    replayed = suite.run("--record-mode=none", subprocess=True).passed(2)
    assert replayed.live == 0
    assert "LOADED []" in replayed.text


def test_pytest_rewrites_no_module_of_ours(suite: Suite) -> None:
    suite.ini(llm_vcr="auto", asyncio_default_fixture_loop_scope=None, addopts="-p no:anyio -p no:asyncio -s")
    suite.conftest("""
        import atexit, sys

        def finders():
            return [one for one in sys.meta_path if type(one).__module__ == "llm_vcr.pytest_plugin.own_modules"]

        def rewritten():
            ours = [one for name, one in sorted(sys.modules.items()) if name.startswith("llm_vcr")]
            return [one.__name__ for one in ours if "Rewrit" in type(one.__loader__).__name__]

        def pytest_unconfigure():
            print("REWRITTEN", rewritten(), len(finders()))

        atexit.register(lambda: print("LEFT", finders()))
    """)
    (suite.path / "test_it.py").write_text("def test_one(): pass\n", "utf-8")
    result = suite.pytester.runpytest_subprocess(timeout=60)
    result.assert_outcomes(passed=1)
    # What is imported before anybody could keep pytest from it.
    first = ["llm_vcr", "llm_vcr.errors", "llm_vcr.pytest_plugin", "llm_vcr.pytest_plugin.own_modules"]
    lines = result.stdout.lines
    assert any(f"REWRITTEN {names} 1" in lines for names in (first, []))  # an editable install is not rewritten by every pytest
    assert "LEFT []" in lines
