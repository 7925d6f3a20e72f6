"""Composition/$document: whole or not at all."""

import pytest

from carekeep.fhir import validate
from tests.fhir.documents.charts import labelled
from tests.fhir.documents.ips import references
from tests.web.clinic import Clinic, on_sqlite
from tests.web.operations.charts import BASE, Json, disclosed, found, parameters
from tests.web.operations.hiding import labels_count, secret

LETTER: Json = {
    "resourceType": "Composition",
    "id": "letter",
    "status": "final",
    "type": {"text": "Letter"},
    "subject": {"reference": "Patient/ada"},
    "date": "2026-01-01",
    "author": [{"reference": "Practitioner/physician"}],
    "title": "A letter",
    "section": [
        {"title": "Problems", "entry": [{"reference": "Condition/ada-asthma"}]},
        {"title": "Elsewhere", "entry": [{"reference": "https://elsewhere.example.org/fhir/Condition/1"}]},
    ],
}
PARTS = ["Composition/letter", "Patient/ada", "Practitioner/physician", "Condition/ada-asthma"]


async def test_a_document_holds_what_the_composition_refers_to(clinic: Clinic) -> None:
    await clinic.put(LETTER)
    answer = await clinic.ask("GET", "Composition/letter/$document", who="physician")
    assert answer.status == 200
    assert (answer.json["type"], answer.json["timestamp"]) == ("document", "2026-11-05T12:00:00.000Z")
    assert found(answer.json)[0] == PARTS[0]
    assert set(found(answer.json)) == set(PARTS)
    assert {entry["fullUrl"] for entry in answer.json["entry"]} == {f"{BASE}/{part}" for part in PARTS}
    assert validate(answer.json) == ()
    assert disclosed(answer.entry) == set(PARTS)
    again = await clinic.ask("POST", "Composition/letter/$document", parameters(persist__valueBoolean=False))
    assert again.json["identifier"] != answer.json["identifier"]
    assert "https://elsewhere.example.org/fhir/Condition/1" in set(references(again.json))


@on_sqlite
async def test_it_carries_the_highest_label(clinic: Clinic) -> None:
    await clinic.put(labelled(LETTER, "R"))
    answer = await clinic.ask("GET", "Composition/letter/$document")
    assert [label["code"] for label in answer.json["meta"]["security"]] == ["R"]


async def test_with_a_part_that_may_not_be_seen_it_is_denied(clinic: Clinic) -> None:
    await clinic.put(LETTER)
    condition = (await clinic.ask("GET", "Condition/ada-asthma")).json
    await clinic.put(secret(condition))
    with labels_count():
        answer = await clinic.ask("GET", "Composition/letter/$document", who="physician")
    assert answer.status == 403
    assert (answer.entry.outcome if answer.entry else "", disclosed(answer.entry)) == (
        "denied",
        {"Condition/ada-asthma"},
    )


@on_sqlite
@pytest.mark.parametrize("deleted", [True, False])
async def test_with_a_part_that_is_not_there_it_is_refused(clinic: Clinic, deleted: bool) -> None:
    letter = LETTER
    if deleted:
        await clinic.ask("DELETE", "Condition/ada-asthma")
    else:
        letter = {**LETTER, "section": [{"title": "x", "entry": [{"reference": "Condition/nothing"}]}]}
    await clinic.put(letter)
    answer = await clinic.ask("GET", "Composition/letter/$document", who="physician")
    assert (answer.status, answer.json["issue"][0]["code"]) == (422, "not-found")
    assert answer.entry is not None
    assert answer.entry.outcome == "failed"


@on_sqlite
@pytest.mark.parametrize(
    ("query", "status"), [("?persist=true", 422), ("?persist=maybe", 400), ("?graph=x", 400), ("?persist=false", 200)]
)
async def test_documents_are_not_kept(clinic: Clinic, query: str, status: int) -> None:
    await clinic.put(LETTER)
    assert (await clinic.ask("GET", f"Composition/letter/$document{query}")).status == status


@on_sqlite
async def test_of_a_stranger_it_is_denied(clinic: Clinic) -> None:
    await clinic.put({**LETTER, "subject": {"reference": "Patient/bob"}})
    answer = await clinic.ask("GET", "Composition/letter/$document", who="physician")
    assert (answer.status, answer.entry.patients if answer.entry else ()) == (403, ("bob",))
