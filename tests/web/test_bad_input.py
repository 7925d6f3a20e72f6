"""Whatever a client sends: a 4xx with a valid OperationOutcome, never a 5xx, and nothing is stored.

``HYPOTHESIS_PROFILE=thorough`` tries more than 20,000 requests.
"""

import json
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carekeep.fhir import RESOURCE_TYPES, search_parameters, validate
from tests.fhir.resources import example, examples
from tests.web.clinic import Clinic, Json, observation, on_sqlite
from tests.web.knocking import FORM_BODY, JSON_BODY, Reply, check_refusal, kept, knock

# The clinic is made once for all examples of a test: none of them may change it.
same_clinic = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
# No commas and percent signs: these have meanings of their own, which other tests are about.
ODD_TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
NUMBERS = st.integers() | st.floats() | st.decimals()
DATES = st.from_regex(r"-?[0-9]{0,5}(-[0-9]{0,3}){0,3}(T[0-9:.]{0,12}(Z|[+-][0-9:]{0,6})?)?", fullmatch=True)


async def check_nothing_happened(clinic: Clinic, before: dict[str, int], reply: Reply) -> None:
    check_refusal(reply)
    assert await kept(clinic.system.database) == before


@on_sqlite
@same_clinic
@given(st.binary(max_size=200) | ODD_TEXT.map(str.encode) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
async def test_any_bytes_as_a_body(clinic: Clinic, body: bytes) -> None:
    before = await kept(clinic.system.database)
    for method, path in (("POST", b"/fhir/Observation"), ("PUT", b"/fhir/Patient/x"), ("POST", b"/fhir")):
        reply = await knock(clinic, method, path, body=[body], headers=[JSON_BODY])
        await check_nothing_happened(clinic, before, reply)


@on_sqlite
@same_clinic
@given(
    st.sampled_from(examples()),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 40), st.binary(max_size=4)), min_size=1, max_size=3),
)
async def test_damaged_json(clinic: Clinic, resource: Json, cuts: list[tuple[int, int, bytes]]) -> None:
    """Bytes are cut out and put in. What is still valid is kept, and whatever is kept is valid."""
    text = json.dumps(resource).encode()
    for at, count, new in cuts:
        text = text[: at % len(text)] + new + text[at % len(text) + count :]
    await check_honest(clinic, resource["resourceType"], text)


async def check_honest(clinic: Clinic, type_: str, text: bytes) -> None:
    """The resource is refused and leaves nothing, or it is kept and is valid."""
    before = await kept(clinic.system.database)
    reply = await knock(clinic, "POST", f"/fhir/{type_}".encode(), body=[text], headers=[JSON_BODY])
    after = await kept(clinic.system.database)
    if reply.status == 201:
        assert [issue for issue in validate(reply.json) if issue.severity == "error"] == []
        assert after["record_version"] == before["record_version"] + 1
    else:
        check_refusal(reply)
        assert after == before


@st.composite
def mutations(draw: st.DrawFn) -> Json:
    """A valid resource with a few values put somewhere in it."""
    resource: Json = json.loads(json.dumps(draw(st.sampled_from(examples()))))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = resource
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and draw(st.booleans()):
                place = place[key]
                continue
            if isinstance(place, dict) and draw(st.integers(0, 4)) == 0:
                place[draw(st.text(max_size=12))] = draw(JSON_VALUES)
            elif key != "resourceType":
                place[key] = draw(JSON_VALUES | DATES)
            break
    return resource


@on_sqlite
@same_clinic
@given(mutations())
async def test_mutated_resources(clinic: Clinic, resource: Json) -> None:
    await check_honest(clinic, resource["resourceType"], json.dumps(resource).encode())


@on_sqlite
@same_clinic
@given(st.integers(33, 30_000), st.sampled_from(["[", '{"extension":[', '{"a":']))
async def test_nesting(clinic: Clinic, depth: int, opening: str) -> None:
    before = await kept(clinic.system.database)
    whole = opening * depth + "1" + "".join({"[": "]", "{": "}"}[c] for c in (opening * depth)[::-1] if c in "[{")
    for text in (whole, opening * depth):
        body = f'{{"resourceType": "Observation", "component": {text}}}'.encode()
        reply = await knock(clinic, "POST", b"/fhir/Observation", body=[body], headers=[JSON_BODY])
        await check_nothing_happened(clinic, before, reply)


@on_sqlite
@same_clinic
@given(st.one_of(DATES, ODD_TEXT))
async def test_absurd_dates(clinic: Clinic, text: str) -> None:
    pulse = observation("x", "ada", 1, "2026-01-01") | {"effectiveDateTime": text}
    await check_honest(clinic, "Observation", json.dumps(pulse).encode())
    await check_honest(clinic, "Patient", json.dumps({"resourceType": "Patient", "birthDate": text}).encode())
    await check_search(clinic, "Observation", [("date", text), ("_lastUpdated", text)])
    await check_search(clinic, "Patient", [("birthdate", text)])


@on_sqlite
@same_clinic
@given(NUMBERS)
async def test_absurd_numbers(clinic: Clinic, number: Any) -> None:
    text = json.dumps(observation("x", "ada", 4711, "2026-01-01")).replace("4711", str(number)).encode()
    await check_honest(clinic, "Observation", text)
    await check_search(clinic, "Observation", [("value-quantity", str(number)), ("_count", str(number))])


async def check_search(clinic: Clinic, type_: str, pairs: list[tuple[str, str]], who: str = "engine") -> None:
    """By GET and by POST: a valid searchset, or a refusal."""
    query = urlencode(pairs).encode()
    before = await kept(clinic.system.database)
    for reply in (
        await knock(clinic, "GET", f"/fhir/{type_}".encode(), query, who=who),
        await knock(clinic, "POST", f"/fhir/{type_}/_search".encode(), body=[query], headers=[FORM_BODY], who=who),
    ):
        if reply.status == 200:
            assert [issue for issue in validate(reply.json) if issue.severity == "error"] == []
            assert b"x-ledger-entry" in reply.headers
        else:
            check_refusal(reply)
    assert await kept(clinic.system.database) == before


@st.composite
def searches(draw: st.DrawFn) -> tuple[str, list[tuple[str, str]]]:
    """Parameters of a type with modifiers that exist or not, and any values."""
    type_ = draw(st.sampled_from(sorted(RESOURCE_TYPES)))
    names = [*search_parameters(type_), "_id", "_sort", "_count", "_total", "_summary", "_cursor", "_format", "_has"]
    modifiers = ["", "", "", ":exact", ":contains", ":missing", ":not", ":of-type", ":Patient", ":in", ":text", ":x"]
    values = (
        ODD_TEXT
        | DATES
        | st.sampled_from(["true", "ada", "Patient/ada", "a|b", "|", "gt5", "ne2026", "-date", ",,", "\\"])
    )
    pair = st.tuples(
        st.builds(str.__add__, st.sampled_from(names), st.sampled_from(modifiers))
        | st.sampled_from(["patient.name", "subject:Patient.family", "_has:Observation:patient:code", "_filter"])
        | ODD_TEXT,
        values,
    )
    return type_, draw(st.lists(pair, min_size=1, max_size=4))


@on_sqlite
@same_clinic
@given(searches(), st.sampled_from(["engine", "physician", "ada"]))
async def test_any_search(clinic: Clinic, search: tuple[str, list[tuple[str, str]]], who: str) -> None:
    await check_search(clinic, *search, who)


@on_sqlite
@same_clinic
@given(st.binary(max_size=80))
async def test_any_query_string(clinic: Clinic, query: bytes) -> None:
    for text in (query, quote_from_bytes(query).encode()):
        reply = await knock(clinic, "GET", b"/fhir/Observation", text)
        if reply.status != 200:
            check_refusal(reply)


@on_sqlite
@same_clinic
@given(st.lists(st.binary(max_size=70) | ODD_TEXT.map(str.encode), min_size=1, max_size=4), st.data())
async def test_any_path(clinic: Clinic, parts: list[bytes], data: st.DataObject) -> None:
    prefix = data.draw(st.sampled_from([b"/fhir/", b"/fhir/Patient/", b"/ledger/", b"/auth/", b"/"]))
    method = data.draw(st.sampled_from(["GET", "PUT", "POST", "DELETE"]))
    path = prefix + b"/".join(quote_from_bytes(part, safe="").encode() for part in parts)
    before = await kept(clinic.system.database)
    reply = await knock(clinic, method, path, headers=[JSON_BODY], body=[b"{}"])
    assert await kept(clinic.system.database) == before
    if reply.status not in {
        200,
        204,
    }:  # it may be a search, or the deletion of what is not there (R4, http.html#delete)
        check_refusal(reply)


@on_sqlite
@same_clinic
@given(st.text(st.characters(codec="ascii", categories=["Lu", "Ll"]), min_size=1, max_size=12))
async def test_any_method(clinic: Clinic, method: str) -> None:
    if method in {"GET", "HEAD", "DELETE"}:
        return
    for path in (b"/fhir/Observation/ada-pulse", b"/fhir", b"/fhir/metadata", b"/ledger/key", b"/auth/session"):
        before = await kept(clinic.system.database)
        await check_nothing_happened(clinic, before, await knock(clinic, method, path))


HEADERS = [
    b"accept",
    b"authorization",
    b"content-length",
    b"content-type",
    b"host",
    b"if-match",
    b"if-none-match",
    b"prefer",
    b"x-purpose-of-use",
    b"x-request-id",
    b"x-forwarded-for",
    b"cookie",
]


@on_sqlite
@same_clinic
@given(st.lists(st.tuples(st.sampled_from(HEADERS), st.binary(max_size=40)), min_size=1, max_size=4))
async def test_any_headers(clinic: Clinic, headers: list[tuple[bytes, bytes]]) -> None:
    body = json.dumps(observation("ada-pulse", "ada", 72, "2026-03-01")).encode()
    for method, path, content in (
        ("GET", b"/fhir/Observation/ada-pulse", b""),
        ("PUT", b"/fhir/Observation/ada-pulse", body),
        ("GET", b"/auth/session", b""),
        ("GET", b"/ledger/proof/" + b"0" * 32, b""),
    ):
        reply = await knock(clinic, method, path, headers=headers, body=[content])
        if reply.status not in {200, 304}:
            check_refusal(reply)


METHODS = ODD_TEXT | st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"])
URLS = ODD_TEXT | st.sampled_from(
    [
        "Patient",
        "Patient/x",
        "Patient?x=1",
        "Observation?patient=ada",
        "Patient/x/_history",
        "ValueSet/$expand",
        "Patient/ada/$everything",
        "Patient/ada/Observation?code=x",
        "Patient/ada/*",
        "Observation/$validate",
        "Patient/$x",
        "Observation?value-quantity=5|http://unitsofmeasure.org|mg",
    ]
)
ENTRIES = st.fixed_dictionaries(
    {"request": st.fixed_dictionaries({"method": METHODS, "url": URLS})},
    optional={"resource": mutations() | JSON_VALUES, "fullUrl": ODD_TEXT, "x": JSON_VALUES},
)


@on_sqlite
@same_clinic
@given(
    st.sampled_from(["transaction", "batch"]),
    st.lists(ENTRIES | JSON_VALUES, max_size=4),
)
async def test_any_bundle(clinic: Clinic, kind: str, entries: list[Any]) -> None:
    body = json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}).encode()
    before = await kept(clinic.system.database)
    reply = await knock(clinic, "POST", b"/fhir", body=[body], headers=[JSON_BODY])
    if reply.status == 200:
        assert reply.json["type"] == f"{kind}-response"
        assert [each["response"]["status"] for each in reply.json["entry"] if each["response"]["status"] >= "5"] == []
    else:
        check_refusal(reply)
        assert await kept(clinic.system.database) == before


@on_sqlite
@same_clinic
@given(JSON_VALUES, ODD_TEXT)
async def test_any_emergency(clinic: Clinic, value: Any, reason: str) -> None:
    before = await kept(clinic.system.database)
    for parameter in (value, [value], [{"name": "reason", "valueString": value}], [{"name": reason}]):
        body = json.dumps({"resourceType": "Parameters", "parameter": parameter}).encode()
        reply = await knock(
            clinic, "POST", b"/fhir/Patient/ada/$break-glass", body=[body], headers=[JSON_BODY], who="emergency"
        )
        if reply.status == 200:
            assert isinstance(value, str)
            assert len(value) >= 10
            return
        await check_nothing_happened(clinic, before, reply)


@pytest.mark.parametrize("size", [8 * 1024 * 1024 + 1, 20 * 1024 * 1024])
@pytest.mark.parametrize("declared", [True, False])
@on_sqlite
async def test_a_body_that_is_too_large(clinic: Clinic, size: int, declared: bool) -> None:
    before = await kept(clinic.system.database)
    chunk = b"x" * 65_536
    headers = [JSON_BODY, (b"content-length", str(size).encode())] if declared else [JSON_BODY]
    body = [chunk] * (size // len(chunk) + 1)
    reply = await knock(clinic, "POST", b"/fhir/Observation", body=body, headers=headers)
    await check_nothing_happened(clinic, before, reply)
    assert reply.status == 413


@on_sqlite
@pytest.mark.parametrize("name", [b"authorization", b"content-type", b"host", b"if-match", b"x-purpose-of-use"])
async def test_a_header_given_twice(clinic: Clinic, name: bytes) -> None:
    reply = await knock(
        clinic, "GET", b"/fhir/Patient/ada", headers=[(name, b"application/json"), (name, b"application/json")]
    )
    check_refusal(reply)


@on_sqlite
@pytest.mark.parametrize(
    "text",
    [
        b'{"resourceType": "Patient", "resourceType": "Patient"}',
        b'{"resourceType": "Patient", "active": NaN}',
        b'{"resourceType": "Patient", "birthDate": "\\ud800"}',
        b'\xef\xbb\xbf{"resourceType": "Patient"}',
        b'{"resourceType": "Patient", "id": "../../etc"}',
        b'{"resourceType": "Patient", "name": [{"family": "a\\u0000b"}]}',
        b'{"resourceType": "Patient", "multipleBirthInteger": 1e400}',
        b'{"resourceType": "Patient", "multipleBirthInteger": 99999999999999999999}',
        b'{"resourceType": "Patient"} {}',
        '{"resourceType": "Patient"}'.encode("utf-16"),
        b"",
    ],
)
async def test_json_that_parsers_differ_on(clinic: Clinic, text: bytes) -> None:
    before = await kept(clinic.system.database)
    reply = await knock(clinic, "POST", b"/fhir/Patient", body=[text], headers=[JSON_BODY])
    await check_nothing_happened(clinic, before, reply)


async def test_where_and_what_is_said_and_the_value_is_not(clinic: Clinic) -> None:
    broken = example("Observation")
    broken["component"][0]["valueQuantity"]["value"] = "a secret diagnosis"
    reply = await knock(clinic, "POST", b"/fhir/Observation", body=[json.dumps(broken).encode()], headers=[JSON_BODY])
    assert reply.status == 422
    places = [place for issue in reply.json["issue"] for place in issue["expression"]]
    assert any(place.startswith("Observation.component[0].value") for place in places)
    assert b"secret" not in reply.body
