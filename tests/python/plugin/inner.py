"""Inner test modules that several of these suites run."""

from __future__ import annotations

ONE = """
    def test_one():
        assert ask("one")
"""

TWO = """
    def test_one():
        assert ask("one")

    def test_two():
        assert ask("two")
"""

SIX = """
    @pytest.mark.parametrize("number", range(6))
    def test_one(number):
        ask(f"number {number}")
"""


def flaky(attempts: int) -> str:
    """A test that passes at the last of so many attempts; each asks the same."""
    return f"""
    import pathlib

    def test_flaky():
        ask("flaky")
        tries = pathlib.Path(__file__).with_name("tries")
        tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
        assert len(tries.read_text()) == {attempts}
"""
