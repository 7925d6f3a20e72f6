"""After the rules changed: what is stored is labelled anew, found by its labels, and nothing else is touched."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from carekeep.access.labelling import Labelling, Rules
from carekeep.records import Stored
from carekeep.storage import Conflict, Prepared
from carekeep.web import Services
from carekeep.web.relabelling import Relabelled, relabel
from tests.web.clinic import Clinic, on_sqlite
from tests.web.test_labels import bundle, condition, encounter, security_of, short

ASTHMA = """
version = "2"
[systems.snomed]
uris = ["http://snomed.info/sct"]
[systems.icd-10]
dotless = true
uris = ["http://hl7.org/fhir/sid/icd-10-cm"]
[displays]
HIV = "x"
OrgIP = "x"
[[category]]
id = "a"
title = "a"
basis = "OrgIP"
confidentiality = "R"
[[category.rule]]
sensitivity = "HIV"
system = "snomed"
codes = ["195967001"]
source = "for this test"
[[category.rule]]
sensitivity = "HIV"
system = "icd-10"
begins = ["I10"]
source = "for this test"
"""


def with_rules(clinic: Clinic, text: str) -> Services:
    return replace(clinic.system.services, labelling=Labelling(Rules.read(text)))


async def run(clinic: Clinic, services: Services, *, dry: bool = False) -> Relabelled:
    async def commit(_: Sequence[Stored], prepared: Sequence[Prepared[Any]]) -> None:
        await clinic.record("labelled anew", *prepared)

    return [each async for each in relabel(services, None if dry else commit)][-1]


async def test_an_unlabelled_code_is_labelled_after_a_rule_change_and_found(clinic: Clinic) -> None:
    asked = "Condition?_security=http://terminology.hl7.org/CodeSystem/v3-ActCode|HIV"
    services = with_rules(clinic, ASTHMA)
    assert (await clinic.ask("GET", asked)).json["total"] == 0
    assert (await run(clinic, services, dry=True)).changed == 2
    assert short(await security_of(clinic, "Condition/ada-asthma")) == set()
    assert (await run(clinic, services)).changed == 2
    found = (await clinic.ask("GET", asked)).json
    assert {entry["resource"]["id"] for entry in found["entry"]} == {"ada-asthma", "bob-asthma"}
    assert short(await security_of(clinic, "Condition/ada-asthma")) == {"HIV", "R"}
    assert (await security_of(clinic, "Observation/ada-pulse"))["meta"]["versionId"] == "1"
    assert (await run(clinic, services)).changed == 0
    assert (await security_of(clinic, "Condition/ada-asthma"))["meta"]["versionId"] == "2"


@on_sqlite
async def test_labels_of_rules_that_are_gone_go_and_those_of_people_stay(clinic: Clinic) -> None:
    own = {"meta": {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "SDV"}]}}
    await clinic.put(condition("c", "F11.20") | own)
    await run(clinic, with_rules(clinic, ASTHMA))
    assert short(await security_of(clinic, "Condition/c")) == {"SDV"}


@on_sqlite
async def test_what_refers_to_it_and_what_it_stands_in_for_follow(clinic: Clinic) -> None:
    scan = {
        "resourceType": "Binary",
        "id": "scan",
        "contentType": "text/plain",
        "securityContext": {"reference": "Condition/c"},
        "data": "YQ==",
    }
    visit = encounter(reasonReference=[{"reference": "Condition/c"}])
    assert (await clinic.ask("POST", "", bundle(visit, scan, condition("c", "I10")))).status == 200
    services = with_rules(clinic, ASTHMA)
    await run(clinic, services)
    for reference in ("Encounter/visit", "Binary/scan", "Condition/c"):
        assert short(await security_of(clinic, reference)) == {"HIV", "R"}, reference
    assert (await run(clinic, services)).changed == 0
    await run(clinic, clinic.system.services)
    for reference in ("Encounter/visit", "Binary/scan", "Condition/c"):
        assert short(await security_of(clinic, reference)) == set(), reference


@on_sqlite
async def test_who_was_faster_is_not_overwritten(clinic: Clinic) -> None:
    """Somebody corrects the record between the look and the commit: their text stays, and is labelled."""
    services = with_rules(clinic, ASTHMA)
    await clinic.put(condition("c", "I10"))
    tries = 0

    async def commit(_: Sequence[Stored], prepared: Sequence[Prepared[Any]]) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            await clinic.put(condition("c", "I10.9"))
        await clinic.record("labelled anew", *prepared)

    async for _ in relabel(services, commit):
        pass
    kept = await security_of(clinic, "Condition/c")
    assert kept["code"]["coding"][0]["code"] == "I10.9"
    assert short(kept) == {"HIV", "R"}
    assert tries == 2


@on_sqlite
async def test_interrupted_it_goes_on(clinic: Clinic) -> None:
    services = with_rules(clinic, ASTHMA)

    async def die(_: Sequence[Stored], __: Sequence[Prepared[Any]]) -> None:
        raise InterruptedError

    try:
        async for _ in relabel(services, die):
            pass
    except (InterruptedError, Conflict):
        pass
    assert (await run(clinic, services)).changed == 2


@on_sqlite
async def test_versions_from_before_the_rule_are_judged_by_it(clinic: Clinic) -> None:
    bundled = clinic.system.services.labelling
    await clinic.put(encounter())
    clinic.system.services.labelling.rules = Rules.read(ASTHMA)
    try:
        await clinic.put(condition("c", "F11.20"))
    finally:
        bundled.rules = Rules.bundled()
    assert (await clinic.ask("GET", "Condition/c", who="emergency")).status == 200  # nobody labelled it anew yet
    await run(clinic, clinic.system.services)
    for path in ("Condition/c", "Condition/c/_history/1", "Condition/c/_history/2", "Condition/c/_history"):
        assert (await clinic.ask("GET", path, who="emergency")).status == 403, path
