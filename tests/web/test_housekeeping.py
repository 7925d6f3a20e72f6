"""What is over goes, with an entry where the ledger spoke of it; what is not over stays."""

from dataclasses import replace

from carekeep.identity import SignedIn
from carekeep.web.housekeeping import EXPIRED, Housekeeping
from tests.promises.tampering import findings
from tests.web.clinic import Clinic

DAY_MS = 86_400_000
TABLES = ("access_token", "browser_session", "attempt", "seen")


async def counts(clinic: Clinic) -> dict[str, int]:
    found = {}
    for table in TABLES:
        row = await clinic.system.database.fetch_one(f"SELECT count(*) FROM {table}")  # noqa: S608 - names of ours
        found[table] = row[0] if row else 0
    return found


async def test_what_is_over_goes_and_the_ledger_says_so(clinic: Clinic) -> None:
    services = clinic.system.services
    who = SignedIn(clinic.accounts["physician"], 2, ("swk",))
    await clinic.record("signed in", services.browser_sessions.prepare_start(who, address=None))
    await clinic.system.database.commit(services.replays.prepare_once("x", "y", "z", 1).steps)
    before = await counts(clinic)
    await Housekeeping(services).tidy()
    assert await counts(clinic) == {**before, "seen": 0}  # nothing else is over yet
    await clinic.integrate()
    later = replace(services, clock=lambda: services.clock() + 400 * DAY_MS)
    await Housekeeping(later).tidy()
    after = await counts(clinic)
    assert after["access_token"] == after["browser_session"] == 0
    await clinic.integrate()
    assert await findings(clinic.system) == []
    assert await expiries(clinic) == ["8 expired tokens were removed", "1 browsers' sessions were removed"]


async def expiries(clinic: Clinic) -> list[str]:
    """What the ledger says was removed."""
    ledger = clinic.system.services.ledger
    rows = await clinic.system.database.fetch("SELECT leaf FROM ledger_entry ORDER BY leaf_index")
    entries = [ledger.open(leaf)[0] for (leaf,) in rows]
    return sorted((entry.reason for entry in entries if entry.action == EXPIRED), reverse=True)
