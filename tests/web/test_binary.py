"""Binary: any content in its own type, kept under the key of the patient whose it is, and shown to nobody else."""

import base64

import pytest

from carekeep.audit import What
from tests.web.clinic import FHIR_JSON, Clinic, Json, on_sqlite, records_kept

PDF = b"%PDF-1.7 \x00\xff a report"
OF_ADA = {"content-type": "application/pdf", "x-security-context": "Patient/ada"}
RAW = {"accept": "application/pdf"}


def binary(context: str | None = "Patient/ada", content: bytes = PDF, kind: str = "application/pdf") -> Json:
    made: Json = {"resourceType": "Binary", "contentType": kind, "data": base64.b64encode(content).decode()}
    return made | ({"securityContext": {"reference": context}} if context else {})


REPORT: Json = {
    "resourceType": "DocumentReference",
    "id": "report",
    "status": "current",
    "subject": {"reference": "Patient/ada"},
    "meta": {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}]},
    "content": [{"attachment": {"contentType": "application/pdf"}}],
}


async def test_content_goes_in_and_comes_out_as_it_is(clinic: Clinic) -> None:
    made = await clinic.ask("POST", "Binary", PDF, who="physician", headers=OF_ADA)
    assert made.status == 201, made.body
    assert made.json["contentType"] == "application/pdf"
    assert base64.b64decode(made.json["data"]) == PDF
    assert made.json["securityContext"] == {"reference": "Patient/ada"}
    assert made.entry is not None
    assert made.entry.patients == ("ada",)
    path = f"Binary/{made.json['id']}"
    for accept in ("application/pdf", "*/*", "image/png", ""):
        got = await clinic.ask("GET", path, who="physician", headers={"accept": accept})
        assert (got.status, got.body, got.headers["content-type"]) == (200, PDF, "application/pdf")
        assert got.headers["etag"] == 'W/"1"'
        assert got.entry is not None
        assert got.entry.what == (What(path, 1),)
    assert (await clinic.ask("GET", f"{path}/_history/1", who="physician", headers=RAW)).body == PDF


async def test_a_browser_is_told_to_keep_it_as_a_file_and_run_nothing(clinic: Clinic) -> None:
    page = b"<script>alert(1)</script>"
    made = await clinic.ask("POST", "Binary", page, headers={**OF_ADA, "content-type": "text/html"})
    got = await clinic.ask("GET", f"Binary/{made.json['id']}", headers={"accept": "text/html"})
    assert (got.body, got.headers["content-type"]) == (page, "text/html")
    assert got.headers["content-disposition"] == "attachment"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in got.headers["content-security-policy"]
    assert "default-src 'none'" in got.headers["content-security-policy"]


@pytest.mark.parametrize("accept", [FHIR_JSON, "application/json", "application/fhir+json; fhirVersion=4.0, */*"])
async def test_fhir_is_given_to_those_who_ask_for_it(clinic: Clinic, accept: str) -> None:
    made = await clinic.ask("POST", "Binary", PDF, headers=OF_ADA)
    got = await clinic.ask("GET", f"Binary/{made.json['id']}", headers={"accept": accept})
    assert got.json == made.json
    by_format = await clinic.ask("GET", f"Binary/{made.json['id']}?_format=json", headers={"accept": "*/*"})
    assert by_format.json == made.json


async def test_a_binary_in_fhir_is_one(clinic: Clinic) -> None:
    made = await clinic.ask("POST", "Binary", binary(), who="physician")
    assert (made.status, made.json["contentType"]) == (201, "application/pdf")
    put = await clinic.ask("PUT", "Binary/scan", binary() | {"id": "scan"}, who="physician")
    assert put.status == 201
    raw = await clinic.ask(
        "PUT", "Binary/scan", b"new", headers={**OF_ADA, "content-type": "text/plain; charset=utf-8"}
    )
    assert (raw.status, raw.headers["etag"]) == (200, 'W/"2"')
    got = await clinic.ask("GET", "Binary/scan", headers={"accept": "text/plain"})
    assert (got.body, got.headers["content-type"]) == (b"new", "text/plain; charset=utf-8")


async def test_json_that_is_no_binary_is_the_content_of_one(clinic: Clinic) -> None:
    for kind in ("application/json", FHIR_JSON):
        body = b'{"resourceType": "Patient", "gender": "x"}'
        made = await clinic.ask("POST", "Binary", body, headers={**OF_ADA, "content-type": kind})
        assert made.status == 201, made.body
        assert (made.json["contentType"], base64.b64decode(made.json["data"])) == (kind, body)
    odd = await clinic.ask("POST", "Binary", b"{", headers={**OF_ADA, "content-type": "application/json"})
    assert odd.status == 201
    broken = await clinic.ask(
        "POST", "Binary", b'{"resourceType": "Binary"', headers=OF_ADA | {"content-type": FHIR_JSON}
    )
    assert broken.status == 400


async def test_it_belongs_to_the_patient_of_its_security_context(clinic: Clinic) -> None:
    made = await clinic.ask("POST", "Binary", binary("Patient/ada"))
    path = f"Binary/{made.json['id']}"
    for who, status in (("ada", 200), ("physician", 200), ("bob", 403), ("emergency", 403), ("auditor", 403)):
        answer = await clinic.ask("GET", path, who=who, headers=RAW)
        assert answer.status == status, who
        assert answer.entry is not None
        assert answer.entry.patients == ("ada",)
    moved = await clinic.ask("PUT", path, binary("Patient/bob") | {"id": made.json["id"]}, who="physician")
    assert moved.status == 403
    taken_out = await clinic.ask("PUT", path, binary(None) | {"id": made.json["id"]}, who="physician")
    assert taken_out.status == 403
    assert (await clinic.ask("POST", "Binary", binary("Patient/bob"), who="physician")).status == 403
    await clinic.record("ada is forgotten", await clinic.system.services.vault.prepare_forget("ada"))
    clinic.system.services.generations.changed("keys")
    assert (await clinic.ask("GET", path, headers=RAW)).status == 410


async def test_a_record_can_be_the_security_context(clinic: Clinic) -> None:
    assert (await clinic.put(REPORT)).status == 201
    made = await clinic.ask("POST", "Binary", binary("DocumentReference/report"), who="physician")
    assert made.status == 201, made.body
    assert made.json["meta"]["security"] == REPORT["meta"]["security"]
    assert made.entry is not None
    assert made.entry.patients == ("ada",)
    path = f"Binary/{made.json['id']}"
    assert (await clinic.ask("GET", path, who="ada", headers=RAW)).status == 200
    assert (await clinic.ask("GET", path, who="bob", headers=RAW)).status == 403


@on_sqlite
@pytest.mark.parametrize(
    "context", ["DocumentReference/nothing", "Practitioner/physician", "https://elsewhere.example.org/x"]
)
async def test_a_security_context_that_says_nothing_of_whose_it_is_is_refused(clinic: Clinic, context: str) -> None:
    before = await records_kept(clinic.system.database)
    answer = await clinic.ask("POST", "Binary", binary(context))
    assert (answer.status, answer.json["issue"][0]["expression"]) == (422, ["Binary.securityContext"])
    assert await records_kept(clinic.system.database) == before


async def test_the_context_of_somebody_else_is_denied(clinic: Clinic) -> None:
    foreign = await clinic.ask("POST", "Binary", binary("Condition/bob-asthma"), who="physician")
    assert foreign.status == 403
    assert foreign.entry is not None
    assert foreign.entry.patients == ("bob",)


async def test_a_document_and_its_content_in_one_transaction(clinic: Clinic) -> None:
    urn, content = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
    document = REPORT | {"content": [{"attachment": {"contentType": "application/pdf", "url": content}}]}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": content, "resource": binary(urn), "request": {"method": "POST", "url": "Binary"}},
            {"fullUrl": urn, "resource": document, "request": {"method": "POST", "url": "DocumentReference"}},
        ],
    }
    answer = await clinic.ask("POST", "", bundle, who="physician")
    assert answer.status == 200, answer.body
    kept, report = (entry["resource"] for entry in answer.json["entry"])
    assert kept["securityContext"]["reference"] == f"DocumentReference/{report['id']}"
    assert report["content"][0]["attachment"]["url"] == f"Binary/{kept['id']}"
    assert (await clinic.ask("GET", f"Binary/{kept['id']}", who="ada", headers=RAW)).body == PDF
    assert (await clinic.ask("GET", f"Binary/{kept['id']}", who="bob", headers=RAW)).status == 403


@on_sqlite
@pytest.mark.parametrize("kind", ["", "pdf", "text/html\tx", "text/plain; x", "a/b/c", 'text/plain; a="x'])
async def test_content_needs_a_type(clinic: Clinic, kind: str) -> None:
    answer = await clinic.ask("POST", "Binary", PDF, headers={**OF_ADA, "content-type": kind})
    assert answer.status == 415


@on_sqlite
@pytest.mark.parametrize("kind", ["text/plain x", "text/html\nset-cookie: a=b", "nonsense"])
async def test_a_type_that_is_none_is_not_sent_as_a_header(clinic: Clinic, kind: str) -> None:
    made = await clinic.ask("POST", "Binary", binary(kind=kind))
    if made.status == 201:
        got = await clinic.ask("GET", f"Binary/{made.json['id']}", headers=RAW)
        assert (got.body, got.headers["content-type"]) == (PDF, "application/octet-stream")
        assert "set-cookie" not in got.headers


@on_sqlite
async def test_a_binary_without_content_has_none(clinic: Clinic) -> None:
    made = await clinic.ask("POST", "Binary", b"", headers=OF_ADA)
    assert made.status == 201, made.body
    assert "data" not in made.json
    assert (await clinic.ask("GET", f"Binary/{made.json['id']}", headers=RAW)).status == 404


@on_sqlite
async def test_too_much_content_is_refused(clinic: Clinic) -> None:
    answer = await clinic.ask("POST", "Binary", b"x" * (8 * 1024 * 1024 + 1), headers=OF_ADA)
    assert (answer.status, answer.json["issue"][0]["code"]) == (413, "too-long")


async def test_a_batch_gives_it_as_fhir(clinic: Clinic) -> None:
    made = await clinic.ask("POST", "Binary", PDF, headers=OF_ADA)
    entry = {"request": {"method": "GET", "url": f"Binary/{made.json['id']}"}}
    answer = await clinic.ask("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    assert answer.json["entry"][0]["resource"] == made.json


@on_sqlite
async def test_other_types_are_not_given_raw(clinic: Clinic) -> None:
    assert (await clinic.ask("GET", "Patient/ada", headers={"accept": "application/pdf"})).status == 406
    raw = await clinic.ask("POST", "Patient", b"Ada", headers={"content-type": "text/plain"})
    assert raw.status == 415
