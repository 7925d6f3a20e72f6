"""Who may do what to a record, and why: as the guard answers them, and nobody who has nothing to do with it."""

from carekeep.access.explaining import Answer, answers_for
from carekeep.web.passage import target_of
from tests.web.clinic import Clinic, on_sqlite


async def explained(clinic: Clinic, login: str | None = None) -> list[Answer]:
    services = clinic.system.services
    stored = await services.vault.read("Observation", "ada-pulse")
    found = answers_for(services.guard, services.accounts, target_of(stored), None, login, clinic.time())
    return [each async for each in found]


@on_sqlite
async def test_those_with_a_right_are_named_with_the_policies(clinic: Clinic) -> None:
    found = await explained(clinic)
    assert {each.login for each in found} == {"physician", "ada", "engine"}
    by = {(each.login, each.action): (each.answer, each.policies) for each in found}
    assert by["physician", "fhir:record:read"] == ("permitted", ("care.read",))
    assert by["ada", "fhir:record:read"] == ("permitted", ("own.read",))
    assert by["ada", "fhir:record:update"] == ("denied", ())
    assert by["engine", "fhir:record:delete"] == ("permitted", ("system.records",))


@on_sqlite
async def test_one_person_is_told_of_whatever_the_answer(clinic: Clinic) -> None:
    found = {each.action: each for each in await explained(clinic, "emergency")}
    assert found["fhir:record:read"].answer == "denied"
    assert "no care relationship" in found["fhir:record:read"].reason
    assert (found["fhir:patient:break-glass"].answer, found["fhir:patient:break-glass"].purpose) == (
        "permitted",
        "ETREAT",
    )
    assert await explained(clinic, "nobody") == []
