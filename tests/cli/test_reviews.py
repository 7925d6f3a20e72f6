"""Emergencies at the machine: what is open is listed, a person answers as themself, and a letter is noted as sent."""

import asyncio
import json
from pathlib import Path

from carekeep.app import System, open_system
from carekeep.cli.installation import read_passphrase
from carekeep.cli.operator import record_operation
from carekeep.encryption import Secret, new_totp_key, totp_code
from carekeep.identity import Kind
from carekeep.settings import load_settings
from carekeep.storage import Prepared, system_clock
from carekeep.web.housekeeping import Housekeeping
from tests.cli.conftest import Run

PASSWORD = "a long password for tests"  # noqa: S105
REASON = "Unconscious after a fall, allergies unknown."
TEXT = ("--text", "Seen with the ward: nobody else could be asked.")


async def an_emergency(system: System, key: Secret) -> str:
    """An auditor with codes, and an emergency of a patient without an account; the id of the question."""
    services = system.services
    auditor = await services.accounts.prepare_create(
        Kind.AUDITOR, name="The auditor", login="officer", password=Secret(PASSWORD), totp_key=key
    )
    clinician = await services.accounts.prepare_create(
        Kind.PRACTITIONER, name="M. Wong", login="mwong", fhir_user="Practitioner/mwong"
    )
    await record_operation(services, "test", "accounts", auditor, clinician)
    scope = system.keyring.prepare_scope(system.keyring.scope_of("old"))
    await record_operation(services, "test", "a patient", Prepared(None, scope.steps, scope.pins))
    who = services.tokens.prepare_issue(clinician.value, 1).value.principal
    grant = await services.break_glass.prepare_open(who, "old", REASON)
    review = await services.reviews.prepare_for_access(who, grant.value)
    await record_operation(services, "test", "an emergency", grant, review)
    await Housekeeping(services).tidy()
    return review.value.id.hex()


def test_a_question_is_listed_answered_and_closed(run: Run, home: Path) -> None:
    settings, key = load_settings(home), new_totp_key()

    async def work() -> str:
        async with open_system(settings, read_passphrase(settings)) as system:
            return await an_emergency(system, key)

    number = asyncio.run(work())
    listed = run("reviews", "list", "--json")
    (shown,) = json.loads(listed.out)["reviews"]
    assert (shown["id"], shown["letter"], shown["verdict"], shown["clinician_login"]) == (
        number,
        "due",
        "open",
        "mwong",
    )
    assert not any(secret in listed.out for secret in (REASON, '"old"'))
    given = ("--as", "officer", "--verdict", "justified", "--revision", str(shown["revision"]), *TEXT)
    wrong = run("reviews", "answer", number, *given, typed="not the password\n123456\n")
    assert wrong.code == 3
    typed = f"{PASSWORD}\n{totp_code(key, system_clock())}\n"
    answered = run("reviews", "answer", number, *given, typed=typed)
    assert (answered.code, answered.out) == (0, "Answered: justified.\n"), answered.err
    assert run("reviews", "letter-sent", number).code == 0
    assert json.loads(run("reviews", "list", "--json").out)["reviews"] == []
