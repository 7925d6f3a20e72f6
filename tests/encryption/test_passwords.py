"""Password hashes."""

import pytest

from carekeep.encryption import RFC_9106_SECOND, Argon2Cost, Secret, hash_password, unmatched_hash, verify_password
from tests.encryption.keys import CHEAP


def test_the_password_and_no_other() -> None:
    phc = hash_password(Secret("blue heron over reeds"), cost=CHEAP)
    assert verify_password(Secret("blue heron over reeds"), phc)
    for wrong in ("", "blue heron over reed", "blue heron over reeds ", "Blue heron over reeds", b"\xff"):
        assert not verify_password(Secret(wrong), phc)


def test_the_same_text_by_another_keyboard() -> None:
    """NFKC: é as one character or as two, a full-width letter or a plain one."""
    phc = hash_password(Secret("cafe\u0301 \uff21"), cost=CHEAP)
    assert verify_password(Secret("caf\u00e9 A"), phc)


def test_hashes_of_one_password_differ() -> None:
    assert hash_password(Secret("x"), cost=CHEAP) != hash_password(Secret("x"), cost=CHEAP)


def test_unmatched_hash_costs_what_a_real_one_costs() -> None:
    real, unmatched = hash_password(Secret("x"), cost=CHEAP), unmatched_hash(cost=CHEAP)
    assert [len(part) for part in real.split("$")] == [len(part) for part in unmatched.split("$")]
    assert real.split("$")[:4] == unmatched.split("$")[:4]
    assert not verify_password(Secret("x"), unmatched)


def test_default_cost_is_the_second_recommendation_of_rfc_9106() -> None:
    cost = RFC_9106_SECOND
    assert (cost.memory_kib, cost.iterations, cost.lanes) == (65536, 3, 4)
    assert unmatched_hash().startswith("$argon2id$v=19$m=65536,t=3,p=4$")


@pytest.mark.parametrize("cost", [(7, 1, 1), (1 << 22, 1, 1), (64, 0, 1), (64, 65, 1), (64, 1, 0), (1024, 1, 17)])
def test_costs_are_bounded(cost: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="out of bounds"):
        Argon2Cost(*cost)
