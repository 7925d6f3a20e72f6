"""Consents that are enforced: from the request that writes one to every answer after it, in every worker."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from carekeep.identity import Kind
from carekeep.identity.apps.grant import Context
from carekeep.web.oauth.authorizing import Authorizing
from tests.access.consents.writing import consent, label
from tests.web.admins import new_account, sign_in
from tests.web.bulk.jobs import bring_in
from tests.web.clinic import Answer, Clinic, Json, care_team, observation, on_sqlite, open_clinic
from tests.web.oauth.desk import Desk

PULSE = "Observation/ada-pulse"
EMERGENCY = {"x-purpose-of-use": "ETREAT"}
JSON_PATCH = {"content-type": "application/json-patch+json"}
RESEARCH = {"x-purpose-of-use": "HRESCH"}


async def keep(clinic: Clinic, text: str, id_: str = "no", patient: str = "ada", **more: Any) -> Answer:
    answer = await clinic.put(consent(text, id_, patient, **more))
    assert answer.status < 300, answer.body
    return answer


async def status(clinic: Clinic, path: str = PULSE, who: str = "physician", **more: Any) -> int:
    return (await clinic.ask("GET", path, who=who, **more)).status


@pytest.fixture
async def elsewhere(clinic: Clinic) -> AsyncIterator[Clinic]:
    """Another worker on the same database, with caches of its own."""
    settings = clinic.system.settings
    async with open_clinic(settings.home, settings.database_url) as other:
        other.time.now_ms = clinic.time()
        other.tokens.update(clinic.tokens)
        await other.system.generations.poll()
        yield other


async def test_each_change_is_obeyed_here_at_once_and_elsewhere_at_the_next_look(
    clinic: Clinic, elsewhere: Clinic
) -> None:
    """However it is changed. Another worker looks four times a second."""
    no, ended = consent("deny", "no", "ada"), consent("status inactive\ndeny", "no", "ada")
    patch = [{"op": "replace", "path": "/status", "value": "active"}]
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": ended, "request": {"method": "PUT", "url": "Consent/no"}}],
    }
    changes: list[tuple[str, str, Json | bytes | None, Mapping[str, str], int]] = [
        ("PUT", "Consent/no", no, {}, 403),
        ("PUT", "Consent/no", ended, {}, 200),
        ("PATCH", "Consent/no", json.dumps(patch).encode(), JSON_PATCH, 403),
        ("POST", "", bundle, {}, 200),
        ("POST", "Consent", no, {}, 403),
    ]
    made = ""
    for method, path, body, headers, expected in changes:
        before = await status(elsewhere)
        assert before == await status(clinic)
        answer = await clinic.ask(method, path, body, headers=headers)
        assert answer.status < 300, answer.body
        made = answer.headers.get("location", made)
        assert (await status(clinic), await status(elsewhere)) == (expected, before)
        await elsewhere.system.generations.poll()
        assert await status(elsewhere) == expected
    id_ = made.split("/Consent/")[1].split("/")[0]
    assert (await clinic.ask("DELETE", f"Consent/{id_}")).status < 300
    await elsewhere.system.generations.poll()
    assert (await status(clinic), await status(elsewhere)) == (200, 200)


@on_sqlite
async def test_an_import_is_obeyed_and_one_that_cannot_be_is_refused(clinic: Clinic) -> None:
    bad = consent("deny", "bad", "ada")
    bad["provision"]["modifierExtension"] = [{"url": "http://example.org/x", "valueBoolean": True}]
    good = consent("deny", "good", "ada")
    assert await status(clinic) == 200
    report = await bring_in(clinic, b"".join(json.dumps(each).encode() + b"\n" for each in (bad, good)))
    [output] = report["output"]
    assert output["count"] == 1
    assert report["error"]
    assert await status(clinic) == 403


def spoiled(name: str, value: object) -> Json:
    resource = consent("deny | for TREAT", "bad", "ada")
    resource["provision"][name] = value
    return resource


BAD = [
    spoiled("purpose", [{"system": "http://example.org", "code": "FooBar"}]),
    spoiled("extension", [{"url": "http://example.org/x", "valueBoolean": True}]),
    spoiled("class", [{"system": "http://example.org", "code": "Diary"}]),
    consent("deny | to Practitioner/nobody-here", "bad", "ada"),
    consent("deny", "bad", "ada") | {"modifierExtension": [{"url": "http://example.org/x", "valueBoolean": True}]},
]


@on_sqlite
async def test_what_cannot_be_enforced_is_refused_by_every_interaction(clinic: Clinic) -> None:
    await keep(clinic, "rule OPTIN", "bad")
    for resource in BAD:
        entry = {"resource": resource, "request": {"method": "POST", "url": "Consent"}}
        element = "modifierExtension" if "modifierExtension" in resource else "provision"
        patch = json.dumps([{"op": "add", "path": f"/{element}", "value": resource[element]}]).encode()
        answers = [
            await clinic.ask("POST", "Consent", resource),
            await clinic.ask("PUT", "Consent/bad", resource),
            await clinic.ask("PATCH", "Consent/bad", patch, headers=JSON_PATCH),
            await clinic.ask("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}),
        ]
        for answer in answers:
            assert answer.status == 422, answer.body
            assert all(
                each["expression"][0].startswith(("Consent.", "Bundle.entry[0]")) for each in answer.json["issue"]
            )
    found = await clinic.ask("GET", "Consent?patient=ada", who="ada")
    assert [entry["resource"]["meta"]["versionId"] for entry in found.json["entry"]] == ["1"]


@on_sqlite
async def test_what_is_denied_leaves_no_trace_in_what_is_found(clinic: Clinic) -> None:
    await clinic.put(observation("ada-secret", "ada", 50, "2026-05-01") | {"meta": {"security": [label("PSY")]}})
    await keep(clinic, "deny | label PSY")
    found = await clinic.ask("GET", "Observation?patient=ada&_total=accurate", who="physician")
    assert found.json["total"] == 2
    assert b"ada-secret" not in found.body
    everything = await clinic.ask("GET", "Patient/ada/$everything", who="physician")
    assert everything.status == 200
    assert b"ada-secret" not in everything.body
    refused = await clinic.ask("GET", "Observation/ada-secret", who="physician")
    assert refused.status == 403
    assert refused.entry is not None
    assert refused.entry.consents == ("Consent/no",)
    assert refused.entry.policies == ("consent.deny",)
    assert (await clinic.ask("GET", "Observation/ada-secret/_history", who="physician")).status == 403
    own = await clinic.ask("GET", "Observation?patient=ada&_total=accurate", who="ada")
    assert own.json["total"] == 3


@on_sqlite
async def test_a_consent_by_date_tells_two_records_of_one_kind_apart(clinic: Clinic) -> None:
    await keep(clinic, "rule OPTIN\ndeny | dated 2026-03..2026-03")
    for _ in range(2):  # before and after the consents are known
        found = await clinic.ask("GET", "Observation?patient=ada&_total=accurate", who="physician")
        assert [entry["resource"]["id"] for entry in found.json["entry"]] == ["ada-pulse-2"]
        assert found.json["total"] == 1
    everything = await clinic.ask("GET", "Patient/ada/$everything", who="physician")
    assert b"ada-pulse-2" in everything.body
    assert b'"ada-pulse"' not in everything.body
    history = await clinic.ask("GET", "Observation/_history", who="physician")
    assert b'"ada-pulse"' not in history.body


@on_sqlite
async def test_an_emergency_passes_and_names_what_it_passed(clinic: Clinic) -> None:
    await keep(clinic, "deny")
    assert await status(clinic, headers=EMERGENCY) == 403
    reason = {
        "resourceType": "Parameters",
        "parameter": [{"name": "reason", "valueString": "Unconscious in the ambulance, no relatives"}],
    }
    opened = await clinic.ask("POST", "Patient/ada/$break-glass", reason, who="emergency", headers=EMERGENCY)
    assert opened.status < 300, opened.body
    read = await clinic.ask("GET", PULSE, who="emergency", headers=EMERGENCY)
    assert read.status == 200
    assert read.entry is not None
    assert read.entry.consents == ("Consent/no",)
    for_good = consent("permit | to Practitioner/emergency", "for-good", "ada")
    made = await clinic.ask("PUT", "Consent/for-good", for_good, who="emergency", headers=EMERGENCY)
    assert made.status == 403


@on_sqlite
async def test_a_clinician_whom_a_consent_names_reads_and_no_other(clinic: Clinic) -> None:
    await keep(clinic, "permit | to Practitioner/emergency | class Observation", patient="bob")
    assert await status(clinic, "Observation/bob-pulse", "emergency") == 200
    assert await status(clinic, "Condition/bob-asthma", "emergency") == 403
    assert await status(clinic, "Observation/bob-pulse", "physician") == 403
    found = await clinic.ask("GET", "Observation?patient=bob", who="emergency")
    assert len(found.json["entry"]) == 2
    changed = await clinic.ask(
        "PUT", "Observation/bob-pulse", observation("bob-pulse", "bob", 1, "2026-03-01"), who="emergency"
    )
    assert changed.status == 403


@on_sqlite
async def test_who_is_denied_adds_but_neither_sees_nor_changes(clinic: Clinic) -> None:
    await keep(clinic, "deny | to Practitioner/physician")
    new = observation("ada-new", "ada", 60, "2026-06-01")
    assert (await clinic.ask("PUT", "Observation/ada-new", new, who="physician")).status == 201
    assert (await clinic.ask("PUT", "Observation/ada-new", new, who="physician")).status == 403
    assert (await clinic.ask("DELETE", PULSE, who="physician")).status == 403
    assert await status(clinic, "Observation/ada-new") == 403


@on_sqlite
async def test_who_is_denied_something_does_not_lift_it(clinic: Clinic) -> None:
    await clinic.put(
        care_team("ada")
        | {
            "participant": [
                {"member": {"reference": "Practitioner/physician"}},
                {"member": {"reference": "Practitioner/emergency"}},
            ]
        }
    )
    await keep(clinic, "rule OPTIN\ndeny | label PSY | to Practitioner/physician")
    lifted = consent("status inactive\nrule OPTIN", "no", "ada")
    refused = await clinic.ask("PUT", "Consent/no", lifted, who="physician")
    assert refused.status == 403
    assert "denies you" in refused.said
    patch = json.dumps([{"op": "replace", "path": "/status", "value": "inactive"}]).encode()
    patched = await clinic.ask("PATCH", "Consent/no", patch, who="physician", headers=JSON_PATCH)
    assert patched.status == 403
    assert (await clinic.ask("DELETE", "Consent/no", who="physician")).status == 403
    assert (await clinic.ask("PUT", "Consent/no", lifted, who="emergency")).status == 200


@on_sqlite
async def test_nobody_consents_to_their_own_access(clinic: Clinic) -> None:
    """Otherwise a relation that ends would make itself a permission that does not."""
    for text, expected in (
        ("permit | to Practitioner/physician", 403),
        ("deny\n+ permit | to Practitioner/physician", 403),
        ("permit | to Practitioner/emergency", 201),
    ):
        answer = await clinic.ask("POST", "Consent", consent(text, "x", "ada"), who="physician")
        assert answer.status == expected, answer.body


@on_sqlite
async def test_research_takes_a_consent_to_research(clinic: Clinic) -> None:
    assert await status(clinic, who="engine", headers=RESEARCH) == 403
    await keep(clinic, "permit", "care")
    assert await status(clinic, who="engine", headers=RESEARCH) == 403
    await keep(clinic, "permit | for HRESCH", "research")
    assert await status(clinic, who="engine", headers=RESEARCH) == 200
    found = await clinic.ask("GET", "Observation", headers=RESEARCH)
    assert {entry["resource"]["subject"]["reference"] for entry in found.json["entry"]} == {"Patient/ada"}
    await keep(clinic, "deny | for HRESCH", "no")
    assert await status(clinic, who="engine", headers=RESEARCH) == 403
    assert await status(clinic, who="engine") == 200


@on_sqlite
async def test_a_record_of_two_patients_is_nobodys_alone(clinic: Clinic) -> None:
    both = {
        "resourceType": "Appointment",
        "id": "both",
        "status": "proposed",
        "participant": [{"actor": {"reference": f"Patient/{each}"}, "status": "accepted"} for each in ("ada", "bob")],
    }
    assert (await clinic.put(both)).status == 201
    assert await status(clinic, "Appointment/both") == 200
    await keep(clinic, "deny | to Practitioner/physician", "no", "bob")
    refused = await clinic.ask("GET", "Appointment/both", who="physician")
    assert refused.status == 403
    assert refused.entry is not None
    assert refused.entry.consents == ("Consent/no",)
    assert await status(clinic) == 200
    await keep(clinic, "deny", "nobody", "bob")
    assert await status(clinic, "Appointment/both", "ada") == 200, "it is her own"


# What a patient writes as a Consent, and whether it is theirs to write.
OWN = [
    (consent("deny", "x", "ada"), 201),
    (consent("permit | for HRESCH", "x", "ada"), 201),
    (consent("deny", "x", "bob"), 403),
    (consent("deny", "x", "ada", performer="Patient/bob"), 403),
    (consent("deny", "x", "bob", performer="Patient/ada"), 403),
    (consent("deny", "x", "ada") | {"performer": []}, 400),
    (consent("deny", "x", "ada") | {"performer": [{"reference": "Patient/ada"}, {"reference": "Patient/bob"}]}, 403),
    ({key: value for key, value in consent("deny", "x", "ada").items() if key != "performer"}, 403),
]


@on_sqlite
async def test_a_patient_gives_consents_of_their_own_and_no_others(clinic: Clinic) -> None:
    for resource, expected in OWN:
        answer = await clinic.ask("POST", "Consent", resource, who="ada")
        assert answer.status in ({expected} if expected != 400 else {400, 422}), answer.body
    await keep(clinic, "deny | label PSY", "by-the-clinic", performer="Practitioner/physician")
    mine = consent("status inactive\ndeny", "by-the-clinic", "ada")
    assert (await clinic.ask("PUT", "Consent/by-the-clinic", mine, who="ada")).status == 403
    await keep(clinic, "deny | label PSY", "hers")
    assert (await clinic.ask("PUT", "Consent/hers", consent("permit", "hers", "ada"), who="ada")).status == 200
    assert (await clinic.ask("DELETE", "Consent/hers", who="ada")).status == 403
    assert (await clinic.ask("PUT", "Observation/x", observation("x", "ada", 1, "2026-01-01"), who="ada")).status == 403


MOTHER = {
    "resourceType": "RelatedPerson",
    "id": "mother",
    "active": True,
    "patient": {"reference": "Patient/ada"},
    "period": {"start": "2020-01-01", "end": "2027-01-01"},
}


async def with_mother(clinic: Clinic) -> None:
    await clinic.put(MOTHER)
    await new_account(clinic, "mother", Kind.PATIENT, "RelatedPerson/mother")
    await sign_in(clinic, "mother")


async def test_a_parent_acts_within_what_is_consented_to_and_as_long_as_it_is(clinic: Clinic) -> None:
    await with_mother(clinic)
    assert await status(clinic, who="mother") == 403
    given = "permit | to RelatedPerson/mother | class Observation | during ..2026-12-01\n+ deny | label PSY"
    await keep(clinic, given, "mother")
    await clinic.put(observation("ada-secret", "ada", 50, "2026-05-01") | {"meta": {"security": [label("PSY")]}})
    read = await clinic.ask("GET", PULSE, who="mother")
    assert read.status == 200
    assert read.entry is not None
    assert read.entry.agent.on_behalf_of == "Patient/ada"
    assert read.entry.policies == ("delegate.read",)
    assert read.entry.consents == ("Consent/mother",)
    for path in ("Observation/ada-secret", "Condition/ada-asthma", "Observation/bob-pulse", "Consent/mother"):
        assert await status(clinic, path, "mother") == 403
    found = await clinic.ask("GET", "Observation?_total=accurate", who="mother")
    assert found.json["total"] == 2
    for method, path, body in (
        ("POST", "Consent", consent("permit", "x", "ada", performer="RelatedPerson/mother")),
        ("PUT", "Consent/mother", consent("permit | to RelatedPerson/mother", "mother", "ada")),
        ("PUT", PULSE, observation("ada-pulse", "ada", 1, "2026-03-01")),
        ("GET", "Patient/$export", None),
    ):
        assert (await clinic.ask(method, path, body, who="mother")).status in {400, 403}
    clinic.time.now_ms += 30 * 24 * 3_600_000  # December
    await sign_in(clinic, "mother")
    assert await status(clinic, who="mother") == 403, "what was consented to has ended"


@on_sqlite
async def test_a_consent_alone_makes_nobody_a_parent(clinic: Clinic) -> None:
    await with_mother(clinic)
    await keep(clinic, "permit | to RelatedPerson/mother", "mother")
    for change in ({"active": False}, {"period": {"end": "2026-01-01"}}, {"patient": {"reference": "Patient/bob"}}):
        await clinic.put(MOTHER)
        assert await status(clinic, who="mother") == 200
        await clinic.put(MOTHER | change)
        assert await status(clinic, who="mother") == 403


@on_sqlite
async def test_an_app_of_a_parent_is_about_the_patient(clinic: Clinic) -> None:
    await with_mother(clinic)
    await keep(clinic, "permit | to RelatedPerson/mother", "mother")
    desk = Desk(clinic)
    client = await desk.client()
    request = await Authorizing(clinic.system.services).read_authorization(desk.asking(client))
    assert request.needs_patient(clinic.accounts["mother"])
    assert not request.needs_patient(clinic.accounts["ada"])
    tokens = await desk.tokens(client, "mother", chosen=Context(patient="ada"))
    assert tokens["patient"] == "ada"
    assert await desk.works(tokens["access_token"], PULSE) == 200
    assert await desk.works(tokens["access_token"], "Condition/ada-asthma") == 403, "the app was not given it"
    other = await desk.tokens(client, "mother", chosen=Context(patient="bob"))
    assert await desk.works(other["access_token"], "Observation/bob-pulse") == 403
    await keep(clinic, "status inactive\npermit | to RelatedPerson/mother", "mother")
    assert await desk.works(tokens["access_token"], PULSE) == 403
