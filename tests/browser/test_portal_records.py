"""My records in the portal: what is new, results over time, the record on a line of time; and those of others."""

import base64
from typing import Any

import pytest
from playwright.async_api import expect

from carekeep.identity import Kind
from tests.browser.accessibility import findings
from tests.browser.site import PORTAL, Site
from tests.browser.visitor import Visitor
from tests.web.clinic import Json

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARKUP = """<img src=x onerror=alert(1)>"><script>alert(2)</script>'`${alert(3)}{{7*7}}<svg/onload=alert(4)>"""
_HEAVIEST = 150 * 1024
_FETCH = """async (path) => {
    const answer = await fetch(path);
    const names = ["content-type", "content-disposition", "content-security-policy"];
    return [...names.map((name) => answer.headers.get(name)), await answer.text()];
}"""


async def comes_in(site: Site, visitor: Visitor, patient: str) -> None:
    """A patient at the first page of the portal."""
    await visitor.at_home(await site.person(kind=Kind.PATIENT, fhir_user=f"Patient/{patient}"))
    await visitor.page.goto(f"{PORTAL}/")
    await visitor.press("Sign in")
    await visitor.sees_heading("Today")


def sugar(patient: str, number: int, value: float, day: str, **given: Any) -> Json:
    """A value of the long-term blood sugar, with its range."""
    return {
        "resourceType": "Observation",
        "id": f"{patient}-sugar-{number}",
        "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4", "display": "Hemoglobin A1c"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": day,
        "valueQuantity": {"value": value, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
        "referenceRange": [{"low": {"value": 4.0, "unit": "%"}, "high": {"value": 5.6, "unit": "%"}}],
    } | given


def cleo() -> list[Json]:
    """A patient with a value that rises, a report on it, and a problem."""
    patient = {"resourceType": "Patient", "id": "cleo", "name": [{"family": "Brandt"}], "birthDate": "1970-02-28"}
    report = {
        "resourceType": "DiagnosticReport",
        "id": "cleo-report",
        "status": "final",
        "code": {"text": "Sugar"},
        "subject": {"reference": "Patient/cleo"},
        "effectiveDateTime": "2026-11-01",
        "result": [{"reference": "Observation/cleo-sugar-3"}],
        "conclusion": "Please come again in spring.",
    }
    condition = {
        "resourceType": "Condition",
        "id": "cleo-asthma",
        "clinicalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
        },
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "195967001"}], "text": "Asthma"},
        "subject": {"reference": "Patient/cleo"},
        "onsetDateTime": "2026-03",
    }
    values = ((1, 5.2, "2025-01-10"), (2, 5.4, "2026-02-01"), (3, 6.1, "2026-11-01"))
    return [patient, *(sugar("cleo", *each) for each in values), report, condition]


async def keep(site: Site, *resources: Json) -> None:
    for resource in resources:
        answer = await site.clinic.put(resource)
        assert answer.status in {200, 201}, answer.body


async def test_a_patient_reads_results_and_record(site: Site, visitor: Visitor) -> None:
    """Aloud as by eye, on a telephone and on a desk, in bright colours and in dark ones."""
    await keep(site, *cleo())
    weight: dict[str, int] = {}

    async def weigh(response: Any) -> None:
        if response.url.startswith(PORTAL) and response.ok:
            weight[response.url] = len(await response.body())

    await comes_in(site, visitor, "cleo")
    visitor.page.on("response", weigh)
    found = {"today": await findings(visitor.page)}
    await visitor.page.get_by_role("link", name="Results", exact=True).click()
    await visitor.sees_heading("Results")
    row = visitor.page.get_by_role("listitem").filter(has_text="Long-term blood sugar")
    await expect(row).to_contain_text("6.1 %")
    await expect(row).to_contain_text("above the usual range")
    await expect(row).to_contain_text("higher than last time (5.4 %)")
    found["results"] = await findings(visitor.page)
    await visitor.page.get_by_role("link", name="Long-term blood sugar").click()
    await visitor.sees_heading("Long-term blood sugar")
    picture = visitor.page.get_by_role("img", name="3 values over time.")
    assert "The usual range is 4.0 to 5.6 %." in (await picture.get_attribute("aria-label") or "")
    heard = await visitor.page.get_by_role("main").aria_snapshot()
    assert 'row "November 1, 2026 6.1 % above the usual range 4.0 to 5.6 %"' in heard
    found["result"] = await findings(visitor.page)
    await visitor.page.goto(f"{PORTAL}/results/report/cleo-report")
    await expect(visitor.page.get_by_text("One value is not as usual.")).to_be_visible()
    found["report"] = await findings(visitor.page)
    await visitor.page.get_by_role("link", name="Record", exact=True).click()
    await visitor.sees_heading("Record")
    await visitor.page.get_by_role("link", name="Asthma").first.click()
    await visitor.sees_heading("Asthma")
    await visitor.page.get_by_text("More: the record as it is kept").click()
    found["entry"] = await findings(visitor.page)
    await visitor.page.goto(f"{PORTAL}/record")
    found["record"] = await findings(visitor.page)
    assert {name: said for name, said in found.items() if said} == {}
    shared = sum(size for url, size in weight.items() if "/static/" in url)
    pages = {url: size for url, size in weight.items() if "/static/" not in url}
    assert max(pages.values()) + shared < _HEAVIEST, (shared, pages)


async def test_nothing_in_a_record_is_run(site: Site, visitor: Visitor) -> None:
    """Whatever stands in names, notes, units, titles and files; the fixture counts dialogs and violations."""
    subject = {"subject": {"reference": "Patient/dora"}}
    page = base64.b64encode(b"<script>alert(6)</script>").decode()
    attachment = {"contentType": "text/html", "data": page, "title": MARKUP}
    await keep(
        site,
        {"resourceType": "Patient", "id": "dora", "name": [{"text": MARKUP}], "birthDate": "1970-02-28"},
        sugar(
            "dora", 1, 9.9, "2026-11-01", note=[{"text": MARKUP}], code={"text": MARKUP},
            valueQuantity={"value": 9.9, "unit": MARKUP}, referenceRange=[{"text": MARKUP}],
        ),
        sugar("dora", 2, 9.8, "2026-10-01", code={"text": MARKUP}, valueQuantity={"value": 9.8, "unit": MARKUP}),
        {
            "resourceType": "DiagnosticReport", "id": "dora-report", "status": "final", "code": {"text": MARKUP},
            "conclusion": MARKUP, "presentedForm": [attachment], **subject,
            "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>&lt;b&gt;bold</p></div>'},
        },
        {
            "resourceType": "DocumentReference", "id": "dora-letter", "status": "current", "description": MARKUP,
            "date": "2026-11-01T08:00:00Z", "content": [{"attachment": attachment}], **subject,
        },
    )  # fmt: skip
    await comes_in(site, visitor, "dora")
    for path in (
        "/", "/results", "/results/test/dora-sugar-1", "/results/reports", "/results/report/dora-report", "/record",
        "/record/DocumentReference/dora-letter",
    ):  # fmt: skip
        answer = await visitor.page.goto(PORTAL + path)
        assert answer is not None
        assert answer.status == 200, path
        assert await visitor.page.locator("main img, main script, [onerror], [onload]").count() == 0
    for path in ("/record/DocumentReference/dora-letter/file/0", "/results/report/dora-report/file/0"):
        kind, place, policy, content = await visitor.page.evaluate(_FETCH, path)
        assert kind == "application/octet-stream"
        assert place == 'attachment; filename="document-1.bin"'
        assert "sandbox" in policy
        assert content == "<script>alert(6)</script>"


async def test_the_records_of_others_are_not_there(site: Site, visitor: Visitor) -> None:
    await keep(site, sugar("bob", 1, 5.0, "2026-11-01"))
    await comes_in(site, visitor, "ada")
    for path in ("/results/test/bob-sugar-1", "/record/Condition/bob-asthma", "/record/Condition/bob-asthma/file/0"):
        answer = await visitor.page.goto(PORTAL + path)
        assert answer is not None
        assert answer.status in {403, 404}, path
        entry = await site.entry(answer.headers["x-ledger-entry"])
        assert (entry.outcome, entry.patients) == ("denied", ("bob",))
    for path in ("/results/report/nothing", "/record/Condition/nothing", "/record/Patient/ada", "/record?year=x"):
        answer = await visitor.page.goto(PORTAL + path)
        assert answer is not None
        assert answer.status == 404, path
