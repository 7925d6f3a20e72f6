"""Promise 4: every request is verified.

One request is permitted. Then one thing that the decision rests on is changed, each time another one: the same request
is denied the next time it is asked, here at once and in another worker within a second, and is told why.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from carekeep.storage import Change
from carekeep.storage.generations import INTERVAL_S
from tests.access.consents.writing import consent
from tests.web.clinic import MINUTE_MS, Answer, Clinic, care_team, on_sqlite, open_clinic

PATH = "Observation/ada-pulse"
ONE_SECOND = 1.0
PATIENCE_S = 20.0  # the machine may be busy with other tests: what is promised is how often a worker looks
Flip = Callable[[Clinic], Awaitable[None]]


@pytest.fixture
async def elsewhere(clinic: Clinic) -> AsyncIterator[Clinic]:
    """Another worker on the same database, with caches of its own."""
    settings = clinic.system.settings
    async with open_clinic(settings.home, settings.database_url) as other:
        other.tokens.update(clinic.tokens)
        other.accounts.update(clinic.accounts)
        await other.system.generations.poll()
        yield other


async def revoke_token(clinic: Clinic) -> None:
    await clinic.ask("POST", "/auth/sign-out", who="physician")


async def disable_account(clinic: Clinic) -> None:
    """As ``carekeep user disable`` does: the account, and no session but by it."""
    services = clinic.system.services
    changed = services.accounts.prepare_change(replace(clinic.accounts["physician"], disabled=True))
    await clinic.record("disabled", changed)
    services.generations.changed("accounts")


async def leave_care_team(clinic: Clinic) -> None:
    await clinic.put(care_team("ada", status="inactive"))


async def restrict_record(clinic: Clinic) -> None:
    """A label that only the care team passes, on a record of the patient's; and then no team."""
    observation = (await clinic.ask("GET", PATH)).json
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}
    await clinic.put(observation | {"meta": {"security": [label]}})
    await leave_care_team(clinic)


async def deny_by_consent(clinic: Clinic) -> None:
    await clinic.put(consent("deny | to Practitioner/physician", "no", "ada"))


FLIPS: dict[str, tuple[Flip, int, str]] = {
    "revoked token": (revoke_token, 401, "unknown or revoked token"),
    "disabled account": (disable_account, 401, "disabled account"),
    "no relation any more": (leave_care_team, 403, ""),
    "very restricted": (restrict_record, 403, ""),
    "the patient says no": (deny_by_consent, 403, ""),
}


@pytest.mark.parametrize("what", FLIPS)
async def test_the_next_request_is_denied(clinic: Clinic, what: str) -> None:
    flip, status, reason = FLIPS[what]
    permitted = await clinic.ask("GET", PATH, who="physician")
    assert permitted.status == 200
    assert permitted.entry is not None
    assert permitted.entry.policies == ("care.read",)
    await flip(clinic)
    check_denial(await clinic.ask("GET", PATH, who="physician"), status, reason)


@pytest.mark.parametrize("what", FLIPS)
async def test_another_worker_denies_after_its_next_look(clinic: Clinic, elsewhere: Clinic, what: str) -> None:
    flip, status, reason = FLIPS[what]
    assert (await elsewhere.ask("GET", PATH, who="physician")).status == 200
    await flip(clinic)
    assert (await elsewhere.ask("GET", PATH, who="physician")).status == 200, "else it would show nothing"
    await elsewhere.system.generations.poll()
    check_denial(await elsewhere.ask("GET", PATH, who="physician"), status, reason)


async def test_every_worker_looks_within_a_second(clinic: Clinic, elsewhere: Clinic) -> None:
    assert 2 * INTERVAL_S < ONE_SECOND
    watching = asyncio.create_task(elsewhere.system.generations.run())
    await disable_account(clinic)
    async with asyncio.timeout(PATIENCE_S):
        while (await elsewhere.ask("GET", PATH, who="physician")).status == 200:
            await elsewhere.ask("GET", "/healthz", who=None)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


def check_denial(answer: Answer, status: int, reason: str) -> None:
    """It says why, and the ledger says the same, with who asked."""
    assert answer.status == status, answer.body
    assert answer.json["issue"][0]["code"] == ("login" if status == 401 else "forbidden")
    assert answer.entry is not None
    assert answer.entry.outcome == "denied"
    assert answer.entry.reason
    if status == 401:
        assert answer.entry.reason == reason
        assert reason not in answer.said, "what was wrong with a token is not for its bearer"
    else:
        assert answer.entry.reason in answer.said
        assert answer.entry.agent.who == "Practitioner/physician"
        for policy in answer.entry.policies:  # of labels a stranger hears no more than that there is one
            assert (policy.partition(".")[0] if policy.startswith("label.") else policy) in answer.said


@pytest.mark.parametrize("who", [None, "nobody"])
async def test_no_good_token_no_answer(clinic: Clinic, who: str | None) -> None:
    clinic.tokens["nobody"] = f"{clinic.tokens['ada'][:-3]}AAA"
    answer = await clinic.ask("GET", PATH, who=who)
    check_denial(answer, 401, "no access token" if who is None else "unknown or revoked token")


@on_sqlite
@pytest.mark.parametrize("purpose", ["HPAYMT", "HRESCH", "HOPERAT", "PATRQT", "HSYSADMIN"])
async def test_the_purpose_counts(clinic: Clinic, purpose: str) -> None:
    assert (await clinic.ask("GET", PATH, who="physician", headers={"x-purpose-of-use": "TREAT"})).status == 200
    answer = await clinic.ask("GET", PATH, who="physician", headers={"x-purpose-of-use": purpose})
    check_denial(answer, 403, "")
    assert answer.entry is not None
    assert answer.entry.purpose == purpose


async def test_time_counts(clinic: Clinic) -> None:
    reason = {"name": "reason", "valueString": "Brought in unconscious"}
    body = {"resourceType": "Parameters", "parameter": [reason]}
    assert (await clinic.ask("POST", "Patient/bob/$break-glass", body, who="emergency")).status == 200
    etreat = {"x-purpose-of-use": "ETREAT"}
    assert (await clinic.ask("GET", "Observation/bob-pulse", who="emergency", headers=etreat)).status == 200
    clinic.time.now_ms += 60 * MINUTE_MS + 1
    assert (await clinic.ask("GET", "Observation/bob-pulse", who="emergency", headers=etreat)).status == 403


DENIED = {
    "physician": "Observation/bob-pulse",
    "emergency": PATH,
    "ada": "Observation/bob-pulse",
    "bob": PATH,
    "administrator": PATH,
    "auditor": PATH,
    "app": PATH,
}


@on_sqlite
@pytest.mark.parametrize(("who", "path"), DENIED.items())
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "history", "vread"])
async def test_nothing_is_permitted_that_no_policy_permits(clinic: Clinic, who: str, path: str, method: str) -> None:
    body = (await clinic.ask("GET", path)).json if method == "PUT" else None
    suffix = {"history": "/_history", "vread": "/_history/1"}.get(method, "")
    answer = await clinic.ask("GET" if suffix else method, path + suffix, body, who=who)
    assert answer.status == 403
    assert answer.entry is not None
    assert (answer.entry.outcome, answer.entry.agent.role) == ("denied", clinic.accounts[who].kind)
    assert answer.entry.reason in answer.said


async def test_a_forbidding_policy_is_named(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", PATH, who="administrator")
    assert answer.entry is not None
    assert answer.entry.policies
    assert answer.entry.policies[0] in answer.said


async def test_a_row_that_was_tampered_with_lets_nobody_in(clinic: Clinic) -> None:
    """Another account's row in the place of one's own: it does not open there."""
    services = clinic.system.services
    other = clinic.accounts["administrator"].id
    row = await services.database.fetch_one("SELECT sealed FROM account WHERE id = $1", (other,))
    assert row is not None
    mine = clinic.accounts["app"].id
    change = Change("UPDATE account SET sealed = $1 WHERE id = $2", [(row[0], mine)], expect=1)
    await services.database.commit([change])
    services.generations.changed("accounts")
    answer = await clinic.ask("GET", PATH, who="app")
    assert answer.status >= 400
    assert b"ada" not in answer.body
