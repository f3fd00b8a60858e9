"""A folder of cassettes is not looked through for tests, and no test is ever hidden by that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.python.plugin.conftest import Suite

SAYS_WHAT_IS_ASKED = """
    def pytest_ignore_collect(collection_path):
        print("asked about", collection_path.name)
"""

COLLECTS_YAML = """
    import pytest

    class File(pytest.File):
        def collect(self):
            yield Item.from_parent(self, name="one")

    class Item(pytest.Item):
        def runtest(self):
            pass

    def pytest_collect_file(file_path, parent):
        if file_path.suffix == ".yaml":
            return File.from_parent(parent, path=file_path)
"""

TEST = "def test_here():\n    pass\n"


@pytest.fixture
def folder(suite: Suite) -> Path:
    """A folder with one cassette, that of the only test beside it."""
    suite.write(source='def test_it():\n    ask("hello")\n')
    suite.run().passed(1)
    return suite.path / "cassettes"


def test_a_folder_of_cassettes_is_not_looked_through(suite: Suite, folder: Path) -> None:
    (folder / "kept.json").write_text("{}", "utf-8")
    suite.conftest(SAYS_WHAT_IS_ASKED)
    run = suite.run("-s").passed(1)
    assert run.live == 0
    assert "asked about test_it.py" in run.text
    assert "asked about cassettes" in run.text
    assert "asked about test_it.yaml" not in run.text
    assert "asked about kept.json" not in run.text
    assert suite.run("cassettes").code == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.parametrize("place", ["test_more.py", "deep/down/test_more.py", "test_it/test_more.py"])
def test_tests_beside_cassettes_are_found(suite: Suite, folder: Path, place: str) -> None:
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_text(TEST, "utf-8")
    suite.run().passed(2)
    suite.run(f"cassettes/{place}").passed(1)


def test_tests_behind_a_link_are_found(suite: Suite, folder: Path) -> None:
    elsewhere = suite.path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "test_more.py").write_text(TEST, "utf-8")
    (folder / "linked.yaml").symlink_to(elsewhere, target_is_directory=True)
    suite.run("--ignore=elsewhere").passed(2)


def test_whoever_collects_other_files_is_asked(suite: Suite, folder: Path) -> None:
    suite.conftest(COLLECTS_YAML)
    suite.run().passed(2)
    (suite.path / "conftest.py").unlink()
    (folder / "told.yaml").write_text(">>> 1 + 1\n2\n", "utf-8")
    suite.run("--doctest-glob=*told.yaml").passed(2)
    suite.run().passed(1)
