"""Cosignatures of both kinds: what is signed, what is not believed; C2SP's own example, and a log of others."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.audit.checkpoint import Checkpoint
from carekeep.audit.note import NoteRefused, Signature, VerifierKey, open_note, parse_note
from carekeep.audit.witnessing import Cosigner, CosignerKey, parse_key, time_of
from carekeep.audit.witnessing.cosignatures import ED25519_COSIGNATURE, MLDSA44_COSIGNATURE
from tests.audit.witnessing.parties import HONEST, NOW_S, ORIGIN, cosigners, ed25519, mldsa44, seed, with_lines

NAME = "witness.example/w1"
BOTH = cosigners(NAME)
TEXT = HONEST.text(7)

# The example of C2SP tlog-cosignature: which time it is of is written in it; its key was never published.
SPEC_LINE = (
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe"
    "+mbIUBkBIfZ+qnA==\n"
)


def test_the_example_of_the_specification_is_read() -> None:
    note = parse_note(f"{TEXT}\n{SPEC_LINE}")
    assert time_of(note.signatures[0].signature) == 1679315147
    assert str(note.signatures[0]) == SPEC_LINE


def test_what_is_signed_is_what_the_specification_writes() -> None:
    classic, post_quantum = BOTH
    line = classic.cosign(TEXT, NOW_S).signature
    ed25519(NAME).public_key().verify(line[8:], f"cosignature/v1\ntime {NOW_S}\n{TEXT}".encode())
    line = post_quantum.cosign(TEXT, NOW_S).signature
    message = (
        b"subtree/v1\n\0"
        + bytes([len(NAME)])
        + NAME.encode()
        + struct.pack(">Q", NOW_S)
        + bytes([len(ORIGIN)])
        + ORIGIN.encode()
        + struct.pack(">QQ", 0, 7)
        + HONEST.root(7)
    )
    mldsa44(NAME).public_key().verify(line[8:], message)
    assert struct.unpack(">Q", line[:8]) == (NOW_S,)


@pytest.mark.parametrize("cosigner", BOTH, ids=["ed25519", "ml-dsa-44"])
def test_a_cosignature_is_of_one_text_and_time_and_key(cosigner: Cosigner) -> None:
    line = cosigner.cosign(TEXT, NOW_S)
    assert cosigner.key.verifies(TEXT, line.signature)
    assert open_note(with_lines(HONEST.note(7), line), (cosigner.key,)).signatures == (line,)
    other_time = (NOW_S + 1).to_bytes(8, "big") + line.signature[8:]
    assert not cosigner.key.verifies(TEXT, other_time)
    assert not cosigner.key.verifies(HONEST.text(8), line.signature)
    assert not cosigner.key.verifies(TEXT + "extension\n", line.signature)
    assert not cosigner.key.verifies("no checkpoint\n", line.signature)
    others = [other for other in cosigners("another") if type(other.private) is type(cosigner.private)]
    assert [Cosigner(NAME, other.private).key.verifies(TEXT, line.signature) for other in others] == [False]


def test_post_quantum_cosignatures_speak_for_their_name() -> None:
    line = BOTH[1].cosign(TEXT, NOW_S)
    other = CosignerKey("another.example", MLDSA44_COSIGNATURE, BOTH[1].key.public)
    assert not other.verifies(TEXT, line.signature)


@given(st.integers(0, 8 + 64 - 1), st.integers(0, 7))
def test_any_flipped_bit_is_a_forgery(place: int, bit: int) -> None:
    line = bytearray(BOTH[0].cosign(TEXT, NOW_S).signature)
    line[place] ^= 1 << bit
    assert not BOTH[0].key.verifies(TEXT, bytes(line))


@pytest.mark.parametrize(
    "signature",
    [b"", b"\0" * 8, b"\xff" * 72, b"\0" * 71, b"\0" * 73, b"\0" * 2428],
    ids=["empty", "only a time", "a time past 2^63", "short", "long", "of the other kind"],
)
def test_what_is_no_cosignature_is_not_verified(signature: bytes) -> None:
    assert not BOTH[0].key.verifies(TEXT, signature)


def test_the_kinds_do_not_stand_for_each_other() -> None:
    """One Ed25519 key under two types is two keys: a log's signature is not a witness's."""
    private = ed25519("one")
    log, witness = VerifierKey.of(ORIGIN, private), Cosigner(ORIGIN, private).key
    assert log.key_id != witness.key_id
    plain = parse_note(HONEST.note(7)).signatures[0]
    assert not Cosigner(ORIGIN, ed25519("log")).key.verifies(TEXT, plain.signature)
    assert not log.verifies(TEXT, Cosigner(ORIGIN, private).cosign(TEXT, NOW_S).signature)


def test_unknown_keys_are_ignored_and_known_ones_must_hold() -> None:
    known, unknown = BOTH[0], Cosigner("stranger.example", ed25519("stranger"))
    note = with_lines(HONEST.note(7), unknown.cosign(TEXT, NOW_S), known.cosign(TEXT, NOW_S))
    assert [line.name for line in open_note(note, (known.key,)).signatures] == [NAME]
    forged = Signature(NAME, known.key.key_id, unknown.cosign(TEXT, NOW_S).signature)
    with pytest.raises(NoteRefused):
        open_note(with_lines(HONEST.note(7), forged), (*HONEST.keys, known.key))


@pytest.mark.parametrize("key", [HONEST.key, *(each.key for each in BOTH)], ids=["log", "ed25519", "ml-dsa-44"])
def test_keys_are_read_as_they_are_written(key: VerifierKey | CosignerKey) -> None:
    assert parse_key(str(key)) == key
    name, _, rest = str(key).partition("+")
    wrong = f"{name}x+{rest}"
    with pytest.raises(NoteRefused):
        parse_key(wrong)


@pytest.mark.parametrize(
    ("name", "kind", "public"),
    [
        ("a b", ED25519_COSIGNATURE, bytes(32)),
        ("", ED25519_COSIGNATURE, bytes(32)),
        ("a", ED25519_COSIGNATURE, bytes(33)),
        ("a", MLDSA44_COSIGNATURE, bytes(32)),
        ("a", 0x02, bytes(32)),
        ("ä" * 128, MLDSA44_COSIGNATURE, bytes(1312)),
    ],
)
def test_other_keys_are_refused(name: str, kind: int, public: bytes) -> None:
    with pytest.raises(NoteRefused):
        CosignerKey(name, kind, public)


def test_a_private_key_does_not_show() -> None:
    assert seed(NAME).hex() not in repr(BOTH)
    assert "rivate" not in repr(BOTH[0])


def test_nothing_but_a_checkpoint_is_cosigned() -> None:
    for cosigner in BOTH:
        with pytest.raises(NoteRefused):
            cosigner.cosign("hello\n", NOW_S)
    with pytest.raises(NoteRefused):
        BOTH[1].cosign(Checkpoint(ORIGIN, 7, HONEST.root(7), ("more",)).text(), NOW_S)
