"""Nothing that holds a secret shows it: not printed, formatted, logged, pickled or copied."""

import copy
import logging
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.encryption import Cipher, Hidden, ScopeKeys, Secret, Tagger
from carekeep.encryption.keyset import KeySet
from tests.encryption.keys import PASSPHRASE, new_key_file

MARK = b"0123456789abcdefMARKEDmarked5678"


def repeated(length: int) -> bytes:
    return (MARK * 2)[:length]


@pytest.fixture(params=["Secret", "Cipher", "Tagger", "ScopeKeys", "KeySet", "KeyFile"])
def holder(request: pytest.FixtureRequest, tmp_path: Path) -> Hidden:
    match request.param:
        case "Secret":
            return Secret(MARK)
        case "Cipher":
            return Cipher(MARK)
        case "Tagger":
            return Tagger(MARK)
        case "ScopeKeys":
            return ScopeKeys.derived(1, MARK)
        case "KeySet":
            return KeySet.new(repeated)
    return new_key_file(tmp_path)


def test_printed_it_tells_its_class_only(holder: Hidden, caplog: pytest.LogCaptureFixture) -> None:
    hidden = f"<{type(holder).__name__}: hidden>"
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("%s %r", holder, [holder])
    assert [repr(holder), str(holder), f"{holder}", f"{holder!r:>3}", f"{holder:x}"] == [hidden] * 5
    assert caplog.messages == [f"{hidden} [{hidden}]"]


def test_it_cannot_be_pickled_or_copied(holder: Hidden) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(holder)
    with pytest.raises(TypeError, match="cannot be pickled"):
        copy.copy(holder)
    with pytest.raises(TypeError, match="cannot be pickled"):
        copy.deepcopy(holder)


@given(st.binary(max_size=8), st.binary(max_size=8))
def test_secrets_are_equal_when_their_content_is(one: bytes, other: bytes) -> None:
    assert (Secret(one) == Secret(other)) == (one == other)
    assert Secret(one) != one


def test_secret_has_no_hash() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(PASSPHRASE)


def test_secret_text_is_utf_8() -> None:
    assert Secret("é").reveal() == b"\xc3\xa9"
    assert Secret("\udcff").reveal() == b"\xed\xb3\xbf"
