"""pytest-recording's fixtures in one: the same cassettes, and nothing to notice for whoever asks for another of them, or has their own."""

from __future__ import annotations

import pytest

from tests.python.plugin.conftest import Suite

NINE = (
    *("record_mode", "disable_recording", "vcr_config", "allowed_hosts", "vcr_markers", "block_network", "vcr", "vcr_cassette_dir"),
    "default_cassette_name",
)
ONE = "_llm_vcr_recording"


def set_up(suite: Suite, *arguments: str) -> list[str]:
    """Which of these fixtures a run sets up, each time."""
    run = suite.run("--setup-show", *arguments)
    assert run.code == 0, run.text
    lines = [line.split() for line in run.text.splitlines()]
    return [words[2] for words in lines if words[:1] == ["SETUP"] and words[2] in (*NINE, ONE)]


def test_a_test_sets_up_one_fixture(suite: Suite) -> None:
    suite.write(
        source="""
        @pytest.mark.parametrize("word", ["a", "b"])
        def test_some(word):
            ask(word)

        class TestIn:
            def test_one(self):
                ask("one")

        @pytest.mark.llm_vcr(off="on purpose")
        def test_off():
            pass
        """
    )
    assert set_up(suite) == [ONE] * 4
    assert {*suite.run().words().values()} == {"HIT", "DISABLED"}
    names = {"test_some[a].yaml", "test_some[b].yaml", "TestIn.test_one.yaml"}
    assert {one.name for one in (suite.path / "cassettes" / "test_it").iterdir()} == names


OVERRIDES = {
    "record_mode": ("session", "'none'"),
    "disable_recording": ("session", "True"),
    "vcr_config": ("module", "{'record_mode': 'none'}"),
    "vcr_markers": ("function", "[]"),
    "vcr_cassette_dir": ("module", "'elsewhere'"),
    "default_cassette_name": ("function", "'another'"),
    "vcr": ("function", "'mine'"),
    "block_network": ("function", "None"),
}
"""What a user may put in the place of each."""


@pytest.mark.parametrize("where", ["test_it.py", "conftest.py", "below/conftest.py"])
@pytest.mark.parametrize("name", OVERRIDES)
def test_a_fixture_of_the_users_counts(suite: Suite, name: str, where: str) -> None:
    scope, value = OVERRIDES[name]
    autouse = ", autouse=True" if name in ("vcr", "block_network") else ""
    fixture = f"import pytest\n\n@pytest.fixture(scope={scope!r}{autouse})\ndef {name}():\n    return {value}\n\n"
    call = "    try:\n        ask('one')\n    except Exception:\n        pass\n"
    test = f"def test_one(request):\n{call}    print('VCR', request.getfixturevalue('vcr'))\n"
    folder = suite.path / "below"
    folder.mkdir()
    suite.write("below/test_it.py", source=(fixture if where == "test_it.py" else "") + test)
    if where != "test_it.py":
        (suite.path / where).write_text(fixture, "utf-8")
    run = suite.run("-s").passed(1)
    word = run.words()["test_one"]
    files = {one.relative_to(suite.path).as_posix() for one in suite.path.rglob("*.yaml")}
    own = "below/cassettes/test_it/test_one.yaml"
    if name in ("record_mode", "vcr_config"):
        assert (run.live, word, files) == (0, "MISS:NOT_PERSISTED", set())
    elif name in ("disable_recording", "vcr_markers"):
        assert (run.live, word, files) == (1, "UNMARKED:LIVE_CALL", set())
        assert "VCR None" in run.text
    elif name == "vcr":
        assert (run.live, word, files) == (1, "UNMARKED:LIVE_CALL", set())
        assert "VCR mine" in run.text
    else:
        places = {"vcr_cassette_dir": "elsewhere/test_one.yaml", "default_cassette_name": "below/cassettes/test_it/another.yaml"}
        assert (run.live, word, files) == (1, "MISS:RECORDED", {places.get(name, own)})
        assert suite.run().passed(1).words() == {"test_one": "HIT"}


def test_a_vcr_config_is_all_that_a_user_needs_to_have(suite: Suite) -> None:
    suite.conftest("import pytest\n\n@pytest.fixture\ndef vcr_config():\n    return {'match_on': ['method', 'uri']}\n")
    suite.write(source="def test_one():\n    ask('one')\n")
    assert sorted(set_up(suite)) == sorted([ONE, "vcr_config"])
    suite.write(source="def test_one():\n    ask('another body')\n")
    assert suite.run().passed(1).words() == {"test_one": "HIT"}


def test_whoever_asks_for_one_of_them_gets_it(suite: Suite) -> None:
    suite.write(
        source="""
        @pytest.fixture
        def mine(vcr, vcr_markers, default_cassette_name):
            return vcr, [one.name for one in vcr_markers], default_cassette_name

        def test_by_argument(vcr, record_mode, vcr_cassette_dir, disable_recording, vcr_config, block_network):
            ask("one")
            assert len(vcr) == 1
            assert os.path.basename(vcr_cassette_dir) == "test_it"
            assert (record_mode, disable_recording, vcr_config, block_network) == ("new_episodes", False, {}, None)

        def test_through_a_fixture(mine, request):
            ask("one")
            assert len(mine[0]) == 1
            assert mine[1:] == (["vcr"], "test_through_a_fixture")
            assert request.getfixturevalue("vcr") is mine[0]

        def test_by_name(request):
            ask("one")
            assert len(request.getfixturevalue("vcr")) == 1
            assert request.getfixturevalue("allowed_hosts") is None
            assert [one.name for one in request.getfixturevalue("vcr_markers")] == ["vcr"]

        @pytest.mark.usefixtures("vcr", "vcr_markers", "pytestconfig")
        def test_by_marker():
            ask("one")
        """
    )
    assert {*suite.run().passed(4).words().values()} == {"MISS:RECORDED"}
    assert {*suite.run().passed(4).words().values()} == {"HIT"}


def test_what_markers_say_counts(suite: Suite) -> None:
    suite.write(
        source="""
        @pytest.mark.default_cassette("shared")
        def test_first():
            ask("one")

        @pytest.mark.vcr("shared.yaml")
        def test_second(vcr):
            ask("one")

        @pytest.mark.vcr(record_mode="none")
        def test_third():
            with pytest.raises(Exception):
                ask("three")
        """
    )
    for _ in range(2):
        words = suite.run().passed(3).words()
        assert (words["test_second"], words["test_third"]) == ("HIT", "MISS:NOT_PERSISTED")


@pytest.mark.parametrize("how", ["marker", "a parameter's marker", "option"])
def test_a_network_that_is_blocked_stays_so(suite: Suite, how: str) -> None:
    blocked = "pytest.mark.block_network"
    marker = {
        "marker": f"@{blocked}\n        @pytest.mark.parametrize('word', 'ab')\n        ",
        "a parameter's marker": f"@pytest.mark.parametrize('word', ['a', pytest.param('b', marks={blocked})])\n        ",
        "option": "@pytest.mark.parametrize('word', 'ab')\n        ",
    }[how]
    suite.write(
        source=f"""
        import socket

        {marker}@pytest.mark.llm_vcr(record_mode="none")
        def test_one(word):
            if word == "a" and {how == "a parameter's marker"}:
                return
            with socket.socket() as mine, pytest.raises(RuntimeError, match="Network is disabled"):
                mine.connect(("127.0.0.1", {suite.provider.port}))
        """
    )
    options = ["--block-network"] if how == "option" else []
    assert ONE not in set_up(suite, "--record-mode=none", *options)


PLAIN = """
def test_a(): ask("a")
def test_b(): ask("b")
def test_c(): ask("c")

class TestIn:
    def test_d(self): ask("d")

@pytest.mark.vcr
@pytest.mark.parametrize("word", ["e", "f/g"])
def test_e(word): ask(word)

@pytest.mark.vcr(record_mode="none")
def test_x():
    with pytest.raises(Exception):
        ask("x")

@pytest.mark.llm_vcr(record_mode="none")
def test_y():
    with pytest.raises(Exception):
        ask("y")

@pytest.mark.default_cassette("of_z")
def test_z(): ask("z")

def test_z_again(vcr):
    ask("z")
    assert (vcr.record_mode.value, len(vcr)) == ("new_episodes", 1)
"""
COUNTED = """
import pytest, vcr

made = []
init = vcr.VCR.__init__

@pytest.fixture(autouse=True, scope="session")
def counted():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vcr.VCR, "__init__", lambda self, **more: (made.append(self), init(self, **more))[1])
        yield

def pytest_sessionfinish():
    with open("made", "w") as file:
        file.write(str(len(made)))
"""


def test_tests_that_say_nothing_are_opened_alike(suite: Suite) -> None:
    suite.conftest(COUNTED)
    for name in ("it", "other"):
        suite.write(f"test_{name}.py", source=PLAIN)
    for word in ("MISS:RECORDED", "HIT"):
        words = suite.run().passed(20).words()
        assert (words.pop("test_x"), words.pop("test_y")) == ("MISS:NOT_PERSISTED",) * 2
        assert {*words.values()} == {word}
        # Of each module: those that say something (with the name that is not theirs), and the first that says nothing, or two.
        assert int((suite.path / "made").read_text()) <= 2 * (4 + 2)
    for name in ("it", "other"):
        files = {one.name for one in (suite.path / "cassettes" / f"test_{name}").iterdir()}
        own = {one for one in files if one.startswith("test_e[f-g]-")}
        plain = {"test_a.yaml", "test_b.yaml", "test_c.yaml", "TestIn.test_d.yaml", "test_e[e].yaml", "of_z.yaml", "test_z_again.yaml"}
        assert files == plain | own
        assert len(own) == 1


OTHERS = {
    "a hook": """
def pytest_recording_configure(config, vcr):
    seen.append(vcr)
""",
    "a fixture that patches": """
@pytest.fixture(autouse=True, scope="module")
def patched():
    with pytest.MonkeyPatch.context() as patch:
        import pytest_recording._vcr as theirs
        own = theirs.use_cassette
        patch.setattr(theirs, "use_cassette", lambda *given: (seen.append(given), own(*given))[1])
        yield
""",
    "a class of their own": """
@pytest.fixture(autouse=True, scope="module")
def patched():
    with pytest.MonkeyPatch.context() as patch:
        import pytest_recording._vcr as theirs
        patch.setattr(theirs, "VCR", type("VCR", (theirs.VCR,), {"use_cassette": use}))
        yield

def use(self, *given, **more):
    seen.append(given)
    return super(type(self), self).use_cassette(*given, **more)
""",
}


@pytest.mark.parametrize("whose", OTHERS)
def test_whoever_takes_part_in_opening_is_asked_each_time(suite: Suite, whose: str) -> None:
    told = "def pytest_sessionfinish():\n    with open('seen', 'w') as file:\n        file.write(str(len(seen)))\n"
    suite.conftest(f"import pytest\nseen = []\n{OTHERS[whose]}\n{told}")
    suite.write(source="\n".join(f"def test_{one}(): ask('{one}')" for one in "abcd"))
    for word in ("MISS:RECORDED", "HIT"):
        assert {*suite.run().passed(4).words().values()} == {word}
        assert (suite.path / "seen").read_text() == "4"


def test_a_cassette_is_let_go_with_its_test(suite: Suite) -> None:
    suite.write(
        source="""
        import gc, weakref

        left = []

        @pytest.mark.vcr
        def test_one(vcr):
            ask("one")
            gc.collect()
            gc.disable()
            left.extend(weakref.ref(one) for one in (vcr, *vcr.requests))

        def test_two():
            gc.enable()
            assert [one() for one in left] == [None, None]
        """
    )
    for _ in range(2):
        run = suite.run()
        assert run.code == 0, run.text
