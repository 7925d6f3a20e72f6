"""Sealed blobs open where they were sealed, unchanged, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.encryption import Cipher, Tampered, UnknownSuite, associated_data
from carekeep.encryption.cipher import NONCE_LENGTH, OVERHEAD
from tests.encryption.keys import opens

KEY = bytes(range(32))

parts = st.lists(st.one_of(st.text(max_size=6), st.binary(max_size=6), st.integers(-(1 << 64), 1 << 64)), max_size=5)


@given(st.binary(max_size=300), st.binary(max_size=60))
def test_what_is_sealed_opens(plaintext: bytes, aad: bytes) -> None:
    sealed = Cipher(KEY).seal(plaintext, aad)
    assert Cipher(KEY).open(sealed, aad) == plaintext
    assert len(sealed) == len(plaintext) + OVERHEAD
    assert sealed[0] == 1


@given(st.binary(max_size=40), st.data())
def test_one_flipped_bit_anywhere_is_found(plaintext: bytes, data: st.DataObject) -> None:
    cipher = Cipher(KEY)
    sealed = bytearray(cipher.seal(plaintext, b"place"))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    assert not opens(cipher, bytes(sealed), b"place")


@given(parts, parts)
def test_opens_only_where_it_belongs(here: list[str | bytes | int], there: list[str | bytes | int]) -> None:
    cipher = Cipher(KEY)
    sealed = cipher.seal(b"content", associated_data(*here))
    assert opens(cipher, sealed, associated_data(*there)) == (here == there)


@given(st.integers(0, OVERHEAD))
def test_a_cut_blob_is_found(length: int) -> None:
    cipher = Cipher(KEY)
    assert not opens(cipher, cipher.seal(b"x", b"")[:length], b"")


def test_another_key_does_not_open() -> None:
    assert not opens(Cipher(bytes(32)), Cipher(KEY).seal(b"content", b""), b"")


def test_unknown_suite_is_named() -> None:
    with pytest.raises(UnknownSuite, match=r"suite 0x7f.*newer version"):
        Cipher(KEY).open(b"\x7f" + bytes(40), b"")
    with pytest.raises(Tampered, match="empty"):
        Cipher(KEY).open(b"", b"")


@given(parts, parts)
def test_associated_data_is_injective(one: list[str | bytes | int], other: list[str | bytes | int]) -> None:
    assert (associated_data(*one) == associated_data(*other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        (("asb",), ("a", "b")),
        (("a",), (b"a",)),
        ((97,), ("a",)),
        (("",), ()),
        ((0,), (b"\0",)),
        ((255,), (-1,)),
        ((1, 0), (256,)),
    ],
)
def test_associated_data_of_near_misses(one: tuple[str | bytes | int], other: tuple[str | bytes | int]) -> None:
    assert associated_data(*one) != associated_data(*other)


def test_nonces_do_not_repeat() -> None:
    cipher = Cipher(KEY)
    nonces = {cipher.seal(b"", b"")[1 : 1 + NONCE_LENGTH] for _ in range(100_000)}
    assert len(nonces) == 100_000


def test_nonce_is_the_random_bytes() -> None:
    asked = []

    def random(length: int) -> bytes:
        asked.append(length)
        return b"n" * length

    assert Cipher(KEY, random).seal(b"", b"")[1:13] == b"n" * 12
    assert asked == [12]


def test_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 16"):
        Cipher(bytes(16))
