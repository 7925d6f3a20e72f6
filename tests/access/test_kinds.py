"""Access and identity mean the same kinds of account."""

from carekeep.access import Purpose, default_purpose
from carekeep.access.vocabulary import PRINCIPAL_TYPES
from carekeep.identity import Kind


def test_every_kind_of_account_is_known_and_has_a_purpose() -> None:
    assert set(PRINCIPAL_TYPES) == {kind.value for kind in Kind}
    assert {default_purpose(kind) for kind in PRINCIPAL_TYPES} <= set(Purpose)
