"""What was used is remembered: by issuer and kind, for every process, until it is over."""

import pytest

from carekeep.encryption import Keyring
from carekeep.identity.apps import replays as module
from carekeep.identity.apps.replays import Replays
from carekeep.storage import Conflict
from tests.identity.people import Office


async def test_an_id_is_used_once(office: Office) -> None:
    replays = Replays(office.database, office.keyring, office.clock)
    used = replays.prepare_once("assertion", "app", "1", office.now + 1000)
    assert not await replays.is_used(used)
    await office.database.commit(used.steps)
    assert await replays.is_used(used)
    with pytest.raises(Conflict):
        await office.database.commit(replays.prepare_once("assertion", "app", "1", office.now + 9000).steps)
    for kind, issuer, id_ in (("dpop", "app", "1"), ("assertion", "other", "1"), ("assertion", "app", "2")):
        await office.database.commit(replays.prepare_once(kind, issuer, id_, office.now + 1000).steps)


async def test_parts_do_not_run_together(office: Office) -> None:
    replays = Replays(office.database, office.keyring, office.clock)
    for kind, issuer, id_ in (("a", "bc", "d"), ("ab", "c", "d"), ("a", "b", "cd")):
        await office.database.commit(replays.prepare_once(kind, issuer, id_, office.now).steps)


async def test_the_database_does_not_tell_what_was_used(office: Office) -> None:
    replays = Replays(office.database, office.keyring, office.clock)
    await office.database.commit(replays.prepare_once("assertion", "the-issuer", "the-id", office.now).steps)
    ((digest, _),) = await office.database.fetch("SELECT digest, expires_ms FROM seen")
    assert len(digest) == 16
    assert digest != Keyring.rid(office.keyring, "the-issuer", "the-id")


async def test_only_what_is_over_is_forgotten_and_not_all_at_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    replays = Replays(office.database, office.keyring, office.clock)
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    uses = [replays.prepare_once("assertion", "app", str(n), office.now + n) for n in range(5)]
    for use in uses:
        await office.database.commit(use.steps)
    office.now += 3
    counts = []
    for _ in range(3):
        purge = await replays.prepare_purge()
        counts.append(purge.value)
        await office.database.commit(purge.steps)
    assert counts == [2, 1, 0]
    assert [await replays.is_used(use) for use in uses] == [False, False, False, True, True]


async def test_a_use_and_what_it_is_for_happen_together(office: Office) -> None:
    replays = Replays(office.database, office.keyring, office.clock)
    one = replays.prepare_once("assertion", "app", "1", office.now)
    two = replays.prepare_once("assertion", "app", "2", office.now)
    await office.database.commit(one.steps)
    with pytest.raises(Conflict):
        await office.database.commit((*two.steps, *one.steps))
    assert not await replays.is_used(two)
