"""What an app sees through the web: nothing beyond its scopes is answered, counted, or told of."""

import re
from dataclasses import replace

import httpx
import pytest

from carekeep.access import Decision, StepUp
from carekeep.identity import Binding, BindingKind, Delegation
from carekeep.web.denials import denied
from tests.web.clinic import Answer, Clinic, Json, care_team, observation

PULSES = "patient/Observation.cruds?code=http://loinc.org|8867-4"


async def connect(clinic: Clinic, login: str, scopes: str, patient: str | None = "ada") -> str:
    """A session of an app on somebody's behalf; returns the name by which to ask."""
    name = f"{login} by {scopes}"
    account = clinic.accounts[login]
    delegation = Delegation("client-1", "An app", scopes, patient)
    issued = clinic.system.services.tokens.prepare_issue(account, 2, 60_000, delegation=delegation)
    await clinic.record("an app was connected", issued)
    clinic.tokens[name] = issued.value.secret.reveal().decode()
    return name


def weight(id_: str = "ada-weight") -> Json:
    made = observation(id_, "ada", 70, "2026-05-01")
    return made | {"code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]}}


def found(answer: Answer) -> set[str]:
    assert answer.status == 200, answer.body
    return {each["resource"]["id"] for each in answer.json.get("entry", ())}


@pytest.fixture
async def app(clinic: Clinic) -> str:
    """For pulses of ada only, whose weight is known as well."""
    assert (await clinic.put(weight())).status == 201
    return await connect(clinic, "physician", PULSES)


async def test_a_read_beyond_the_scopes(clinic: Clinic, app: str) -> None:
    assert (await clinic.ask("GET", "Observation/ada-pulse", who=app)).status == 200
    for path in ("Observation/ada-weight", "Condition/ada-asthma", "Patient/ada", "Observation/ada-weight/_history/1"):
        answer = await clinic.ask("GET", path, who=app)
        assert answer.status == 403
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
        assert answer.entry is not None
        assert (answer.entry.outcome, answer.entry.policies) == ("denied", ("scope",))
        assert (await clinic.ask("GET", path, who="physician")).status == 200


async def test_a_search_neither_shows_nor_counts(clinic: Clinic, app: str) -> None:
    pulses = {"ada-pulse", "ada-pulse-2"}
    for search in ("Observation", "Observation?patient=ada", "Observation?_sort=-date&patient=ada"):
        assert found(await clinic.ask("GET", search, who=app)) == pulses
        assert found(await clinic.ask("GET", search, who="physician")) == {*pulses, "ada-weight"}
    counted = await clinic.ask("GET", "Observation?patient=ada&_summary=count", who=app)
    assert counted.json["total"] == len(pulses)
    by_code = await clinic.ask("GET", "Observation?patient=ada&code=29463-7&_total=accurate", who=app)
    assert (by_code.json["total"], found(by_code)) == (0, set())
    assert (await clinic.ask("GET", "Condition?patient=ada", who=app)).status == 403


async def test_what_hangs_on_a_match_is_decided_too(clinic: Clinic, app: str) -> None:
    included = await clinic.ask("GET", "Observation?patient=ada&_include=Observation:subject", who=app)
    assert found(included) == {"ada-pulse", "ada-pulse-2"}
    with_patient = await connect(clinic, "physician", f"{PULSES} patient/Patient.rs")
    included = await clinic.ask("GET", "Observation?patient=ada&_include=Observation:subject", who=with_patient)
    assert found(included) == {"ada-pulse", "ada-pulse-2", "ada"}
    chained = await clinic.ask("GET", "Observation?subject:Patient.name=Moreau", who=app)
    assert found(chained) == set(), "an app that was not given the patient cannot try out names"
    reverse = await clinic.ask("GET", "Patient?_has:Observation:subject:code=29463-7", who=with_patient)
    assert found(reverse) == set()


async def test_history_and_everything(clinic: Clinic, app: str) -> None:
    assert (await clinic.ask("GET", "Observation/ada-weight/_history", who=app)).status == 403
    assert found(await clinic.ask("GET", "Observation/ada-pulse/_history", who=app)) == {"ada-pulse"}
    assert found(await clinic.ask("GET", "Observation/_history", who=app)) == {"ada-pulse", "ada-pulse-2"}
    with_patient = await connect(clinic, "physician", f"{PULSES} patient/Patient.rs")
    everything = await clinic.ask("GET", "Patient/ada/$everything", who=with_patient)
    assert found(everything) == {"ada", "ada-pulse", "ada-pulse-2"}


async def test_a_change_keeps_within_the_scopes_before_and_after(clinic: Clinic, app: str) -> None:
    assert (await clinic.ask("PUT", "Observation/ada-weight", weight(), who=app)).status == 403
    turned = weight("ada-pulse")
    assert (await clinic.ask("PUT", "Observation/ada-pulse", turned, who=app)).status == 403
    new = observation("", "ada", 61, "2026-06-01")
    del new["id"]
    assert (await clinic.ask("POST", "Observation", new, who=app)).status == 201
    other_kind = weight()
    del other_kind["id"]
    assert (await clinic.ask("POST", "Observation", other_kind, who=app)).status == 403
    assert (await clinic.ask("DELETE", "Observation/ada-weight", who=app)).status == 403


async def test_only_the_patient_it_was_started_for(clinic: Clinic) -> None:
    assert (await clinic.put(care_team("bob"))).status == 201
    app = await connect(clinic, "physician", "patient/*.cruds")
    assert (await clinic.ask("GET", "Observation/bob-pulse", who="physician")).status == 200
    assert (await clinic.ask("GET", "Observation/bob-pulse", who=app)).status == 403
    assert found(await clinic.ask("GET", "Observation", who=app)) == {"ada-pulse", "ada-pulse-2"}
    assert (await clinic.ask("GET", "Observation?patient=bob", who=app)).status == 403
    assert (await clinic.ask("GET", "Practitioner/physician", who=app)).status == 200
    assert (await clinic.ask("POST", "Patient/ada/$break-glass", {"resourceType": "Parameters"}, who=app)).status >= 400


async def test_an_app_opens_no_emergency(clinic: Clinic) -> None:
    app = await connect(clinic, "emergency", "user/*.cruds patient/*.cruds")
    reason = {"name": "reason", "valueString": "Unconscious, no relative can be reached"}
    body = {"resourceType": "Parameters", "parameter": [reason]}
    refused = await clinic.ask("POST", "Patient/ada/$break-glass", body, who=app)
    assert (refused.status, refused.entry and refused.entry.policies) == (403, ("scope",))
    assert (await clinic.ask("POST", "Patient/ada/$break-glass", body, who="emergency")).status == 200
    etreat = {"x-purpose-of-use": "ETREAT"}
    assert (await clinic.ask("GET", "Patient/ada", who="emergency", headers=etreat)).status == 200


async def from_outside(clinic: Clinic, who: str, path: str, method: str = "GET") -> httpx.Response:
    transport = httpx.ASGITransport(clinic.application, client=("198.51.100.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="https://records.example.org") as client:
        return await client.request(method, path, headers={"authorization": f"Bearer {clinic.tokens[who]}"})


async def test_what_signing_in_again_would_change_is_said(clinic: Clinic) -> None:
    """RFC 9470: the challenge names the level; a session of that level gets the record."""
    refused = await from_outside(clinic, "physician", "/fhir/Patient/ada")
    assert refused.status_code == 401
    challenge = refused.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    assert asked["error"] == "insufficient_user_authentication"
    assert asked["acr_values"] == "http://idmanagement.gov/ns/assurance/aal/2"
    assert "max_age" not in asked
    entry = await clinic.entry(refused.headers["x-ledger-entry"])
    assert (entry.outcome, entry.policies) == ("denied", ("outside.needs-second-factor",))
    assert "Moreau" not in refused.text

    issued = clinic.system.services.tokens.prepare_issue(clinic.accounts["physician"], 2, 60_000)
    await clinic.record("signed in with a second factor", issued)
    clinic.tokens["stepped up"] = issued.value.secret.reveal().decode()
    assert (await from_outside(clinic, "stepped up", "/fhir/Patient/ada")).status_code == 200
    assert (await from_outside(clinic, "stepped up", "/fhir/Patient/ada/_history")).status_code == 403


async def test_a_denial_that_signing_in_cannot_change_stays_one(clinic: Clinic) -> None:
    assert (await from_outside(clinic, "physician", "/fhir/Patient/bob")).status_code == 403
    assert (await from_outside(clinic, "physician", "/fhir/metadata")).status_code == 200


async def test_what_goes_on_later_goes_on_as_narrow(clinic: Clinic, app: str) -> None:
    """The principal that a job or a subscriber is made of is narrowed as the request was."""
    services = clinic.system.services
    principal = await services.tokens.authenticate(clinic.tokens[app])
    later = await services.tokens.principal(clinic.accounts["physician"], principal.as_session())
    assert later == principal
    assert later.delegation is not None


async def test_the_challenge_is_of_the_scheme_that_the_token_has(clinic: Clinic) -> None:

    principal = await clinic.system.services.tokens.authenticate(clinic.tokens["physician"])
    bound = replace(principal, binding=Binding(BindingKind.DPOP, "k" * 43))
    problem = denied(Decision(permitted=False, policies=("p",), reason="Denied.", step_up=StepUp(1, 900)), bound)
    ((name, value),) = problem.headers
    assert (problem.status, name) == (401, b"www-authenticate")
    assert value.startswith(b"DPoP ")
    assert b'max_age="900"' in value
    assert b"acr_values" not in value
