"""``/admin/policies``: who may look, who may change, and that what is refused changes nothing."""

import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from carekeep.access import PolicyFile
from carekeep.access.bundles import Bundle, sign_bundle
from carekeep.audit.note import sign
from tests.web.admins import ask, sign_in
from tests.web.clinic import Clinic, Json, on_sqlite

HEAD = '@title("t") @reason("Denied: so it is.") @law("l")'
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
STRICT = f"""@id("strict") {HEAD}
forbid (principal is Practitioner, action == Action::"fhir:record:read", resource is PatientRecord)
when {{ resource.type == "Observation" && context.purpose != Purpose::"COC" }} unless {{ context.break_glass }};"""
HARMFUL = f'@id("harmful") {HEAD}\nforbid (principal is Practitioner, action, resource is PatientRecord);'


def signed(policy: str, name: str = "rules") -> Json:
    bundle = Bundle(name, "1", files=(PolicyFile("rules.cedar", policy),))
    content: Json = json.loads(sign_bundle(bundle, lambda text: sign(text, "officer", KEY)))
    return content


@on_sqlite
async def test_an_administrator_puts_policies_in_force_and_every_request_is_decided_by_them(clinic: Clinic) -> None:
    assert (await clinic.ask("GET", "Observation/ada-pulse", who="physician")).status == 200
    await sign_in(clinic, "administrator")
    loaded = await ask(clinic, "POST", "/admin/policies", signed(STRICT))
    assert (loaded.status, loaded.json["bundle"]) == (201, "rules 1")
    assert loaded.entry is not None
    assert "policies in force: rules 1, SHA-256" in (loaded.entry.query or "")
    await clinic.system.services.policies.refresh()
    denied = await clinic.ask("GET", "Observation/ada-pulse", who="physician")
    assert denied.entry is not None
    assert (denied.status, denied.entry.policies) == (403, ("strict",))


@on_sqlite
async def test_what_is_on_trial_stands_in_the_entry_alone(clinic: Clinic) -> None:
    await sign_in(clinic, "administrator")
    assert (await ask(clinic, "POST", "/admin/policies/trial", signed(STRICT))).status == 201
    await clinic.system.services.policies.refresh()
    answer = await clinic.ask("GET", "Observation/ada-pulse", who="physician")
    assert answer.entry is not None
    assert (answer.status, answer.entry.trial) == (200, "denied by strict")


@on_sqlite
async def test_what_would_harm_is_refused_and_recorded(clinic: Clinic) -> None:
    await sign_in(clinic, "administrator")
    changed = signed(STRICT) | {"note": signed(HARMFUL)["note"]}
    for body, told in ((signed(HARMFUL), "rules.cedar, line 1: harmful"), (changed, "another bundle"), ({}, "sign")):
        refused = await ask(clinic, "POST", "/admin/policies", body)
        assert (refused.status, told in refused.said) == (422, True), refused.body
        assert refused.entry is not None
        assert "a policy bundle was refused" in (refused.entry.query or "")
    assert (await clinic.ask("GET", "Observation/ada-pulse", who="physician")).status == 200


@on_sqlite
async def test_who_may_look_and_who_may_change(clinic: Clinic) -> None:
    shown = await ask(clinic, "GET", "/admin/policies", who="auditor")
    assert shown.status == 200
    assert "care.read" in [each["id"] for each in shown.json["policies"]]
    for who in ("physician", "ada", "engine"):
        assert (await ask(clinic, "GET", "/admin/policies", who=who)).status == 403, who
    await sign_in(clinic, "administrator", assurance=1)
    for who in ("auditor", "physician", "administrator"):  # the last one for want of a second factor
        assert (await ask(clinic, "POST", "/admin/policies", signed(STRICT), who=who)).status in {401, 403}, who
