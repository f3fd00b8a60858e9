"""Our replacing does what `unittest.mock.patch.object` does; that one is the dull twin."""

import contextlib
from unittest import mock

import pytest
from llm_vcr.replacing import Change, replaced


class Parent:
    inherited = "inherited"

    @staticmethod
    def plain():
        return "plain"

    @classmethod
    def of_class(cls):
        return cls.__name__


class Child(Parent):
    own = "own"


PLACES = [
    (Child, "own"),
    (Child, "inherited"),
    (Child, "plain"),
    (Parent, "plain"),
    (Parent, "of_class"),
    (Child(), "own"),
    (contextlib, "closing"),
]


@pytest.mark.parametrize(("owner", "name"), PLACES, ids=lambda one: str(one)[:40])
def test_it_leaves_the_same_behind_as_mock(owner, name):
    before, value = dict(vars(owner)), getattr(owner, name)
    for patched in (mock.patch.object(owner, name, "other"), replaced([Change(owner, name, "other")])):
        with patched:
            assert getattr(owner, name) == "other"
        assert dict(vars(owner)) == before
        assert getattr(owner, name) == value


def test_changes_are_undone_in_reverse_whatever_happens():
    with contextlib.suppress(ZeroDivisionError), replaced([Change(Child, "own", 1), Change(Child, "own", 2)]):
        assert Child.own == 2
        raise ZeroDivisionError
    assert Child.own == "own"


def test_a_change_that_fails_undoes_those_before_it():
    with pytest.raises(AttributeError), replaced([Change(Child, "own", 1), Change(Child, "nothing", 2)]):
        pytest.fail("not reached")
    assert Child.own == "own"


def test_a_context_manager_is_left_in_its_turn():
    seen = []

    @contextlib.contextmanager
    def between():
        seen.append(("in", Child.own))
        yield
        seen.append(("out", Child.own))

    with replaced([Change(Child, "own", 1), between(), Change(Child, "own", 2)]):
        pass
    assert seen == [("in", 1), ("out", 1)]
    assert Child.own == "own"


def test_each_change_sees_the_one_before():
    def changes():
        yield Change(Child, "own", 1)
        yield Change(Child, "inherited", Child.own + 1)

    with replaced(changes()):
        assert Child.inherited == 2
    assert "inherited" not in vars(Child)
