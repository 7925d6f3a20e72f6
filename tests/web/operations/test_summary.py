"""Patient/$summary over the real store: the IPS structure, decisions, labels, and the ledger."""

import pytest

from carekeep.fhir import validate
from tests.fhir.documents.charts import HOSTILE, allergy, condition
from tests.fhir.documents.ips import CHECKS, composition, resolved, sections, words_of
from tests.web.clinic import Clinic, chart, on_sqlite
from tests.web.operations.charts import BASE, disclosed, parameters
from tests.web.operations.hiding import labels_count, secret

IDENTIFIER = {"system": "https://example.org/mrn", "value": "4711"}


@pytest.mark.parametrize("who", ["physician", "ada", "engine"])
async def test_the_summary_of_a_chart(clinic: Clinic, who: str) -> None:
    answer = await clinic.ask("GET", "Patient/ada/$summary", who=who)
    assert answer.status == 200
    assert [name for name, holds in CHECKS.items() if not holds(answer.json)] == []
    assert validate(answer.json) == ()
    told = {code: words_of(section["text"]) for code, section in sections(answer.json).items()}
    assert list(told) == ["11450-4", "48765-2", "10160-0", "11369-6", "30954-2", "47519-4", "46264-8"]
    assert "Metformin 500 mg" in told["10160-0"]
    assert "Pacemaker XY" in told["46264-8"]
    assert answer.json["timestamp"] == "2026-11-05T12:00:00.000Z"


async def test_the_ledger_names_everything_in_it_and_nothing_else(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "Patient/ada/$summary", who="physician")
    prefix = f"{BASE}/"
    stored = {url.removeprefix(prefix) for url in resolved(answer.json) if url.startswith(prefix)}
    assert disclosed(answer.entry) == stored
    assert answer.entry is not None
    assert (answer.entry.outcome, answer.entry.query) == ("permitted", "Patient/ada/$summary")
    assert "CareTeam/ada-team" not in stored


@on_sqlite
async def test_a_summary_of_nothing_says_so(clinic: Clinic) -> None:
    await clinic.put({"resourceType": "Patient", "id": "new"})
    answer = await clinic.ask("GET", "Patient/new/$summary")
    assert [name for name, holds in CHECKS.items() if not holds(answer.json)] == []
    assert {each["emptyReason"]["coding"][0]["code"] for each in sections(answer.json).values()} == {"unavailable"}


async def test_the_organization_answers_for_it(clinic: Clinic) -> None:
    managed = {**chart("ada", "Moreau")[0], "managingOrganization": {"reference": "Organization/clinic"}}
    await clinic.put(managed)
    answer = await clinic.ask("GET", "Patient/ada/$summary", who="ada")
    assert composition(answer.json)["author"][0] == {"reference": f"{BASE}/Organization/clinic"}
    assert "Organization/clinic" in disclosed(answer.entry)


@pytest.mark.parametrize("path", ["Patient/bob/$summary", "Patient/bob/$summary?profile="])
async def test_of_a_patient_without_relation_it_is_denied_and_that_is_recorded(clinic: Clinic, path: str) -> None:
    answer = await clinic.ask("GET", path.removesuffix("?profile="), who="physician")
    assert (answer.status, answer.entry.outcome if answer.entry else "") == (403, "denied")
    assert answer.entry is not None
    assert answer.entry.patients == ("bob",)
    assert answer.entry.reason in answer.said


async def test_protected_records_are_left_out_without_a_trace(clinic: Clinic) -> None:
    with labels_count():
        before = await clinic.ask("GET", "Patient/ada/$summary", who="physician")
        await clinic.put(secret(condition("ada-hidden", "Something protected")))
        await clinic.put(secret(allergy("ada-hidden", "Something protected")))
        after = await clinic.ask("GET", "Patient/ada/$summary", who="physician")
    assert [each["text"] for each in composition(after.json)["section"]] == [
        each["text"] for each in composition(before.json)["section"]
    ]
    assert b"hidden" not in after.body
    assert all("special protection" in words_of(each["text"]) for each in composition(after.json)["section"])
    assert disclosed(after.entry) == disclosed(before.entry)
    assert "security" not in after.json["meta"]


async def test_who_may_see_them_gets_them_with_their_label(clinic: Clinic) -> None:
    await clinic.put(secret(condition("ada-hidden", "Something protected")))
    answer = await clinic.ask("GET", "Patient/ada/$summary", who="physician")
    assert "Something protected" in words_of(sections(answer.json)["11450-4"]["text"])
    assert [label["code"] for label in answer.json["meta"]["security"]] == ["V"]


async def test_by_identifier(clinic: Clinic) -> None:
    await clinic.put({**chart("ada", "Moreau")[0], "identifier": [IDENTIFIER]})
    for asked in ("https://example.org/mrn|4711", "4711"):
        answer = await clinic.ask("GET", f"Patient/$summary?identifier={asked}", who="physician")
        assert answer.status == 200
        assert composition(answer.json)["subject"] == {"reference": f"{BASE}/Patient/ada"}
    by_post = parameters(identifier__valueString="4711")
    assert (await clinic.ask("POST", "Patient/$summary", by_post, who="physician")).status == 200


async def test_by_the_identifier_of_a_stranger_there_is_nobody(clinic: Clinic) -> None:
    await clinic.put({**chart("bob", "Lindqvist")[0], "identifier": [IDENTIFIER]})
    answer = await clinic.ask("GET", "Patient/$summary?identifier=4711", who="physician")
    nobody = await clinic.ask("GET", "Patient/$summary?identifier=4712", who="physician")
    assert (answer.status, answer.body) == (404, nobody.body)
    assert answer.entry is not None
    assert (answer.entry.outcome, answer.entry.patients) == ("failed", ())


@on_sqlite
async def test_an_identifier_of_several_is_refused(clinic: Clinic) -> None:
    for id_ in ("ada", "bob"):
        await clinic.put({**chart(id_, "X")[0], "identifier": [IDENTIFIER]})
    assert (await clinic.ask("GET", "Patient/$summary?identifier=4711")).status == 412


@on_sqlite
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("Patient/$summary", 400),
        ("Patient/$summary?identifier=4711&graph=x", 400),
        ("Patient/ada/$summary?identifier=4711", 400),
        ("Patient/ada/$summary?profile=https://example.org/other", 422),
        ("Patient/ada/$summary?profile=http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips|2.0.0", 200),
        ("Observation/ada-pulse/$summary", 404),
    ],
)
async def test_what_it_takes(clinic: Clinic, path: str, status: int) -> None:
    assert (await clinic.ask("GET", path, who="ada")).status == status


@on_sqlite
async def test_text_of_stored_records_is_never_markup(clinic: Clinic) -> None:
    notes = [{"text": text} for text in HOSTILE]
    await clinic.put({**chart("ada", "Moreau")[0], "name": [{"text": "".join(HOSTILE)}]})
    await clinic.put(condition("ada-asthma", HOSTILE[0], note=notes))
    answer = await clinic.ask("GET", "Patient/ada/$summary", who="ada")
    assert validate(answer.json) == ()
    told = words_of(sections(answer.json)["11450-4"]["text"])
    assert all(text in told for text in HOSTILE)
    assert all("<script" not in each["text"]["div"] for each in composition(answer.json)["section"])
    assert "".join(HOSTILE) in words_of(composition(answer.json)["text"])
