"""What an entry of a batch can ask beside records: operations, and searches of a compartment."""

import pytest

from carekeep.audit import What
from tests.web.clinic import Clinic, Json, observation, on_sqlite
from tests.web.test_transaction_rules import entry, statuses, transact

PETS: Json = {
    "resourceType": "ValueSet",
    "id": "pets",
    "url": "https://example.org/pets",
    "status": "active",
    "compose": {"include": [{"system": "urn:pets", "concept": [{"code": "cat"}, {"code": "dog"}]}]},
}
PARAMETERS: Json = {"resourceType": "Parameters", "parameter": [{"name": "_type", "valueCode": "Observation"}]}


async def test_operations_in_a_batch(clinic: Clinic) -> None:
    await clinic.put(PETS)
    answer = await transact(
        clinic,
        entry("GET", "Patient/ada/$everything?_type=Observation"),
        entry("POST", "Patient/ada/$everything", PARAMETERS),
        entry("GET", "ValueSet/pets/$expand"),
        entry("GET", "ValueSet/$expand?url=https://example.org/pets"),
        entry("POST", "Observation/$validate", observation("x", "ada", 70, "2026-06-01")),
        kind="batch",
    )
    assert statuses(answer) == ["200"] * 5
    first, second, expanded, by_url, valid = (each["resource"] for each in answer.json["entry"])
    assert {each["resource"]["id"] for each in first["entry"]} >= {"ada-pulse", "ada-pulse-2"}
    assert [each["resource"] for each in first["entry"]] == [each["resource"] for each in second["entry"]]
    assert [each["code"] for each in expanded["expansion"]["contains"]] == ["cat", "dog"]
    assert by_url["expansion"]["contains"] == expanded["expansion"]["contains"]
    assert valid["resourceType"] == "OperationOutcome"


async def test_each_operation_of_a_batch_is_decided_and_recorded(clinic: Clinic) -> None:
    asked = [entry("GET", f"Patient/{name}/$everything") for name in ("ada", "bob", "nobody")]
    answer = await transact(clinic, *asked, who="physician", kind="batch", **{"x-request-id": "several"})
    assert statuses(answer) == ["200", "403", "404"]
    ledger = clinic.system.services.ledger
    entries = [ledger.open(sealed.leaf)[0] async for sealed in ledger.waiting()]
    seen = {what for each in entries if each.request_id == "several" for what in each.what}
    assert What("Observation/ada-pulse", 1) in seen
    assert not any("bob-" in what.reference for what in seen)


async def test_a_compartment_in_a_batch(clinic: Clinic) -> None:
    answer = await transact(
        clinic,
        entry("GET", "Patient/ada/Observation?code=8867-4"),
        entry("GET", "Patient/ada/*?_type=Observation"),
        entry("GET", "Patient/bob/Observation"),
        who="physician",
        kind="batch",
    )
    assert statuses(answer) == ["200", "200", "403"]
    found = [each["resource"]["id"] for each in answer.json["entry"][0]["resource"]["entry"]]
    assert found
    assert all(name.startswith("ada-") for name in found)


REFUSED = [
    (entry("DELETE", "Patient/ada/$everything"), "400"),
    (entry("PUT", "Patient/ada/Observation", observation("x", "ada", 1, "2026-06-01")), "400"),
    (entry("POST", "Patient/ada/Observation", observation("x", "ada", 1, "2026-06-01")), "400"),
    (entry("GET", "Patient/ada/_history/$meta"), "400"),
    (entry("GET", "Patient/ada/Observation/$lastn"), "400"),
    (entry("GET", "Patient/ada/$everything", PARAMETERS), "400"),
    (entry("GET", "Patient/$export"), "400"),
    (entry("GET", "Patient/ada/$nothing"), "404"),
    (entry("GET", "ValueSet/$expand?url=urn:x"), "404"),
    (entry("GET", "Patient/ada/Nothing"), "404"),
    (entry("GET", "Patient/ada/$everything?_since=never"), "400"),
    (entry("GET", "Observation/ada-pulse/Patient"), "400"),
    (entry("POST", "ValueSet/$expand", {"resourceType": "Basic"}), "400"),
    (entry("POST", "Patient/ada/$break-glass"), "400"),
]


@on_sqlite
@pytest.mark.parametrize(("asked", "status"), REFUSED, ids=lambda each: str(each)[:90])
async def test_what_an_entry_cannot_ask_is_told(clinic: Clinic, asked: Json, status: str) -> None:
    answer = await transact(clinic, asked, kind="batch")
    assert statuses(answer) == [status]
    assert answer.json["entry"][0]["response"]["outcome"]["issue"][0]["diagnostics"]


@on_sqlite
@pytest.mark.parametrize("url", ["Patient/ada/$everything", "Patient/ada/Observation"])
async def test_a_transaction_takes_neither_and_leaves_nothing(clinic: Clinic, url: str) -> None:
    made = observation("made", "ada", 1, "2026-06-01")
    answer = await transact(clinic, entry("PUT", "Observation/made", made), entry("GET", url))
    assert answer.status == 400
    assert "send a batch" in answer.said
    assert (await clinic.ask("GET", "Observation/made", who="engine")).status == 404
