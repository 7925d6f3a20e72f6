"""Published test vectors: what we call HKDF, HMAC, AES-GCM, Argon2id and TOTP is what the standards call so."""

import hmac
import json
import re

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from carekeep.encryption import Argon2Cost, Cipher, Secret, Tagger, hash_password, totp_code, verify_password
from carekeep.encryption.cipher import associated_data
from carekeep.encryption.derivation import derive


def hkdf(key: bytes, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=42, salt=salt, info=info).derive(key)


def test_hkdf_rfc_5869() -> None:
    """Appendix A.1 and A.3."""
    first = hkdf(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)))
    assert first.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    third = hkdf(b"\x0b" * 22, None, b"")
    assert third.hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"


def test_derive_is_hkdf_by_the_book() -> None:
    """RFC 5869 section 2, done with HMAC: extract with a salt of zeros, expand one block."""
    key = bytes(range(32))
    pseudorandom = hmac.digest(bytes(32), key, "sha256")
    block = hmac.digest(pseudorandom, associated_data("carekeep", "ledger", 20_000) + b"\x01", "sha256")
    assert derive(key, "ledger", 20_000) == block


def test_derived_keys_differ_by_purpose_and_context() -> None:
    key = bytes(32)
    keys = {
        derive(key, "a"),
        derive(key, "b"),
        derive(key, "a", 1),
        derive(key, "a", "1"),
        derive(bytes([1]) * 32, "a"),
    }
    assert len(keys) == 5


def test_hmac_rfc_4231() -> None:
    """Test case 2, by the function that tags use."""
    digest = hmac.digest(b"Jefe", b"what do ya want for nothing?", "sha256")
    assert digest.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_tag_is_a_truncated_hmac() -> None:
    key = b"k" * 32
    digest = hmac.digest(key, associated_data("family", b"smith"), "sha256")
    assert Tagger(key).digest("family", b"smith") == digest[:16]
    assert Tagger(key).tag("family", b"smith") == int.from_bytes(digest[:8], "big", signed=True)


def test_aes_256_gcm_as_published() -> None:
    """McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    plaintext = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    aad = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    expected = bytes.fromhex(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )
    assert Cipher(key, lambda _: nonce).seal(plaintext, aad) == b"\x01" + nonce + expected


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_totp_rfc_6238(seconds: int, code: str) -> None:
    """Appendix B, the last six of the eight digits."""
    assert totp_code(Secret(b"12345678901234567890"), seconds * 1000) == code


def test_argon2id_phc_string_of_the_reference_implementation() -> None:
    """From test.c of the reference implementation (version 0x13, Argon2id, t=2, m=2^16, p=1)."""
    phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
    assert verify_password(Secret("password"), phc)
    assert not verify_password(Secret("Password"), phc)


def test_password_hash_says_its_costs() -> None:
    phc = hash_password(Secret("x"), cost=Argon2Cost(64, 2, 4))
    assert re.fullmatch(r"\$argon2id\$v=19\$m=64,t=2,p=4\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}", phc), json.dumps(phc)
