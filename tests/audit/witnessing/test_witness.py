"""A witness cosigns what continues what it cosigned before, remembers before it signs, and keeps proof of forks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from carekeep.audit.checkpoint import parse_checkpoint
from carekeep.audit.note import open_note, parse_note
from carekeep.audit.witnessing import AddCheckpoint, Declined, Refusal, SplitView, Witness, WitnessBroken, WitnessFolder
from carekeep.audit.witnessing.requests import origin_of
from tests.audit.witnessing.parties import HONEST, NOW_MS, ORIGIN, Log, a_witness, cosigners, seed, with_lines

NAME = "witness.example/w1"
STRANGER = Log(origin="stranger.example")
IMPOSTOR = Log(keyname="impostor")
FORK = Log(fork_at=3)
HASH_LINE = b"A" * 43 + b"=\n"


# The request that C2SP tlog-witness gives as an example.
EXAMPLE_NAME = "example.com/behind-the-sofa"
EXAMPLE = f"""\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

{EXAMPLE_NAME}
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— {EXAMPLE_NAME} Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— {EXAMPLE_NAME} opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""


def test_the_example_of_the_specification_is_read() -> None:
    request = AddCheckpoint.parse(EXAMPLE.encode())
    assert (request.old, len(request.path), origin_of(request)) == (20852014, 4, EXAMPLE_NAME)
    assert str(request) == EXAMPLE


def size_of(witness: Witness, origin: str = ORIGIN) -> int:
    latest = witness.folder.latest(origin)
    return 0 if latest is None else parse_checkpoint(parse_note(latest).text).size


def declined(witness: Witness, body: bytes) -> Declined:
    with pytest.raises(Declined) as refused:
        witness.add_checkpoint(body)
    return refused.value


def test_a_log_grows_and_is_cosigned_by_both_keys(tmp_path: Path) -> None:
    witness = a_witness(tmp_path)
    for old, size in ((0, 5), (5, 5), (5, 8), (8, 13), (13, 300)):
        lines = witness.add_checkpoint(HONEST.request(old, size))
        keys = [each.key for each in cosigners(NAME)]
        note = open_note(with_lines(HONEST.note(size), *lines), keys)
        assert [line.key_id for line in note.signatures] == [key.key_id for key in keys]
        assert size_of(witness) == size


# What is asked of a witness that has 7 entries of the honest log, what it answers, and whether that is proof.
REFUSED: list[tuple[str, bytes, Refusal, int | None, bool]] = [
    ("an unknown log", STRANGER.request(0, 9), Refusal.UNKNOWN_LOG, None, False),
    ("a known log's name, another key", IMPOSTOR.request(7, 9), Refusal.NOT_SIGNED, None, False),
    ("old size that is not ours", HONEST.request(5, 9), Refusal.CONFLICT, 7, False),
    ("old size 0, to ask for ours", HONEST.request(0, 9), Refusal.CONFLICT, 7, False),
    ("a rolled-back log", HONEST.request(0, 6), Refusal.CONFLICT, 7, False),
    ("another root for our size", FORK.request(7, 7), Refusal.CONFLICT, 7, True),
    ("another root for our size, from elsewhere", FORK.request(5, 7), Refusal.CONFLICT, 7, True),
    ("a rewritten entry", FORK.request(7, 9), Refusal.INCONSISTENT, None, True),
    ("a dropped entry", Log(fork_at=6).request(7, 12), Refusal.INCONSISTENT, None, True),
    (
        "a proof of another size",
        str(AddCheckpoint(7, HONEST.path(6, 9), HONEST.note(9))).encode(),
        Refusal.INCONSISTENT,
        None,
        False,
    ),
    ("no proof", str(AddCheckpoint(7, (), HONEST.note(9))).encode(), Refusal.INCONSISTENT, None, False),
    (
        "a proof where none is needed",
        str(AddCheckpoint(7, (bytes(32),), HONEST.note(7))).encode(),
        Refusal.INCONSISTENT,
        None,
        False,
    ),
    (
        "an old size past the checkpoint's",
        str(AddCheckpoint(9, (), HONEST.note(8))).encode(),
        Refusal.MALFORMED,
        None,
        False,
    ),
    ("nothing", b"", Refusal.MALFORMED, None, False),
    ("no checkpoint", b"old 7\n\n", Refusal.MALFORMED, None, False),
    ("a leading zero", HONEST.request(7, 9).replace(b"old 7", b"old 07"), Refusal.MALFORMED, None, False),
    ("a negative size", HONEST.request(7, 9).replace(b"old 7", b"old -7"), Refusal.MALFORMED, None, False),
    (
        "a size of 2^63",
        HONEST.request(7, 9).replace(b"old 7", b"old 9223372036854775808"),
        Refusal.MALFORMED,
        None,
        False,
    ),
    ("another word", HONEST.request(7, 9).replace(b"old 7", b"new 7"), Refusal.MALFORMED, None, False),
    ("CRLF", HONEST.request(7, 9).replace(b"\n", b"\r\n"), Refusal.MALFORMED, None, False),
    ("64 proof lines", b"old 7\n" + HASH_LINE * 64 + b"\n" + HONEST.note(9).encode(), Refusal.MALFORMED, None, False),
    ("a million proof lines", b"old 7\n" + HASH_LINE * 10**5 + b"\n", Refusal.MALFORMED, None, False),
    ("a short hash", b"old 7\nAAAA\n\n" + HONEST.note(9).encode(), Refusal.MALFORMED, None, False),
    ("not base64", b"old 7\n!\n\n" + HONEST.note(9).encode(), Refusal.MALFORMED, None, False),
    ("not UTF-8", b"old 7\n\n\xff", Refusal.MALFORMED, None, False),
    ("unsigned", HONEST.request(7, 9).partition("—".encode())[0], Refusal.MALFORMED, None, False),
]


@pytest.mark.parametrize(
    ("body", "refusal", "size", "is_proof"), [pytest.param(*each[1:], id=each[0]) for each in REFUSED]
)
def test_nothing_else_is_cosigned(
    tmp_path: Path, body: bytes, refusal: Refusal, size: int | None, is_proof: bool
) -> None:
    witness = a_witness(tmp_path)
    witness.add_checkpoint(HONEST.request(0, 7))
    before = witness.folder.latest(ORIGIN)
    found = declined(witness, body)
    assert (found.refusal, found.size, found.evidence is not None) == (refusal, size, is_proof)
    assert witness.folder.latest(ORIGIN) == before
    assert len(witness.folder.split_views()) == is_proof
    for path in witness.folder.split_views():
        SplitView.parse(path.read_text("utf-8")).check(HONEST.keys)
    witness.add_checkpoint(HONEST.request(7, 9))  # and the honest log goes on


def test_signatures_of_others_are_neither_believed_nor_kept(tmp_path: Path) -> None:
    witness = a_witness(tmp_path)
    stranger = cosigners("stranger.example")[0].cosign(HONEST.text(5), 1)
    note = with_lines(HONEST.note(5), stranger, stranger)
    witness.add_checkpoint(str(AddCheckpoint(0, (), note)).encode())
    latest = witness.folder.latest(ORIGIN)
    assert latest == HONEST.note(5)


def test_a_log_may_have_two_keys_and_either_is_enough(tmp_path: Path) -> None:
    witness = a_witness(tmp_path, logs=(HONEST, Log(keyname="the next key")))
    witness.add_checkpoint(HONEST.request(0, 5))
    witness.add_checkpoint(Log(keyname="the next key").request(5, 9))
    assert size_of(witness) == 9


class Killed(BaseException):
    """The process ended here."""


def test_it_remembers_before_it_signs(tmp_path: Path) -> None:
    """Killed between the two, it has signed nothing, and does not know less than it might have signed."""

    def kill() -> None:
        raise Killed

    whole = a_witness(tmp_path)
    dying = Witness(whole.folder, whole.clock, kill)
    whole.add_checkpoint(HONEST.request(0, 7))
    with pytest.raises(Killed):
        dying.add_checkpoint(HONEST.request(7, 9))
    again = Witness(WitnessFolder(tmp_path), whole.clock)
    assert size_of(again) == 9
    assert declined(again, HONEST.request(7, 8)).size == 9
    assert declined(again, FORK.request(9, 9)).evidence is not None
    again.add_checkpoint(HONEST.request(9, 9))  # the log asks again, and has its cosignature


def test_two_submitters_never_roll_it_back(tmp_path: Path) -> None:
    """The race that the specification describes: of all who start from one size, one wins."""
    witness = a_witness(tmp_path)
    witness.add_checkpoint(HONEST.request(0, 7))
    bodies = [HONEST.request(7, size) for size in range(8, 24)]

    def attempt(body: bytes) -> Refusal | None:
        try:
            witness.add_checkpoint(body)
        except Declined as declined_:
            return declined_.refusal
        return None

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, bodies))
    assert answers.count(None) == 1
    assert set(answers) == {None, Refusal.CONFLICT}
    assert size_of(witness) == 8 + answers.index(None)


def test_proofs_do_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carekeep.audit.witnessing.folder.MOST_SPLIT_VIEWS", 2)
    witness = a_witness(tmp_path)
    witness.add_checkpoint(HONEST.request(0, 7))
    for fork_at in (1, 2, 3, 3):
        declined(witness, Log(fork_at=fork_at).request(7, 9))
    assert len(witness.folder.split_views()) == 2


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: (path / "witness.key").unlink(),
        lambda path: (path / "witness.key").chmod(0o644),
        lambda path: (path / "witness.key").write_text("name a\ned25519 AAAA\nml-dsa-44 AAAA\n"),
        lambda path: (path / "witness.key").write_text(""),
        lambda path: (path / "logs.policy").write_text("log\n"),
    ],
    ids=["no key", "a key for all to read", "short keys", "empty key", "broken list of logs"],
)
def test_a_broken_folder_says_so(tmp_path: Path, harm: Callable[[Path], Any]) -> None:
    witness = a_witness(tmp_path)
    harm(tmp_path)
    with pytest.raises(WitnessBroken) as broken:
        witness.add_checkpoint(HONEST.request(0, 7))
    assert str(tmp_path) in str(broken.value)


def test_the_keys_are_for_the_owner_only_and_are_not_made_twice(tmp_path: Path) -> None:
    witness = a_witness(tmp_path / "w")
    assert (tmp_path / "w" / "witness.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        witness.folder.create("another.example", (seed("a"), seed("b")))
    assert witness.clock() == NOW_MS
