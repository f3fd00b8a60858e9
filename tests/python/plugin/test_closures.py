"""Which fixtures a test has is found once for all that ask for the same, and is for each what pytest itself would find."""

from __future__ import annotations

import os
import random
import textwrap
from collections.abc import Sequence

import pytest

from tests.python.plugin.conftest import Suite

COUNTS = """
    from _pytest.fixtures import FixtureManager
    from _pytest.python import FunctionDefinition

    found = FixtureManager.getfixturedefs
    asked = []

    def getfixturedefs(self, argname, node):
        asked.append(argname)
        return found(self, argname, node)

    getfixturedefs.__module__ = "_pytest.fixtures"
    looked = []

    def iter_markers(self, name=None):
        looked.append(name)
        return super(FunctionDefinition, self).iter_markers(name)

    def pytest_configure():
        FixtureManager.getfixturedefs = getfixturedefs
        FunctionDefinition.iter_markers = iter_markers

    def pytest_collection_finish():
        print("ASKED", len(asked), "LOOKED", looked.count("parametrize"))

    def pytest_unconfigure():
        FixtureManager.getfixturedefs = found
        del FunctionDefinition.iter_markers
"""

COMPARES = """
    import pytest

    def plain(manager, item):
        ignored = {mark.args[0] for mark in item.iter_markers("parametrize") if not mark.kwargs}
        return type(manager).getfixtureclosure(
            manager, parentnode=item, initialnames=item._fixtureinfo.initialnames, ignore_args=ignored
        )

    def pytest_itemcollected(item):
        info, manager = item._fixtureinfo, item.session._fixturemanager
        names, makers = plain(manager, item)
        assert info.names_closure == names, item
        assert {name: several for name, several in info.name2fixturedefs.items() if name in makers} == makers, item
        seen = getattr(manager, "seen", [])
        others = [one for one in seen if one is not info]
        assert not any(one.names_closure is info.names_closure or one.name2fixturedefs is info.name2fixturedefs for one in others)
        manager.seen = [*seen, info]
"""
"""Every test's fixtures beside what pytest finds for it by itself; what parameters change is no two tests' in common."""


@pytest.fixture(autouse=True, params=[True, False], ids=["pytest alone", "beside pytest-asyncio"])
def alone(request: pytest.FixtureRequest, suite: Suite) -> bool:
    """pytest-asyncio may give parameters to a test, so every name is asked for beside it."""
    if request.param:
        suite.ini(asyncio_default_fixture_loop_scope=None)
        suite.workers = ("-p", "no:asyncio")
    return bool(request.param)


_NAMES = ("a", "b", "c", "vcr_config", "record_mode", "vcr_markers", "default_cassette_name")
_DEFAULTS = "".join(f"@pytest.fixture\ndef {name}():\n    pass\n\n" for name in "abc")


def _asked(suite: Suite, tests: int) -> tuple[int, float]:
    """How often fixtures are looked up, and markers that give parameters for each test."""
    suite.write(
        source="@pytest.fixture\ndef mine(vcr):\n    pass\n\n" + "".join(f"def test_{one}(mine):\n    pass\n\n" for one in range(tests))
    )
    run = suite.run("-s", "--collect-only", "-q")
    assert run.code == 0, run.text
    asked, _, looked = run.text.partition("ASKED ")[2].split()[:3]
    return int(asked), int(looked) / tests


def test_more_tests_that_ask_for_the_same_cost_no_more_looking(suite: Suite, alone: bool) -> None:
    suite.conftest(COUNTS)
    asked, looked = _asked(suite, 3)
    assert asked == _asked(suite, 30)[0] > 0
    suite.ini(llm_vcr="off")
    more, plain = _asked(suite, 30)
    assert more > _asked(suite, 3)[0]
    assert looked == 2 if alone else looked == plain > 8


def _fixtures(chosen: random.Random, indent: str = "") -> str:
    text = ""
    for name in chosen.sample(_NAMES, chosen.randrange(4)):
        others = [one for one in chosen.sample(_NAMES, chosen.randrange(3)) if one > name or (one == name and name in "abc")]
        scope = chosen.choice(["function", "function", "class", "module"]) if not others and name != "record_mode" else "function"
        scope = "session" if name == "record_mode" else scope
        arguments = ", ".join(["self", *others] if indent else others)
        how = f"scope={scope!r}, autouse={chosen.random() < 0.3}"
        if chosen.random() < 0.2:
            how += ", params=[1, 2]"
            arguments = f"{arguments}, request" if arguments else "request"
        text += f"{indent}@pytest.fixture({how})\n{indent}def {name}({arguments}):\n{indent}    pass\n\n"
    return text


def _tests(chosen: random.Random, count: int, indent: str = "") -> str:
    text = ""
    for number in range(count):
        names: Sequence[str] = chosen.sample(_NAMES, chosen.randrange(3))
        if names and chosen.random() < 0.3:
            text += f'{indent}@pytest.mark.parametrize("{names[0]}", [1, 2])\n'
        if chosen.random() < 0.2:
            text += f'{indent}@pytest.mark.usefixtures("{chosen.choice(_NAMES)}")\n'
        text += f"{indent}def test_{number}({', '.join(['self', *names] if indent else names)}):\n{indent}    pass\n\n"
    return text


@pytest.mark.parametrize("seed", range(int(os.environ.get("LLM_VCR_TEST_SEEDS", "8"))))
def test_each_test_has_what_pytest_finds(suite: Suite, seed: int) -> None:
    chosen = random.Random(seed)
    suite.conftest(COMPARES)
    with open(suite.path / "conftest.py", "a", encoding="utf-8") as file:
        file.write("\n" + _DEFAULTS)
    for folder in ("one", "one/two"):
        (suite.path / folder).mkdir()
        (suite.path / folder / "conftest.py").write_text("import pytest\n\n" + _fixtures(chosen), "utf-8")
    for number, folder in enumerate(("", "one", "one", "one/two")):
        source = _fixtures(chosen) + _tests(chosen, 6)
        if chosen.random() < 0.4:
            source += 'pytestmark = pytest.mark.parametrize("pytestconfig", [1, 2])\n\n'
        if chosen.random() < 0.4:
            source += '@pytest.mark.parametrize("disable_recording", [True, False], indirect=True)\n'
        source += f"class TestIt:\n    x = 1\n\n{_fixtures(chosen, '    ')}{_tests(chosen, 4, '    ')}"
        source += f"    class TestDeeper:\n        x = 1\n\n{_fixtures(chosen, ' ' * 8)}{_tests(chosen, 3, ' ' * 8)}"
        path = suite.path / folder / f"test_{number}.py"
        path.write_text("import pytest\n\n" + source, "utf-8")
        # Nobody makes a fixture between the last test before and these.
        (path.parent / f"test_{number}_without.py").write_text("import pytest\n\n" + _tests(random.Random(seed), 3), "utf-8")
    (suite.path / "test_z.py").write_text("import pytest\n\n" + _tests(random.Random(seed), 3), "utf-8")
    run = suite.run("--collect-only", "-q")
    assert run.code == 0, run.text
    (suite.path / "conftest.py").write_text("import pytest\n\n" + _DEFAULTS, "utf-8")
    suite.ini(llm_vcr="off")
    assert _ids(suite.run("--collect-only", "-q").text) == _ids(run.text) != []


def _ids(text: str) -> list[str]:
    return [line for line in text.splitlines() if "::" in line]


SAYS_WHICH = """
def pytest_generate_tests(metafunc):
    assert {"vcr", "record_mode", "pytestconfig", "mine"} < {*metafunc.fixturenames}
    metafunc.parametrize("record_mode", ["none", "all"])
"""


@pytest.mark.parametrize("where", ["conftest.py", "below/conftest.py", "test_it.py", "class"])
def test_whoever_gives_parameters_sees_every_fixture(suite: Suite, where: str) -> None:
    (suite.path / "below").mkdir()
    source = "import pytest\n\n@pytest.fixture\ndef mine():\n    pass\n\nclass TestIt:\n    def test_one(self, mine, request):\n"
    source += "        assert request.node.callspec.params['record_mode'] in ('none', 'all')\n"
    if where == "test_it.py":
        source += SAYS_WHICH
    elif where == "class":
        source += textwrap.indent(SAYS_WHICH.replace("(metafunc)", "(self, metafunc)"), "    ")
    else:
        (suite.path / where).write_text(SAYS_WHICH, "utf-8")
    (suite.path / "below/test_it.py").write_text(source, "utf-8")
    suite.run().passed(2)


MADE_BETWEEN = """
    import pytest

    class Late:
        @pytest.fixture
        def vcr_config(self):
            print("LATE FIXTURE")
            return {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(collector, name):
        if name == "test_second":
            collector.session._fixturemanager.parsefactories(holder=Late(), node=collector)
"""


def test_a_fixture_that_is_made_between_two_tests_counts_from_then_on(suite: Suite) -> None:
    suite.conftest(MADE_BETWEEN)
    suite.write(source="".join(f"def test_{name}(vcr_config):\n    pass\n\n" for name in ("first", "second", "third")))
    assert suite.run("-s").passed(3).text.count("LATE FIXTURE") == 2


def test_where_somebody_else_finds_them_it_is_left_to_them(suite: Suite) -> None:
    suite.conftest(
        """
        import functools
        import pytest

        asked = []

        def theirs(manager, **asked_for):
            asked.append(asked_for)
            return type(manager).getfixtureclosure(manager, **asked_for)

        @pytest.hookimpl(trylast=True)
        def pytest_sessionstart(session):
            session._fixturemanager.getfixtureclosure = functools.partial(theirs, session._fixturemanager)

        def pytest_collection_finish():
            print("THEIRS", len(asked))
        """
    )
    suite.write(source="def test_first():\n    pass\n\ndef test_second():\n    pass\n")
    assert "THEIRS 2" in suite.run("-s").passed(2).text


def test_nothing_of_it_is_left_after_collection(suite: Suite) -> None:
    suite.write(
        source="""
        def test_one(request):
            manager = request.session._fixturemanager
            assert not {"getfixtureclosure", "_register_fixture"} & {*vars(manager)}
        """
    )
    suite.run().passed(1)
