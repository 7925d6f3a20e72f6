"""What entries of a transaction mean to each other: references, conditions, order, and nothing left when one fails."""

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest

from carekeep.audit import What
from tests.fhir.patch.fhirpath_patch_cases import operation, parameters
from tests.web.clinic import Answer, Clinic, Json, observation, on_sqlite, records_kept

URN = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
OTHER = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
OID = "urn:oid:1.2.840.113619.2"


def entry(method: str, url: str, resource: Json | None = None, full_url: str | None = None, **request: str) -> Json:
    made: Json = {"request": {"method": method, "url": url, **request}}
    if resource is not None:
        made["resource"] = resource
    return made | ({"fullUrl": full_url} if full_url else {})


def patient(family: str = "Ngata", number: str = "1") -> Json:
    return {
        "resourceType": "Patient",
        "name": [{"family": family}],
        "identifier": [{"system": "urn:mrn", "value": number}],
    }


def pulse(subject: str, number: str | None = None) -> Json:
    made = observation("x", "y", 70, "2026-06-01") | {"subject": {"reference": subject}}
    del made["id"]
    return made | ({"identifier": [{"system": "urn:lab", "value": number}]} if number else {})


MINE, NUMBERED = pulse("Patient/ada"), pulse("Patient/ada", "1")
CHANGED = observation("ada-pulse", "ada", 1, "2026-07-01")
NO_NOTE = parameters(operation("delete", "Observation.note"))
ONE, TWO = "Bundle.entry[1]", "Bundle.entry[2]"


async def transact(
    clinic: Clinic, *entries: Json, who: str = "engine", kind: str = "transaction", **headers: str
) -> Answer:
    body = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
    return await clinic.ask("POST", "", body, who=who, headers=headers)


def statuses(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [each["response"]["status"][:3] for each in answer.json["entry"]]


def resources(answer: Answer) -> list[Json]:
    assert answer.status == 200, answer.body
    return [each.get("resource") for each in answer.json["entry"]]


async def tables(clinic: Clinic) -> list[int]:
    """How many rows everything has that a transaction could leave behind."""
    counts = [await records_kept(clinic.system.database)]
    for table in ("record", "tag", "record_home", "patient_key", "condition_guard"):
        row = await clinic.system.database.fetch_one(f"SELECT count(*) FROM {table}")  # noqa: S608 - names from here
        assert row is not None
        counts.append(row[0])
    return counts


# -------------------------------------------------------------------------------------------------- references


@pytest.mark.parametrize(
    ("full_url", "reference"),
    [
        (URN, URN),
        (OID, OID),
        ("https://elsewhere.example.org/fhir/Patient/7", "https://elsewhere.example.org/fhir/Patient/7"),
        ("https://elsewhere.example.org/fhir/Patient/7", "Patient/7"),
        (URN, "Patient?identifier=urn:mrn|1"),
    ],
)
async def test_references_to_what_the_bundle_creates(clinic: Clinic, full_url: str, reference: str) -> None:
    beside = "https://elsewhere.example.org/fhir/Observation/8"
    for entries in (
        [entry("POST", "Patient", patient(), full_url), entry("POST", "Observation", pulse(reference), beside)],
        [entry("POST", "Observation", pulse(reference), beside), entry("POST", "Patient", patient("B", "2"), full_url)],
    ):
        if "?" in reference and entries[0]["request"]["url"] == "Observation":
            continue  # the second patient has another number; there is one of the first by then
        answer = await transact(clinic, *entries)
        made = {each["resourceType"]: each for each in resources(answer)}
        assert made["Observation"]["subject"]["reference"] == f"Patient/{made['Patient']['id']}"
        assert answer.entry is not None
        assert answer.entry.patients == (made["Patient"]["id"],)


async def test_references_to_what_is_there(clinic: Clinic) -> None:
    answer = await transact(
        clinic,
        entry("POST", "Observation", pulse("Patient/ada")),
        entry("POST", "Observation", pulse("Patient?family=moreau")),
        entry("PUT", "Patient/bob", {"resourceType": "Patient", "id": "bob", "name": [{"family": "Moreau-Lindqvist"}]}),
        entry("POST", "Observation", pulse("Patient?family:exact=Moreau-Lindqvist")),
    )
    # A reference means what will be there: bob's new name is found, as is nobody by a name that he had.
    assert answer.status == 412
    answer = await transact(
        clinic,
        entry("POST", "Observation", pulse("Patient/ada")),
        entry("PUT", "Patient/bob", {"resourceType": "Patient", "id": "bob", "name": [{"family": "Strand"}]}),
        entry("POST", "Observation", pulse("Patient?family=strand")),
    )
    assert [each["subject"]["reference"] for each in resources(answer) if "subject" in each] == [
        "Patient/ada",
        "Patient/bob",
    ]


@on_sqlite
async def test_what_the_bundle_deletes_is_not_referred_to(clinic: Clinic) -> None:
    before = await tables(clinic)
    answer = await transact(
        clinic,
        entry("DELETE", "Patient/bob"),
        entry("POST", "Observation", pulse("Patient?family=lindqvist")),
    )
    assert (answer.status, answer.json["issue"][0]["expression"]) == (412, ["Bundle.entry[1].resource"])
    assert await tables(clinic) == before


# -------------------------------------------------------------------------------------------------- conditions


async def test_create_unless_it_is_there(clinic: Clinic) -> None:
    entries = [
        entry("POST", "Patient", patient(), URN, ifNoneExist="identifier=urn:mrn|1"),
        entry("POST", "Observation", pulse(URN, "1"), ifNoneExist="identifier=urn:lab|1"),
    ]
    first = await transact(clinic, *entries)
    assert statuses(first) == ["201", "201"]
    made, measured = resources(first)
    assert measured["subject"]["reference"] == f"Patient/{made['id']}"
    before = await records_kept(clinic.system.database)
    again = await transact(clinic, *entries, entry("POST", "Observation", pulse(URN, "2")))
    assert statuses(again) == ["200", "200", "201"]
    assert [each["id"] for each in resources(again)[:2]] == [made["id"], measured["id"]]
    assert resources(again)[2]["subject"]["reference"] == f"Patient/{made['id']}"
    assert again.json["entry"][0]["response"]["location"].endswith(f"Patient/{made['id']}/_history/1")
    assert await records_kept(clinic.system.database) == before + 1
    assert again.entry is not None
    assert What(f"Patient/{made['id']}", 1) in again.entry.what
    assert again.entry.query == "Patient?identifier=urn:mrn|1\nObservation?identifier=urn:lab|1"


async def test_the_same_condition_twice_is_one_record(clinic: Clinic) -> None:
    answer = await transact(
        clinic,
        entry("POST", "Patient", patient(), URN, ifNoneExist="identifier=urn:mrn|1"),
        entry("POST", "Patient", patient(), OTHER, ifNoneExist="identifier=urn:mrn|1"),
        entry("POST", "Observation", pulse(OTHER)),
    )
    assert statuses(answer) == ["201", "200", "201"]
    one, other, measured = resources(answer)
    assert one == other
    assert measured["subject"]["reference"] == f"Patient/{one['id']}"


async def test_a_create_sees_the_creates_and_deletes_before_it(clinic: Clinic) -> None:
    beside = await transact(
        clinic,
        entry("POST", "Patient", patient("A"), URN),
        entry("POST", "Patient", patient("B"), OTHER, ifNoneExist="identifier=urn:mrn|1"),
    )
    assert statuses(beside) == ["201", "200"]
    made = resources(beside)[0]["id"]
    anew = await transact(
        clinic,
        entry("POST", "Patient", patient("C"), URN, ifNoneExist="identifier=urn:mrn|1"),
        entry("DELETE", f"Patient/{made}"),
    )
    assert statuses(anew) == ["201", "204"]


async def test_conditional_updates_patches_and_deletes(clinic: Clinic) -> None:
    made = resources(await transact(clinic, *(entry("POST", "Observation", pulse("Patient/ada", n)) for n in "123")))
    patch = parameters(operation("replace", "Observation.status", value={"valueCode": "amended"}))
    changed = pulse("Patient/ada", "1") | {"status": "corrected"}
    answer = await transact(
        clinic,
        entry("PUT", "Observation?identifier=urn:lab|1", changed),
        entry("PATCH", "Observation?identifier=urn:lab|2", patch),
        entry("DELETE", "Observation?identifier=urn:lab|3"),
        entry("PUT", "Observation?identifier=urn:lab|4", pulse("Patient/ada", "4")),
        entry("DELETE", "Observation?identifier=urn:lab|5"),
    )
    assert statuses(answer) == ["200", "200", "204", "201", "204"]
    assert [each and (each["id"], each["status"]) for each in resources(answer)[:3]] == [
        (made[0]["id"], "corrected"),
        (made[1]["id"], "amended"),
        None,
    ]
    assert (await clinic.ask("GET", f"Observation/{made[2]['id']}")).status == 410


@on_sqlite
@pytest.mark.parametrize(
    ("entries", "status", "where"),
    [
        ([entry("POST", "Observation", MINE, ifNoneExist="patient=ada")], 412, ONE),
        ([entry("PUT", "Observation?patient=ada", MINE)], 412, ONE),
        ([entry("DELETE", "Observation?patient=ada")], 412, ONE),
        ([entry("PATCH", "Observation?_id=nothing", NO_NOTE)], 404, ONE),
        ([entry("POST", "Observation", MINE, ifNoneExist="colour=red")], 400,
         f"{ONE}.request.ifNoneExist"),
        ([entry("POST", "Observation", MINE, ifNoneExist="")], 400, f"{ONE}.request.ifNoneExist"),
        ([entry("DELETE", "Observation?colour=red")], 400, f"{ONE}.request.url"),
        ([entry("DELETE", "Observation?_count=1")], 400, f"{ONE}.request.url"),
        ([entry("PUT", "Observation/ada-pulse", CHANGED, ifMatch="new")], 400,
         f"{ONE}.request.ifMatch"),
        ([entry("PUT", "Observation/ada-pulse", CHANGED, ifMatch='W/"9"')], 412,
         ONE),
        ([entry("PUT", "Observation/ada-pulse", CHANGED, ifNoneMatch="*")], 412,
         ONE),
        ([entry("PUT", "Observation/ada-pulse", CHANGED, ifNoneMatch='W/"2"')], 400,
         f"{ONE}.request.ifNoneMatch"),
        ([entry("PUT", "Observation?_id=ada-pulse", observation("other", "ada", 1, "2026-07-01"))], 400,
         f"{ONE}.resource.id"),
        ([entry("PATCH", "Observation/ada-pulse", parameters(operation("delete", "Observation.code")))], 422,
         f"{ONE}.resource.code"),
        ([entry("PATCH", "Observation/ada-pulse", parameters(operation("merge", "Observation")))], 400,
         f"{ONE}.resource.parameter[0]"),
        ([entry("PATCH", "Observation/ada-pulse",
                {"resourceType": "Binary", "contentType": "text/plain", "data": "W10="})], 400,
         f"{ONE}.resource.contentType"),
        ([entry("PATCH", "Observation/ada-pulse",
                {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": "e30="})], 400,
         f"{ONE}.resource.data"),
        ([entry("PATCH", "Observation/nothing", NO_NOTE)], 404, ONE),
        ([entry("POST", "AuditEvent", {"resourceType": "AuditEvent"})], 422, f"{ONE}.resource"),
        ([entry("PUT", "Observation?_id=ada-pulse", MINE), entry("DELETE", "Observation/ada-pulse")], 400,
         f"{TWO}.request.url"),
        ([entry("PUT", "Observation?_id=ada-pulse", MINE),
          entry("PATCH", "Observation?patient=ada&date=2026-03-01", NO_NOTE)], 400,
         f"{ONE}.request.url"),
        ([entry("PUT", "Observation?identifier=urn:lab|1", NUMBERED),
          entry("PUT", "Observation?identifier=urn:lab|1", NUMBERED)], 400, f"{TWO}.request.url"),
        ([entry("POST", "Observation", NUMBERED),
          entry("DELETE", "Observation/x?identifier=urn:lab|1")], 400, f"{TWO}.request.url"),
        ([entry("POST", "Observation", pulse("Patient?family=lindqvist,moreau"))], 412, f"{ONE}.resource"),
        ([entry("POST", "Observation", pulse("Patient?colour=red"))], 400, f"{ONE}.resource"),
        ([entry("POST", "Observation", pulse("urn:uuid:nothing"))], 422, f"{ONE}.resource.subject.reference"),
        ([entry("GET", "Observation/nothing")], 404, f"{ONE}.request.url"),
        ([entry("GET", "Observation?colour=red")], 400, f"{ONE}.request.url"),
        ([entry("DELETE", "Observation/ada-pulse"), entry("GET", "Observation/ada-pulse")], 410, f"{TWO}.request.url"),
        ([entry("POST", "Observation", MINE, full_url=OTHER)], 400, "Bundle"),
    ],
)  # fmt: skip
async def test_one_entry_that_cannot_be_done_leaves_nothing(
    clinic: Clinic, entries: list[Json], status: int, where: str
) -> None:
    before = await tables(clinic)
    good = entry("POST", "Patient", patient("New", "77"), OTHER, ifNoneExist="identifier=urn:mrn|77")
    answer = await transact(clinic, good, *entries)
    assert answer.status == status, answer.body
    places = [place for issue in answer.json["issue"] for place in issue.get("expression", [])]
    assert any(place.startswith(where) for place in places), places
    assert await tables(clinic) == before


async def test_failure_leaves_nothing_on_either_database(clinic: Clinic) -> None:
    before = await tables(clinic)
    for bad in (
        entry("PUT", "Observation/ada-pulse", observation("ada-pulse", "ada", 1, "2026-07-01"), ifMatch='W/"9"'),
        entry("POST", "Observation", pulse("Patient?family=nobody")),
        entry("GET", "Observation/nothing"),
    ):
        entries = [
            entry("POST", "Patient", patient(number=str(n)), ifNoneExist=f"identifier=urn:mrn|{n}") for n in range(20)
        ]
        assert (await transact(clinic, *entries, entry("DELETE", "Condition/ada-asthma"), bad)).status >= 400
        assert await tables(clinic) == before
    assert (await clinic.ask("GET", "Condition/ada-asthma")).status == 200


async def test_reads_see_the_changes_and_need_their_own_permission(clinic: Clinic) -> None:
    answer = await transact(
        clinic,
        entry("GET", "Observation/ada-pulse"),
        entry("HEAD", "Observation/ada-pulse"),
        entry("GET", "Observation/ada-pulse/_history"),
        entry("PUT", "Observation/ada-pulse", observation("ada-pulse", "ada", 91, "2026-03-01")),
        who="physician",
    )
    assert statuses(answer) == ["200", "200", "200", "200"]
    assert resources(answer)[0]["valueQuantity"]["value"] == 91
    assert resources(answer)[1] is None
    assert len(resources(answer)[2]["entry"]) == 2
    before = await tables(clinic)
    new = entry("PUT", "Observation/new", observation("new", "ada", 91, "2026-03-01"))
    assert (await transact(clinic, new, entry("GET", "Observation/bob-pulse"), who="physician")).status == 403
    assert await tables(clinic) == before


async def test_a_json_patch_comes_in_a_binary(clinic: Clinic) -> None:
    operations = [{"op": "replace", "path": "/valueQuantity/value", "value": 81}]
    data = base64.b64encode(json.dumps(operations).encode()).decode()
    body = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data}
    for kind in ("transaction", "batch"):
        answer = await transact(clinic, entry("PATCH", "Observation/ada-pulse", body), kind=kind)
        assert statuses(answer) == ["200"]
        assert resources(answer)[0]["valueQuantity"]["value"] == 81


async def test_preferences_hold_for_the_entries(clinic: Clinic) -> None:
    for kind in ("transaction", "batch"):
        made = entry("POST", "Observation", pulse("Patient/ada"))
        less = await transact(clinic, made, kind=kind, prefer="return=minimal")
        assert resources(less) == [None]
        assert less.json["entry"][0]["response"]["location"]
        told = await transact(clinic, made, kind=kind, prefer="return=OperationOutcome")
        assert resources(told)[0] is None or resources(told)[0]["resourceType"] == "OperationOutcome"


async def test_a_batch_takes_conditions_entry_by_entry(clinic: Clinic) -> None:
    answer = await transact(
        clinic,
        entry("POST", "Observation", pulse("Patient/ada", "1"), ifNoneExist="identifier=urn:lab|1"),
        entry("PUT", "Observation?patient=ada", pulse("Patient/ada")),
        entry("GET", "Observation/ada-pulse", ifNoneMatch='W/"1"'),
        entry("GET", "Observation/ada-pulse", ifModifiedSince="2027-01-01T00:00:00Z"),
        entry("GET", "Observation/ada-pulse", ifModifiedSince="2026-01-01T00:00:00Z"),
        entry("HEAD", "Observation/ada-pulse"),
        entry("DELETE", "Observation?identifier=urn:lab|none"),
        entry("PATCH", "Observation/ada-pulse", parameters(operation("merge", "x"))),
        entry("POST", "Observation", pulse("Patient?family=moreau")),
        kind="batch",
        who="physician",
    )
    assert statuses(answer) == ["201", "412", "304", "304", "200", "200", "204", "400", "422"]


async def test_transactions_at_once_create_one_of_each(clinic: Clinic) -> None:
    def visit(number: int) -> Sequence[Json]:
        return [
            entry("POST", "Patient", patient(), URN, ifNoneExist="identifier=urn:mrn|1"),
            entry("POST", "Observation", pulse(URN, str(number))),
        ]

    answers = await asyncio.gather(*(transact(clinic, *visit(number)) for number in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert len({resources(answer)[0]["id"] for answer in answers}) == 1
    assert [statuses(answer)[0] for answer in answers].count("201") == 1
    found: list[Any] = (await clinic.ask("GET", "Patient?identifier=urn:mrn|1")).json["entry"]
    assert len(found) == 1
    assert len((await clinic.ask("GET", "Observation?identifier=urn:lab|&_count=50")).json["entry"]) == 20
