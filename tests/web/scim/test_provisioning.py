"""People come, change and leave by SCIM, and what is left of their sessions."""

import json

import pytest

from carekeep.identity import Kind
from carekeep.identity.provisioning import Provided, Provisioning, Taken
from carekeep.storage import Conflict
from tests.web.clinic import Clinic, on_sqlite
from tests.web.scim.directory import CORE, OURS, Directory, person, refusal, resources, trusted_directory_of


async def test_somebody_comes(directory: Directory) -> None:
    answer = await directory.create(externalId="e-17")
    assert answer.status == 201
    made = answer.json
    assert made["schemas"] == [CORE, OURS]
    assert {name: made[name] for name in ("userName", "displayName", "userType", "active", "externalId")} == {
        "userName": "amelie",
        "displayName": "Amélie Marked",
        "userType": "practitioner",
        "active": True,
        "externalId": "e-17",
    }
    assert made[OURS] == {"fhirUser": "Practitioner/amelie"}
    assert answer.headers["location"] == made["meta"]["location"]
    assert made["meta"]["location"] == f"https://records.example.org/scim/v2/Users/{made['id']}"
    assert answer.headers["etag"] == made["meta"]["version"] == 'W/"1"'
    account = await directory.clinic.system.services.accounts.find("Amelie")
    assert account is not None
    assert (account.kind, account.external_id, account.has_password_way) == (Kind.PRACTITIONER, "e-17", False)
    assert answer.entry is not None
    assert (answer.entry.action, answer.entry.outcome) == ("identity:account:provision", "permitted")
    assert answer.entry.policies == ("accounts.provision",)
    assert answer.entry.query == f"account {made['id']} (practitioner) was made by the directory"
    assert (await directory.ask("GET", f"/Users/{made['id']}")).json == made


async def test_what_is_not_kept_here_is_passed_over_and_no_password_comes_in(directory: Directory) -> None:
    answer = await directory.create(
        password="seventeen swans swim",  # noqa: S106 - of nobody
        grants=["system"],
        kind="administrator",
        id="00" * 16,
        meta={"version": 'W/"99"'},
        emails=[{"value": "not an address", "primary": True}],
        name={"givenName": "Amélie", "familyName": "Marked"},
    )
    assert answer.status == 201
    assert b"swans" not in answer.body
    assert "swans" not in repr(answer.entry)
    assert answer.json["id"] != "00" * 16
    account = await directory.clinic.system.services.accounts.find("amelie")
    assert account is not None
    assert (account.kind, account.grants, account.revision) == (Kind.PRACTITIONER, frozenset(), 1)
    assert account.credentials.password_hash is None


ENDS = {
    "a boolean": {"op": "replace", "value": {"active": False}},  # Okta
    "a path": {"op": "replace", "path": "active", "value": False},
    "text": {"op": "Replace", "path": "active", "value": "False"},  # Entra ID
    "text without a path": {"op": "Replace", "value": {"active": "False"}},
}


@pytest.mark.parametrize("operation", ENDS.values(), ids=ENDS)
async def test_not_active_ends_everything_at_once_and_comes_back_without_sessions(
    directory: Directory, operation: dict[str, object]
) -> None:
    clinic, id_ = directory.clinic, directory.id_of("physician")
    assert (await clinic.ask("GET", "Patient/ada", who="physician")).status == 200
    answer = await directory.patch(id_, operation)
    assert (answer.status, answer.json["active"]) == (200, False)
    assert answer.entry is not None
    assert answer.entry.query == f"account {id_} was disabled and signed out everywhere by the directory"
    assert (await clinic.ask("GET", "Patient/ada", who="physician")).status == 401
    again = await directory.patch(id_, {"op": "Replace", "path": "active", "value": "True"})
    assert (again.status, again.json["active"]) == (200, True)
    assert (await clinic.ask("GET", "Patient/ada", who="physician")).status == 401


async def test_replacing_disables_too(directory: Directory) -> None:
    id_ = directory.id_of("physician")
    body = person("physician", displayName="The physician", active=False)
    answer = await directory.ask("PUT", f"/Users/{id_}", body)
    assert (answer.status, answer.json["active"]) == (200, False)
    assert (await directory.clinic.ask("GET", "Patient/ada", who="physician")).status == 401


async def test_who_left_is_out_and_gone_but_for_the_ledger(directory: Directory) -> None:
    clinic, id_ = directory.clinic, directory.id_of("physician")
    left = await directory.ask("DELETE", f"/Users/{id_}")
    assert (left.status, left.body) == (204, b"")
    assert (await clinic.ask("GET", "Patient/ada", who="physician")).status == 401
    for method, body in (("GET", None), ("DELETE", None), ("PUT", person("physician"))):
        assert refusal(await directory.ask(method, f"/Users/{id_}", body)) == (404, None)
    assert refusal(await directory.patch(id_, {"op": "replace", "value": {"active": True}})) == (404, None)
    assert resources(await directory.ask("GET", '/Users?filter=userName eq "physician"')) == []
    assert id_ not in {each["id"] for each in resources(await directory.ask("GET", "/Users"))}
    account = await clinic.system.services.accounts.get(clinic.accounts["physician"].id)
    assert account is not None
    assert (account.login, account.disabled, account.left) == ("physician", True, True)
    problems = [each async for each in clinic.system.services.accounts.verify()]
    assert problems == []


async def test_the_login_of_who_left_is_free(directory: Directory) -> None:
    first = (await directory.create(externalId="e-1")).json["id"]
    assert (await directory.ask("DELETE", f"/Users/{first}")).status == 204
    second = await directory.create(externalId="e-1")
    assert second.status == 201
    assert second.json["id"] != first
    assert (await directory.ask("DELETE", f"/Users/{second.json['id']}")).status == 204


async def test_an_administrator_cannot_enable_who_left(directory: Directory) -> None:
    clinic, id_ = directory.clinic, directory.id_of("physician")
    await directory.ask("DELETE", f"/Users/{id_}")
    answer = await clinic.ask("POST", f"/admin/accounts/{id_}/enable", b"{}", who="administrator")
    assert answer.status in {401, 403, 422}  # by policy an administrator may have to sign in more strongly first
    account = await clinic.system.services.accounts.get(clinic.accounts["physician"].id)
    assert account is not None
    assert account.disabled


async def test_a_change_needs_the_version_that_was_read(directory: Directory) -> None:
    made = await directory.create()
    where = f"/Users/{made.json['id']}"
    rename = {"schemas": [CORE], "Operations": [{"op": "replace", "path": "displayName", "value": "A. Marked"}]}
    changed = await directory.ask("PATCH", where, rename, if_match='W/"1"')
    assert changed.status == 400  # a message of another schema
    rename["schemas"] = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
    changed = await directory.ask("PATCH", where, rename, if_match='"9", W/"1"')
    assert (changed.status, changed.headers["etag"]) == (200, 'W/"2"')
    for method, body in (("PATCH", rename), ("PUT", person("amelie")), ("DELETE", None)):
        assert refusal(await directory.ask(method, where, body, if_match='W/"1"')) == (412, None)
    assert (await directory.ask("GET", where, if_none_match='W/"2"')).status == 304
    assert (await directory.ask("GET", where, if_none_match='W/"1"')).json["displayName"] == "A. Marked"
    assert (await directory.ask("DELETE", where, if_match="*")).status == 204


async def test_a_change_that_changes_nothing_keeps_the_version(directory: Directory) -> None:
    made = await directory.create()
    answer = await directory.patch(made.json["id"], {"op": "add", "path": "displayName", "value": "Amélie Marked"})
    assert (answer.status, answer.headers["etag"]) == (200, 'W/"1"')
    assert answer.entry is not None
    assert "left as it is" in (answer.entry.query or "")


async def test_a_replacement_keeps_what_it_does_not_speak_of_and_null_takes_away(directory: Directory) -> None:
    made = await directory.create(userType="auditor", externalId="e-9", fhir_user="Practitioner/amelie")
    where = f"/Users/{made.json['id']}"
    body = person("amelie", userType="auditor")
    del body[OURS]
    kept = (await directory.ask("PUT", where, body)).json
    assert (kept["externalId"], kept[OURS]["fhirUser"]) == ("e-9", "Practitioner/amelie")
    cleared = await directory.ask(
        "PUT", where, json.dumps({**body, "externalId": None, OURS: {"fhirUser": None}}).encode()
    )
    assert "externalId" not in cleared.json
    assert OURS not in cleared.json


TAKEN = [
    ("userName", {"userName": "PHYSICIAN", OURS: {"fhirUser": "Practitioner/new"}}),
    ("fhirUser", {OURS: {"fhirUser": "Practitioner/physician"}}),
    ("externalId", {"externalId": "e-1"}),
]


@pytest.mark.parametrize(("named", "given"), TAKEN, ids=[each[0] for each in TAKEN])
async def test_what_another_account_has_is_refused(directory: Directory, named: str, given: dict[str, object]) -> None:
    other = (await directory.create("first", externalId="e-1")).json["id"]
    refused = await directory.create("second", **given)
    assert refusal(refused) == (409, "uniqueness")
    assert named in refused.json["detail"]
    if named != "externalId":
        changed = {name: value for name, value in given.items() if name != "schemas"}
        assert refusal(await directory.patch(other, {"op": "replace", "value": changed})) == (409, "uniqueness")
    assert refused.entry is not None
    assert refused.entry.reason == f"answered with 409 {named}"


async def test_administrators_take_a_grant_of_their_own(directory: Directory) -> None:
    clinic, id_ = directory.clinic, directory.id_of("administrator")
    assert (await directory.ask("GET", f"/Users/{id_}")).json["userType"] == "administrator"
    administrator = person("boss", userType="administrator", fhir_user=None)
    for answer in (
        await directory.ask("POST", "/Users", administrator),
        await directory.patch(id_, {"op": "replace", "value": {"active": False}}),
        await directory.ask("PUT", f"/Users/{id_}", administrator),
        await directory.ask("DELETE", f"/Users/{id_}"),
    ):
        assert refusal(answer) == (403, None)
        assert answer.entry is not None
        assert (answer.entry.action, answer.entry.outcome) == ("identity:administrator:provision", "denied")
    trusted = await trusted_directory_of(clinic)
    made = await trusted.ask("POST", "/Users", administrator)
    assert made.status == 201
    assert made.entry is not None
    assert made.entry.policies == ("accounts.provision", "administrators.provision")
    assert (await trusted.patch(id_, {"op": "replace", "value": {"active": False}})).status == 200


@on_sqlite
async def test_somebody_made_while_not_active_cannot_sign_in(directory: Directory) -> None:
    made = await directory.create(active=False)
    assert (made.status, made.json["active"]) == (201, False)
    account = await directory.clinic.system.services.accounts.find("amelie")
    assert account is not None
    assert account.disabled


async def test_two_who_are_made_at_once_do_not_share_what_is_had_once(clinic: Clinic) -> None:
    """The look at the other accounts is done before either of the two commits."""
    services = clinic.system.services
    provisioning = Provisioning(services.database, services.accounts, services.leaving)
    for round_ in range(2):  # the first makes the counter, the second finds it
        fhir_user = f"Practitioner/both-{round_}"
        both = [
            await provisioning.prepare_create(
                Provided(Kind.PRACTITIONER, f"{name}-{round_}", name, active=True, fhir_user=fhir_user)
            )
            for name in ("one", "two")
        ]
        await clinic.record("one of the two", both[0])
        with pytest.raises(Conflict):
            await clinic.record("the other one", both[1])
        with pytest.raises(Taken):
            await provisioning.prepare_create(
                Provided(Kind.PRACTITIONER, "three", "three", active=True, fhir_user=fhir_user)
            )
