"""Proof that a log showed two pasts: found where it is one, and never to be made against an honest log."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.audit.merkle import ProofRefused
from carekeep.audit.note import NoteRefused
from carekeep.audit.witnessing import SplitView, find_split
from tests.audit.witnessing.parties import HONEST, Log


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40), st.booleans())
def test_an_honest_log_is_never_accused(old: int, more: int, other: int, knows: bool) -> None:
    """Whatever path and claim somebody brings: they are of the same log, or of another."""
    fork = Log(fork_at=min(other, old))
    for path in (HONEST.path(old, old + more), fork.path(old, old + more), ()):
        claimed = fork.root(old) if knows else None
        assert find_split(HONEST.keys, HONEST.note(old), HONEST.note(old + more), path, claimed) is None


@given(st.integers(1, 40), st.integers(0, 40), st.data())
def test_a_fork_is_proven_by_its_own_consistency_proof(old: int, more: int, data: st.DataObject) -> None:
    fork = Log(fork_at=data.draw(st.integers(0, old - 1)))
    found = find_split(HONEST.keys, fork.note(old + more), HONEST.note(old), fork.path(old, old + more), fork.root(old))
    assert found is not None
    again = SplitView.parse(str(found))
    assert again == found
    again.check(HONEST.keys)
    assert [each.size for each in again.checkpoints] == [old, old + more]
    assert again.origin == HONEST.origin


def test_without_the_old_root_a_whole_subtree_cannot_be_told_from_a_wrong_path() -> None:
    fork = Log(fork_at=0)
    assert find_split(HONEST.keys, HONEST.note(8), fork.note(13), fork.path(8, 13)) is None
    assert find_split(HONEST.keys, HONEST.note(7), fork.note(13), fork.path(7, 13)) is not None


def a_proof() -> SplitView:
    fork = Log(fork_at=3)
    found = find_split(HONEST.keys, HONEST.note(7), fork.note(13), fork.path(7, 13))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n7\n", "\n8\n"),
        lambda text: text.replace("claimed ", "claimed A", 1),
        lambda text: "\n".join(line for line in text.split("\n") if not line.startswith("claimed ")),
        lambda text: text.replace("carekeep split-view v1", "carekeep split-view v2"),
        lambda text: text.partition("\n\n")[2],
        lambda text: text + "\n\nmore\n",
        lambda text: text.replace("log ", "l0g ", 1),
        lambda _: "",
        lambda _: "\n\n" * 4,
        lambda text: text.rpartition("—")[0],
    ],
    ids=["size", "root", "no proof", "version", "no head", "more", "no key", "empty", "blank", "unsigned"],
)
def test_a_changed_proof_proves_nothing(change: Callable[[str], str]) -> None:
    with pytest.raises((NoteRefused, ProofRefused)):
        SplitView.parse(change(str(a_proof()))).check(HONEST.keys)


def test_a_proof_is_against_the_key_that_the_reader_knows() -> None:
    """Anyone can make two checkpoints under a key of their own and write that key into the file."""
    poser, fork = Log(keyname="poser"), Log(fork_at=3, keyname="poser")
    found = find_split(poser.keys, poser.note(7), fork.note(7))
    assert found is not None
    found.check()
    with pytest.raises(NoteRefused):
        found.check(HONEST.keys)


def test_two_logs_do_not_contradict_each_other() -> None:
    other = Log(fork_at=0, origin="other.example")
    both = SplitView((HONEST.key, other.key), HONEST.note(7), other.note(7))
    with pytest.raises(NoteRefused):
        both.check()


def test_the_same_contradiction_has_one_id() -> None:
    fork = Log(fork_at=3)
    one, other = (find_split(HONEST.keys, *pair) for pair in ((HONEST.note(7), fork.note(7)),) * 2)
    assert one is not None
    assert other is not None
    assert one.id == other.id != a_proof().id
