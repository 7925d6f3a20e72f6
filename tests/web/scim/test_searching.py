"""Lists, filters, pages, attributes, groups and what the server says of itself."""

import pytest

from tests.web.scim.directory import CORE, OURS, Directory, resources

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"

FILTERS = [
    ('userName eq "PHYSICIAN"', {"physician"}),
    (f'{CORE}:userName eq "physician"', {"physician"}),
    ('externalId eq "e-7"', {"amelie"}),
    ('externalId eq "E-7"', set()),
    ("active eq false", {"amelie"}),
    ('active eq "False"', {"amelie"}),
    ('userType eq "patient"', {"ada", "bob"}),
    (f'{OURS}:fhirUser eq "Patient/ada"', {"ada"}),
    ('userType eq "patient" and not (userName eq "ada")', {"bob"}),
    ('displayName co "amél"', {"amelie"}),
    ('userName eq "nobody"', set()),
    ('userName eq "physician" and active eq false', set()),
    ('id eq "not an id"', set()),
]


@pytest.mark.parametrize(("filter_", "expected"), FILTERS)
async def test_filters(directory: Directory, filter_: str, expected: set[str]) -> None:
    await directory.create(externalId="e-7", active=False)
    found = await directory.ask("GET", f"/Users?filter={filter_}&count=200")
    assert {each["userName"] for each in resources(found)} == expected
    assert found.json["totalResults"] == len(expected)
    by_body = await directory.ask("POST", "/Users/.search", {"schemas": [SEARCH], "filter": filter_, "sortBy": "id"})
    assert by_body.json == found.json
    assert found.entry is not None
    assert filter_ in (found.entry.query or "")


async def test_an_id_is_found(directory: Directory) -> None:
    id_ = directory.id_of("ada")
    assert [each["id"] for each in resources(await directory.ask("GET", f'/Users?filter=id eq "{id_}"'))] == [id_]


async def test_pages_show_everybody_once(directory: Directory) -> None:
    seen: list[str] = []
    for start in (1, 3, 5, 7):
        answer = await directory.ask("GET", f"/Users?startIndex={start}&count=2")
        assert (answer.json["totalResults"], answer.json["startIndex"]) == (6, start)
        seen += [each["userName"] for each in resources(answer)]
    assert sorted(seen) == ["ada", "administrator", "auditor", "bob", "emergency", "physician"]


async def test_attributes_are_chosen(directory: Directory) -> None:
    where = f"/Users/{directory.id_of('ada')}"
    some = (await directory.ask("GET", f"{where}?attributes=userName,{OURS}:fhirUser")).json
    assert some.keys() == {"schemas", "id", "userName", OURS}
    less = (await directory.ask("GET", f"{where}?excludedAttributes=displayName,meta")).json
    assert "displayName" not in less
    assert "meta" not in less
    assert less["userName"] == "ada"
    made = await directory.ask("POST", "/Users?attributes=userName", (await _body(directory)))
    assert made.status == 201


async def _body(directory: Directory) -> dict[str, object]:
    whole = (await directory.ask("GET", f"/Users/{directory.id_of('auditor')}")).json
    return {**whole, "userName": "auditor-2"}


async def test_groups_are_the_kinds(directory: Directory) -> None:
    listed = resources(await directory.ask("GET", "/Groups"))
    assert {each["id"] for each in listed} == {"practitioner", "patient", "administrator", "auditor"}
    assert not [each for each in listed if "members" in each]
    group = (await directory.ask("GET", "/Groups/patient?attributes=displayName,members")).json
    assert {each["value"] for each in group["members"]} == {directory.id_of("ada"), directory.id_of("bob")}
    assert all(each["$ref"].endswith(f"/Users/{each['value']}") for each in group["members"])
    auditor = directory.id_of("auditor")
    for filter_, expected in ((f'members eq "{auditor}"', ["auditor"]), ('displayName eq "Patient"', ["patient"])):
        assert [each["id"] for each in resources(await directory.ask("GET", f"/Groups?filter={filter_}"))] == expected


async def test_everything_is_searched_at_the_root(directory: Directory) -> None:
    every = await directory.ask("POST", "/.search", {"schemas": [SEARCH], "count": 5})
    assert every.json["totalResults"] == 10
    assert [each["meta"]["resourceType"] for each in resources(every)] == ["Group"] * 4 + ["User"]
    rest = await directory.ask("GET", "?startIndex=6")
    assert [each["meta"]["resourceType"] for each in resources(rest)] == ["User"] * 5
    both = {each["id"] for each in resources(every)} | {each["id"] for each in resources(rest)}
    assert len(both) == 10


async def test_the_server_says_what_is_true(directory: Directory) -> None:
    config = (await directory.ask("GET", "/ServiceProviderConfig")).json
    supported = {name: config[name]["supported"] for name in ("patch", "bulk", "filter", "sort", "etag")}
    assert supported == {"patch": True, "bulk": False, "filter": True, "sort": False, "etag": True}
    assert config["changePassword"] == {"supported": False}
    types = resources(await directory.ask("GET", "/ResourceTypes"))
    assert [each["endpoint"] for each in types] == ["/Users", "/Groups"]
    schema = (await directory.ask("GET", f"/Schemas/{CORE}")).json
    kept = {each["name"]: each["mutability"] for each in schema["attributes"]}
    assert kept["userType"] == "immutable"
    assert "password" not in kept
