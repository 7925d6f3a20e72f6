"""What a directory, or somebody who has got hold of its token, tries: each is refused, and in the ledger."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.web.clinic import Clinic, on_sqlite
from tests.web.scim.directory import CORE, OURS, PATCH, Directory, person, refusal, resources

pytestmark = on_sqlite

FOREIGN = ["engine", "app", "physician", "ada", "administrator", "auditor"]


@pytest.mark.parametrize("who", FOREIGN)
async def test_nobody_else_gets_in(directory: Directory, who: str) -> None:
    other = replace(directory, who=who)
    for method, path, body in (
        ("GET", "/Users", None),
        ("GET", "/ServiceProviderConfig", None),
        ("POST", "/Users", person("mine")),
        ("DELETE", f"/Users/{directory.id_of('physician')}", None),
        ("GET", "/nothing", None),
    ):
        answer = await other.ask(method, path, body)
        assert refusal(answer)[0] in {401, 403}
        assert answer.entry is not None
        assert (answer.entry.action, answer.entry.outcome) == ("identity:account:provision", "denied")
    assert await directory.clinic.system.services.accounts.find("mine") is None


async def test_without_a_token_nothing_is_told(clinic: Clinic) -> None:
    for path in ("/scim/v2/ServiceProviderConfig", "/scim/v2/Users", "/scim/v2", "/scim"):
        answer = await clinic.ask("GET", path, who=None)
        assert refusal(answer) == (401, None)
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_directory_that_was_disabled_is_out(directory: Directory) -> None:
    services, clinic = directory.clinic.system.services, directory.clinic
    await clinic.record("disabled", await services.leaving.prepare_disable(clinic.accounts["directory"]))
    assert refusal(await directory.ask("GET", "/Users")) == (401, None)


async def test_apps_are_not_there_and_nor_is_the_directory_itself(directory: Directory) -> None:
    for login in ("directory", "engine", "app"):
        id_ = directory.id_of(login)
        assert refusal(await directory.ask("GET", f"/Users/{id_}")) == (404, None)
        assert refusal(await directory.ask("DELETE", f"/Users/{id_}")) == (404, None)
        assert refusal(await directory.ask("PUT", f"/Users/{id_}", person(login))) == (404, None)
        assert refusal(await directory.patch(id_, {"op": "replace", "value": {"active": False}})) == (404, None)
        for filter_ in (f'userName eq "{login}"', f'id eq "{id_}"', f'userName sw "{login[:3]}"'):
            found = await directory.ask("GET", f"/Users?filter={filter_}")
            assert login not in {each["userName"] for each in resources(found)}
        assert refusal(await directory.create(login)) == (409, "uniqueness")  # and no word on what has it
    listed = resources(await directory.ask("GET", "/Users?count=200"))
    assert {each["userType"] for each in listed} == {"practitioner", "patient", "administrator", "auditor"}


# What is sent, and the status and scimType of the refusal.
BODIES: Mapping[str, tuple[dict[str, Any], str]] = {
    "an app": ({"userType": "app"}, "invalidValue"),
    "a kind that is none": ({"userType": "root"}, "invalidValue"),
    "no kind": ({"userType": None}, "invalidValue"),
    "no name": ({"displayName": ""}, "invalidValue"),
    "a practitioner who is nobody": ({"fhir_user": None}, "invalidValue"),
    "a practitioner who is a patient": ({"fhir_user": "Patient/nobody"}, "invalidValue"),
    "a path out of the records": ({"fhir_user": "Practitioner/../../x"}, "invalidValue"),
    "a login over two lines": ({"userName": "a\nb"}, "invalidValue"),
    "a login of blanks": ({"userName": " "}, "invalidValue"),
    "a long login": ({"userName": "a" * 129}, "invalidValue"),
    "a long external id": ({"externalId": "a" * 257}, "invalidValue"),
    "a login that is a list": ({"userName": ["a", "b"]}, "invalidValue"),
    "active as a word": ({"active": "perhaps"}, "invalidValue"),
    "another schema": ({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"]}, "invalidSyntax"),
    "fhirUser as an object": ({OURS: {"fhirUser": {"$ne": None}}}, "invalidValue"),
}


@pytest.mark.parametrize("case", BODIES)
async def test_what_no_account_can_be_is_not_made(directory: Directory, case: str) -> None:
    given, scim_type = BODIES[case]
    assert refusal(await directory.create(**given)) == (400, scim_type)
    assert await directory.clinic.system.services.accounts.find("amelie") is None


PATCHES: Mapping[str, tuple[dict[str, Any], str]] = {
    "the id": ({"op": "replace", "path": "id", "value": "00"}, "mutability"),
    "the id without a path": ({"op": "replace", "value": {"id": "00"}}, "mutability"),
    "the version": ({"op": "add", "path": "meta.version", "value": "x"}, "mutability"),
    "the kind": ({"op": "replace", "path": "userType", "value": "administrator"}, "mutability"),
    "the kind without a path": ({"op": "Add", "value": {"usertype": "administrator"}}, "mutability"),
    "the kind by its urn": ({"op": "replace", "path": f"{CORE}:userType", "value": "administrator"}, "mutability"),
    "the kind taken away": ({"op": "remove", "path": "userType"}, "mutability"),
    "the login taken away": ({"op": "remove", "path": "userName"}, "mutability"),
    "everything taken away": ({"op": "remove"}, "noTarget"),
    "who it is in the records taken away": ({"op": "remove", "path": f"{OURS}:fhirUser"}, "invalidValue"),
    "the extension taken away": ({"op": "remove", "path": OURS}, "invalidValue"),
    "a name of Python": ({"op": "replace", "path": "__class__", "value": "x"}, "invalidPath"),
    "a path that goes up": ({"op": "replace", "path": "../active", "value": True}, "invalidPath"),
    "an operation that is none": ({"op": "copy", "path": "userName", "from": "id"}, "invalidValue"),
    "active as a list": ({"op": "replace", "path": "active", "value": [False]}, "invalidValue"),
    "schemas": ({"op": "replace", "path": "schemas", "value": ["urn:x:y"]}, "invalidSyntax"),
    "a path of another type": ({"op": "replace", "path": {"a": 1}, "value": True}, "invalidValue"),
    "a deep path": ({"op": "replace", "path": "emails[" + "not(" * 40 + "a pr" + ")" * 40 + "]"}, "invalidPath"),
}


@pytest.mark.parametrize("case", PATCHES)
async def test_a_patch_changes_nothing_that_it_may_not(directory: Directory, case: str) -> None:
    operation, scim_type = PATCHES[case]
    id_ = directory.id_of("physician")
    before = (await directory.ask("GET", f"/Users/{id_}")).json
    answer = await directory.patch(id_, {"op": "replace", "path": "displayName", "value": "Changed"}, operation)
    assert refusal(answer) == (400, scim_type)
    assert (await directory.ask("GET", f"/Users/{id_}")).json == before


@pytest.mark.parametrize("path", ["password", "grants", "kind", 'emails[type eq "work"].value', "x509Certificates"])
async def test_a_patch_of_what_is_not_kept_here_changes_nothing(directory: Directory, path: str) -> None:
    id_ = directory.id_of("physician")
    before = (await directory.ask("GET", f"/Users/{id_}")).json
    answer = await directory.patch(id_, {"op": "replace", "path": path, "value": "administrator"})
    assert (answer.status, answer.json) == (200, before)


async def test_replacing_does_not_change_the_kind(directory: Directory) -> None:
    id_ = directory.id_of("physician")
    answer = await directory.ask("PUT", f"/Users/{id_}", person("physician", userType="auditor"))
    assert refusal(answer) == (400, "mutability")


FILTERS: Mapping[str, str] = {
    "too long": 'userName eq "' + "a" * 1_000 + '"',
    "too many": " or ".join(["active eq true"] * 11),
    "too deep": "not(" * 33 + "active eq true" + ")" * 33,
    "open": "(" * 400,
    "no attribute": 'password sw "a"',
    "grants": 'grants eq "system"',
    "of Python": '__class__.__init__ eq "x"',
    "SQL": "userName eq 'x' or 1=1 --",
    "broken": 'userName eq "x',
    "nothing": "%00",
    "an order of booleans": "active gt false",
}


@pytest.mark.parametrize("case", FILTERS)
async def test_a_filter_that_is_too_much_or_nonsense_is_refused(directory: Directory, case: str) -> None:
    for path in ("/Users", ""):
        answer = await directory.ask("GET", f"{path}?filter={FILTERS[case].replace('%', '%25')}")
        assert refusal(answer) == (400, "invalidFilter")
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": FILTERS[case]}
    assert refusal(await directory.ask("POST", "/Users/.search", body)) == (400, "invalidFilter")


PAGES: Mapping[str, tuple[str, int]] = {
    "before the first": ("startIndex=-5&count=2", 2),
    "none": ("count=0", 0),
    "less than none": ("count=-1", 0),
    "far behind": ("startIndex=999999999999999999999999999&count=5", 0),
    "everything": ("count=999999999999999999999999999", 6),
}


@pytest.mark.parametrize("case", PAGES)
async def test_pages_stay_within_bounds(directory: Directory, case: str) -> None:
    query, expected = PAGES[case]
    answer = await directory.ask("GET", f"/Users?{query}")
    assert len(resources(answer)) == answer.json["itemsPerPage"] == expected
    assert answer.json["totalResults"] == 6


@pytest.mark.parametrize("query", ["startIndex=x", "count=1e3", "count=" + "9" * 5_000, "attributes=["])
async def test_what_is_no_page_is_refused(directory: Directory, query: str) -> None:
    assert refusal(await directory.ask("GET", f"/Users?{query}"))[0] == 400


BROKEN = [b"", b"[]", b"{", b"null", b'"x"', b"\xff\xfe", b"[" * 20_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000]


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
async def test_a_broken_body_is_refused(directory: Directory, body: bytes) -> None:
    physician = directory.id_of("physician")
    for method, path in (("POST", "/Users"), ("PUT", f"/Users/{physician}"), ("POST", "/.search")):
        assert refusal(await directory.ask(method, path, body)) == (400, "invalidSyntax")


async def test_a_large_body_many_operations_and_another_type_are_refused(directory: Directory) -> None:
    assert refusal(await directory.create(displayName="x" * 70_000)) == (413, None)
    nothing = {"op": "replace", "path": "active", "value": True}
    assert refusal(await directory.patch(directory.id_of("physician"), *[nothing] * 101)) == (413, None)
    answer = await directory.ask("POST", "/Users", person("amelie"), content_type="text/xml")
    assert refusal(answer) == (415, None)


async def test_markup_in_a_name_stays_text(directory: Directory) -> None:
    name = "<script>alert(1)</script>\u202e"
    refused = await directory.create(displayName=name)
    assert refusal(refused) == (400, "invalidValue")  # it turns the direction of writing
    made = await directory.create(displayName=name[:-1])
    assert made.json["displayName"] == name[:-1]
    assert made.headers["x-content-type-options"] == "nosniff"


async def test_no_error_repeats_what_was_refused(directory: Directory) -> None:
    secret = "seventeen swans swim"  # noqa: S105 - of nobody
    physician = directory.id_of("physician")
    records: dict[str, Any] = {OURS: {"fhirUser": secret}}
    bodies = (
        await directory.create(password=secret, userType=secret),
        await directory.create(userName=[secret]),
        await directory.create(active=secret, password=secret),
        await directory.create(**records),
        await directory.patch(physician, {"op": "replace", "value": {"active": secret, "password": secret}}),
        await directory.patch(physician, {"op": "replace", "path": "userName", "value": {"password": secret}}),
        await directory.patch(physician, {"op": secret, "path": "active", "value": True}),
        await directory.patch(physician, {"op": "replace", "path": secret, "value": True}),
        await directory.ask("PUT", f"/Users/{physician}", person("x", userType=secret)),
        await directory.ask("POST", "/Users/.search", {"schemas": [PATCH], "filter": secret}),
    )
    for answer in bodies:
        assert answer.status == 400
        assert secret.encode() not in answer.body
        assert secret not in repr(answer.entry)


NOT_THERE = [
    ("POST", "/Bulk", 501),
    ("GET", "/Me", 501),
    ("POST", "/Groups", 501),
    ("PATCH", "/Groups/practitioner", 501),
    ("PUT", "/Groups/practitioner", 501),
    ("DELETE", "/Groups/practitioner", 501),
    ("DELETE", "/Users", 405),
    ("POST", "/Schemas", 405),
    ("DELETE", "/ServiceProviderConfig", 405),
    ("GET", "/Schemas?filter=id pr", 403),
    ("GET", "/Groups/app", 404),
    ("GET", "/Users/%2e%2e/Groups", 404),
    ("GET", "/users", 404),
    ("GET", "/Users/", 404),
    ("GET", "/Users/-", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), NOT_THERE)
async def test_what_is_not_there_is_said_to_be_so(directory: Directory, method: str, path: str, status: int) -> None:
    answer = await directory.ask(method, path, {} if method in {"POST", "PUT", "PATCH"} else None)
    assert refusal(answer)[0] == status
