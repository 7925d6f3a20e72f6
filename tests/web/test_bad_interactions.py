"""Whatever a client asks of histories, conditions, patches and Bundles: a 4xx that says what is wrong, never a 5xx."""

import base64
import json
from typing import Any
from urllib.parse import urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carekeep.fhir import validate
from tests.fhir.patch.fhirpath_patch_cases import BAD_PATHS, operation, parameters
from tests.web.clinic import Clinic, Json, observation, on_sqlite
from tests.web.knocking import JSON_BODY, Reply, check_refusal, kept, knock

# The clinic is made once for all examples of a test: none of them may change it.
same_clinic = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

PATCH_BODY = (b"content-type", b"application/json-patch+json")
ODD_TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ODD_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXT, inner, max_size=3),
    max_leaves=8,
)
PULSE = b"/fhir/Observation/ada-pulse"


async def check_answer(clinic: Clinic, before: dict[str, int], reply: Reply) -> None:
    """A refusal that left nothing, or an answer that is valid."""
    if reply.status >= 300:
        check_refusal(reply)
        assert await kept(clinic.system.database) == before
    elif reply.body:
        assert [issue for issue in validate(reply.json) if issue.severity == "error"] == []


@on_sqlite
@same_clinic
@given(
    st.sampled_from([b"", b"/Observation", b"/Observation/ada-pulse"]),
    st.lists(
        st.tuples(
            st.sampled_from(["_since", "_at", "_count", "_before", "_cursor", "_format", "x"]) | ODD_TEXT,
            ODD_TEXT | st.sampled_from(["1", "0", "-1", "2026", "2026-11-05T12:00:00Z", "0001", "9999-12-31", "json"]),
        ),
        max_size=3,
    ),
    st.sampled_from(["engine", "physician", "bob"]),
)
async def test_any_history(clinic: Clinic, place: bytes, pairs: list[tuple[str, str]], who: str) -> None:
    before = await kept(clinic.system.database)
    reply = await knock(clinic, "GET", b"/fhir" + place + b"/_history", urlencode(pairs).encode(), who=who)
    await check_answer(clinic, before, reply)


POINTERS = ODD_TEXT | st.sampled_from(
    [
        "",
        "/",
        "/-",
        "/status",
        "/code/coding/0",
        "/code/coding/-",
        "/code/coding/99999999999",
        "/subject/reference",
        "/id",
    ]
)
STEPS = st.dictionaries(st.sampled_from(["op", "path", "from", "value", "x"]), JSON_VALUES) | st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": POINTERS, "from": POINTERS},
    optional={"value": JSON_VALUES},
)


@on_sqlite
@same_clinic
@given(st.lists(STEPS, max_size=4) | JSON_VALUES)
async def test_any_json_patch(clinic: Clinic, patch: Any) -> None:
    before = await kept(clinic.system.database)
    reply = await knock(clinic, "PATCH", PULSE, headers=[PATCH_BODY], body=[json.dumps(patch).encode()])
    await check_answer(clinic, before, reply)


PATHS = (
    ODD_TEXT
    | st.sampled_from(BAD_PATHS)
    | st.sampled_from(
        ["Observation", "Observation.code", "Observation.code.coding[0]", "Observation.value", "Observation.status"]
    )
)
PARTS = st.fixed_dictionaries(
    {"name": st.sampled_from(["type", "path", "name", "value", "index", "source"])},
    optional={
        "valueString": ODD_TEXT,
        "valueInteger": st.integers(-3, 10),
        "valueCode": st.sampled_from(["add", "delete", "x"]),
        "part": st.lists(st.dictionaries(st.sampled_from(["name", "valueString"]), ODD_TEXT), max_size=2),
    },
)
PATCHES = st.builds(
    lambda kind, path, name, value, index: operation(
        kind, path, name=name, value=value, index=index, source=index, destination=0
    ),
    st.sampled_from(["add", "insert", "delete", "replace", "move"]),
    PATHS,
    st.sampled_from(["code", "coding", "status", "value", "id", "contained", "resourceType"]) | ODD_TEXT,
    st.sampled_from([{"valueString": "x"}, {"valueCoding": {"code": "x"}}, {"part": []}, {"valueBoolean": True}, {}]),
    st.integers(-1, 4),
) | st.fixed_dictionaries({"name": st.just("operation"), "part": st.lists(PARTS, max_size=4)})


@on_sqlite
@same_clinic
@given(st.lists(PATCHES, max_size=3))
async def test_any_fhirpath_patch(clinic: Clinic, patch: list[Json]) -> None:
    before = await kept(clinic.system.database)
    body = json.dumps(parameters(*patch)).encode()
    await check_answer(clinic, before, await knock(clinic, "PATCH", PULSE, headers=[JSON_BODY], body=[body]))


CONDITIONS = ODD_TEXT | st.sampled_from(
    [
        "",
        "_id=nothing",
        "patient=nobody",
        "identifier=|",
        "code=a,b",
        "date=gt2026&date=lt2020",
        "_count=0",
        "_has:x=y",
        "a=%ff",
    ]
)


@on_sqlite
@same_clinic
@given(st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]), CONDITIONS, st.binary(max_size=12))
async def test_any_condition(clinic: Clinic, method: str, condition: str, tag: bytes) -> None:
    """What matches nothing creates; the rest is refused, or deletes what is not there."""
    before = await kept(clinic.system.database)
    encoded = condition.encode() if condition.isascii() else urlencode({"x": condition}).encode()
    headers = [JSON_BODY, (b"if-none-match", tag)]
    query = b"" if method == "POST" else encoded
    if method == "POST":
        headers.append((b"if-none-exist", condition.encode()))
    body = json.dumps(observation("new", "ada", 1, "2026-05-01")).encode()
    reply = await knock(clinic, method, b"/fhir/Observation", query, headers=headers, body=[body])
    await check_answer(clinic, before, reply)


REQUESTS = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
        "url": st.sampled_from(["Observation", "Observation/x", "Observation/ada-pulse", "Patient/x/_history/1"])
        | CONDITIONS.map("Observation?{}".format),
    },
    optional={
        "ifNoneExist": CONDITIONS,
        "ifMatch": ODD_TEXT | st.just('W/"1"'),
        "ifNoneMatch": ODD_TEXT | st.just("*"),
        "ifModifiedSince": ODD_TEXT | st.just("2026-01-01T00:00:00Z"),
    },
)
CONTENTS = st.sampled_from(
    [
        observation("x", "ada", 1, "2026-05-01"),
        observation("ada-pulse", "ada", 1, "2026-05-01"),
        observation("x", "ada", 1, "2026-05-01") | {"subject": {"reference": "Patient?family=moreau"}},
        observation("x", "ada", 1, "2026-05-01") | {"subject": {"reference": "Patient?"}},
        parameters(operation("delete", "Observation.note")),
        {
            "resourceType": "Binary",
            "contentType": "application/json-patch+json",
            "data": base64.b64encode(b"[]").decode(),
        },
        {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": "x"},
        {"resourceType": "Observation", "id": 5},
    ]
)
ENTRIES = st.fixed_dictionaries(
    {"request": REQUESTS},
    optional={"resource": CONTENTS, "fullUrl": st.sampled_from(["urn:uuid:1", "https://x.example.org/Observation/x"])},
)


@on_sqlite
@same_clinic
@given(st.sampled_from(["transaction", "batch"]), st.lists(ENTRIES, min_size=1, max_size=3))
async def test_any_bundle(clinic: Clinic, kind: str, entries: list[Json]) -> None:
    before = await kept(clinic.system.database)
    body = json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}).encode()
    reply = await knock(clinic, "POST", b"/fhir", headers=[JSON_BODY], body=[body])
    if reply.status == 200:
        assert [
            each["response"]["status"] for each in reply.json["entry"] if each["response"]["status"][0] == "5"
        ] == []
    await check_answer(clinic, before, reply)


@on_sqlite
@same_clinic
@given(st.binary(max_size=60), ODD_TEXT | st.sampled_from(["text/plain", "application/json", "a/b;c=d"]), ODD_TEXT)
async def test_any_content_of_a_binary(clinic: Clinic, content: bytes, kind: str, context: str) -> None:
    before = await kept(clinic.system.database)
    headers = [(b"content-type", kind.encode()), (b"x-security-context", context.encode())]
    await check_answer(clinic, before, await knock(clinic, "POST", b"/fhir/Binary", headers=headers, body=[content]))
