"""Walks over versions: newest first, whoever's they are, and stable."""

from collections.abc import Iterable

from carekeep.encryption import Keyring
from carekeep.records import Moment, Stored, Vault, Window
from carekeep.records.numbering import first_number
from carekeep.storage import Database
from tests.records.conftest import Commit, observation, patient

EVERYTHING = Window()
HOUR_MS = 3_600_000


class Time:
    def __init__(self) -> None:
        self.now_ms = 1_793_880_000_000

    def __call__(self) -> int:
        return self.now_ms


async def filled(database: Database, keyring: Keyring, commit: Commit) -> tuple[Vault, Time]:
    """Two patients with a record each, which changes every hour; the first moves to the second, then it is deleted."""
    time = Time()
    vault = Vault(database, keyring, time)
    for owner in ("ada", "bob"):
        draft = vault.draft()
        await draft.create(patient(owner), owner)
        await draft.create(observation(owner), f"{owner}-pulse")
        await commit(draft)
    for owner, value in (("ada", 1.0), ("ada", 2.0), ("bob", 3.0)):
        time.now_ms += HOUR_MS
        draft = vault.draft()
        current, place = await vault.locate("Observation", "ada-pulse")
        await draft.update(observation(owner, value=value), current, place)
        await commit(draft)
    time.now_ms += HOUR_MS
    draft = vault.draft()
    await draft.delete(*await vault.locate("Observation", "ada-pulse"))
    await commit(draft)
    return vault, time


async def walked(
    vault: Vault, patients: Iterable[str] | None, window: Window = EVERYTHING, before: Moment | None = None
) -> list[str]:
    return [named(stored) async for _, stored in vault.versions(patients, window, before)]


def named(stored: Stored | None) -> str:
    return "-" if stored is None else f"{stored.id}/{stored.version}"


async def test_a_walk_is_newest_first(database: Database, keyring: Keyring, commit: Commit) -> None:
    vault, _ = await filled(database, keyring, commit)
    everything = [
        "ada-pulse/5",
        "ada-pulse/4",
        "ada-pulse/3",
        "ada-pulse/2",
        "bob-pulse/1",
        "bob/1",
        "ada-pulse/1",
        "ada/1",
    ]
    assert await walked(vault, None) == everything
    assert await walked(vault, ["ada", "bob"]) == everything
    assert await walked(vault, ["ada"]) == ["ada-pulse/3", "ada-pulse/2", "ada-pulse/1", "ada/1"]
    assert await walked(vault, ["bob"]) == ["ada-pulse/5", "ada-pulse/4", "bob-pulse/1", "bob/1"]
    assert await walked(vault, []) == []
    assert await walked(vault, ["nobody"]) == []


async def test_a_walk_goes_on_where_it_stood(database: Database, keyring: Keyring, commit: Commit) -> None:
    vault, _ = await filled(database, keyring, commit)
    for patients in (None, ["ada", "bob"], ["bob"]):
        whole = await walked(vault, patients)
        moments = [moment async for moment, _ in vault.versions(patients, EVERYTHING)]
        assert moments == sorted(moments, reverse=True)
        for position, moment in enumerate(moments):
            assert await walked(vault, patients, before=moment) == whole[position + 1 :]


async def test_a_window(database: Database, keyring: Keyring, commit: Commit) -> None:
    vault, time = await filled(database, keyring, commit)
    start = time.now_ms - 4 * HOUR_MS
    for patients in (None, ["ada", "bob"]):
        since = Window(since_ms=start + 3 * HOUR_MS)
        assert await walked(vault, patients, since) == ["ada-pulse/5", "ada-pulse/4"]
        at = Window(current_from_ms=start + HOUR_MS + 1, current_until_ms=start + HOUR_MS + 2)
        assert await walked(vault, patients, at) == ["ada-pulse/2", "bob-pulse/1", "bob/1", "ada/1"]
        # Across a move to another patient: the version that came after stands elsewhere.
        at = Window(current_from_ms=start + 3 * HOUR_MS, current_until_ms=start + 3 * HOUR_MS + 1)
        assert await walked(vault, patients, at) == ["ada-pulse/4", "ada-pulse/3", "bob-pulse/1", "bob/1", "ada/1"]


async def test_more_than_a_batch(database: Database, keyring: Keyring, commit: Commit) -> None:
    vault = Vault(database, keyring)
    draft = vault.draft()
    await draft.create(patient("ada"), "ada")
    for number in range(450):
        await draft.create(observation("ada"), f"pulse-{number}")
    await commit(draft)
    expected = [*(f"pulse-{number}/1" for number in reversed(range(450))), "ada/1"]
    assert await walked(vault, None) == expected
    # More patients than one statement takes.
    assert await walked(vault, ["ada", *(f"p{number}" for number in range(450))]) == expected


async def test_who_was_forgotten_is_passed_over(database: Database, keyring: Keyring, commit: Commit) -> None:
    vault, _ = await filled(database, keyring, commit)
    await database.commit((await vault.prepare_forget("bob")).steps)
    keyring.forget_cached()
    assert [each for each in await walked(vault, None) if each != "-"] == await walked(vault, ["ada"])


def test_numbers_of_a_time() -> None:
    assert first_number(1_793_880_000_000) == 1_793_880_000_000 << 21
    assert first_number(-1) == 0
    assert first_number(1 << 60) < 1 << 63
