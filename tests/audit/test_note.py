"""Signed notes and checkpoints: others' vectors, and everything that must be refused."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from carekeep.audit.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from carekeep.audit.merkle import EMPTY_ROOT
from carekeep.audit.note import NoteRefused, Signature, VerifierKey, open_note, parse_note, sign, strict_base64

# The key and note of the tests of Go's sumdb/note, where the format comes from.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SEED = "YEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
GO_NOTE = f"{GO_TEXT}\n— PeterNeumann {GO_SIGNATURE}\n"

# Two checkpoints of Go's public checksum database, and its key.
SUMDB_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
SUMDB_ORIGIN = "go.sum database tree"
SUMDB = {
    31_700_353: (
        "qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=",
        "Az3grnmrIUEDFqHzAElIQCPNoRFRAAdFo47fooyWKMHb89k11GJh5zHIfNCOBmwn/C3YI8oW9/C8DJ87F61QqspBYwM=",
    ),
    65_209_736: (
        "5+uGFjx6xBZG8ip1+wi77v+grwbhhukIrxEUS8PXvRo=",
        "Az3grnbssgK7ubgFX36gVETtNv0U23qxyAhAMai2QUfeGa3nB/akvkMdlUErfcZz7l/R3cVtYspg3dxXABkGZZKdsQ8=",
    ),
}

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEY = VerifierKey.of("ledger.example/clinic", PRIVATE)
CHECKPOINT = Checkpoint("ledger.example/clinic", 7, bytes(range(32)))
SIGNED = sign_checkpoint(CHECKPOINT, PRIVATE)


def test_gos_note_opens() -> None:
    key = VerifierKey.parse(GO_KEY)
    assert str(key) == GO_KEY
    assert open_note(GO_NOTE, [key]).text == GO_TEXT


def test_gos_key_makes_gos_signature() -> None:
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode("A" + GO_SEED)[1:])
    assert str(sign(GO_TEXT, "PeterNeumann", private)) == f"— PeterNeumann {GO_SIGNATURE}\n"


@pytest.mark.parametrize("size", SUMDB)
def test_a_real_logs_checkpoint_opens(size: int) -> None:
    root, signature = SUMDB[size]
    note = f"{SUMDB_ORIGIN}\n{size}\n{root}\n\n— sum.golang.org {signature}\n"
    key = VerifierKey.parse(SUMDB_KEY)
    assert open_checkpoint(note, key, SUMDB_ORIGIN) == Checkpoint(SUMDB_ORIGIN, size, base64.b64decode(root))
    with pytest.raises(NoteRefused, match="another log"):
        open_checkpoint(note, key)
    with pytest.raises(NoteRefused, match="does not fit"):
        open_checkpoint(note.replace(str(size), str(size - 1)), key, SUMDB_ORIGIN)


def test_no_part_of_a_key_and_no_other_spelling_is_a_key() -> None:
    for start in range(len(GO_KEY)):
        for end in range(start + 1, len(GO_KEY) + 1):
            if end - start < len(GO_KEY):
                with pytest.raises(NoteRefused):
                    VerifierKey.parse(GO_KEY[start:end])
    for place, character in enumerate(GO_KEY):
        with pytest.raises(NoteRefused):
            VerifierKey.parse(f"{GO_KEY[:place]}{chr(ord(character) + 1)}{GO_KEY[place + 1 :]}")


@given(st.integers(0, len(SIGNED.encode()) - 1), st.integers(0, 7))
def test_no_byte_of_a_checkpoint_can_change(place: int, bit: int) -> None:
    changed = bytearray(SIGNED.encode())
    changed[place] ^= 1 << bit
    with pytest.raises((NoteRefused, UnicodeDecodeError)):
        open_checkpoint(changed.decode(), KEY)


def test_what_others_signed_is_kept_and_ignored() -> None:
    witness = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"w")
    cosigned = SIGNED + str(Signature("witness.example", b"abcd", bytes(2430))) + str(sign("x\n", "other", witness))
    assert open_checkpoint(cosigned, KEY) == CHECKPOINT
    assert [signature.name for signature in parse_note(cosigned).signatures] == [KEY.name, "witness.example", "other"]
    assert str(parse_note(cosigned)) == cosigned
    with pytest.raises(NoteRefused, match="no known key"):
        open_checkpoint(cosigned, VerifierKey.of("stranger.example", witness))


def test_the_same_name_with_another_key_is_a_stranger() -> None:
    forger = Ed25519PrivateKey.from_private_bytes(b"f" * 32)
    with pytest.raises(NoteRefused, match="no known key"):
        open_checkpoint(sign_checkpoint(CHECKPOINT, forger), KEY)


def test_a_wrong_signature_of_a_known_key_refuses_a_note_that_also_has_a_right_one() -> None:
    wrong = str(Signature(KEY.name, KEY.key_id, bytes(64)))
    with pytest.raises(NoteRefused, match="does not fit"):
        open_checkpoint(SIGNED + wrong, KEY)


LINE = str(sign(GO_TEXT, KEY.name, PRIVATE))


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "\n",
        "\n\n",
        GO_TEXT,
        f"{GO_TEXT}\n",
        f"{GO_TEXT}{LINE}",
        f"{GO_TEXT}\n{LINE[:-1]}",
        f"{GO_TEXT}\n{LINE}\n",
        f"{GO_TEXT}\n{LINE.replace('—', '-')}",
        f"{GO_TEXT}\n{LINE.replace('— ', '—')}",
        f"{GO_TEXT}\n— {KEY.name}\n",
        f"{GO_TEXT}\n— {KEY.name} AAAA\n",
        f"{GO_TEXT}\n— {KEY.name} AAAAAAA\n",
        f"{GO_TEXT}\n— a+b AAAAAAAAAAA=\n",
        f"{GO_TEXT}\n—  AAAAAAAAAAA=\n",
        f"\t{GO_TEXT}\n{LINE}",
        f"{GO_TEXT}\r\n\n{LINE}",
        f"\ud800\n\n{LINE}",
        f"{GO_TEXT}\n{LINE * 33}",
        f"{'x' * 300_000}\n\n{LINE}",
    ],
)
def test_malformed_notes_are_refused(raw: str) -> None:
    with pytest.raises(NoteRefused):
        open_note(raw, [KEY])


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n",
        f"origin\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"origin\n01\n{ROOT}\n",
        f"origin\n-1\n{ROOT}\n",
        f"origin\n+1\n{ROOT}\n",
        f"origin\n 1\n{ROOT}\n",
        f"origin\n\u0661\n{ROOT}\n",
        f"origin\n{2**63}\n{ROOT}\n",
        f"origin\n{'9' * 5000}\n{ROOT}\n",
        f"origin\n0\n{ROOT}\n",
        f"origin\n1\n{ROOT[:-1]}\n",
        f"origin\n1\n{ROOT}\n\n",
        "origin\n1\nAAAA\n",
    ],
)
def test_malformed_checkpoints_are_refused(text: str) -> None:
    with pytest.raises(NoteRefused):
        parse_checkpoint(text)


@given(st.integers(1, 2**63 - 1), st.binary(min_size=32, max_size=32), st.lists(st.sampled_from(["x", "y z"])))
def test_checkpoints_come_back(size: int, root: bytes, extensions: list[str]) -> None:
    checkpoint = Checkpoint("ledger.example/clinic", size, root, tuple(extensions))
    assert open_checkpoint(sign_checkpoint(checkpoint, PRIVATE), KEY) == checkpoint


def test_the_empty_tree_has_one_root() -> None:
    empty = Checkpoint("ledger.example/clinic", 0, EMPTY_ROOT)
    assert open_checkpoint(sign_checkpoint(empty, PRIVATE), KEY) == empty


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\u2003b", "line\nbreak", "x" * 513])
def test_names_that_no_key_may_have(name: str) -> None:
    with pytest.raises(NoteRefused):
        VerifierKey.of(name, PRIVATE)


@pytest.mark.parametrize("text", ["AA", "AB==", "A===", "AA==\n", "AA==AA==", "é"])
def test_base64_has_one_spelling(text: str) -> None:
    with pytest.raises(NoteRefused):
        strict_base64(text)
