"""Consents as switches: off, and the next request is denied; on again, and it is not."""

import pytest
from playwright.async_api import expect

from tests.browser.accessibility import findings
from tests.browser.site import Site
from tests.browser.test_portal_who_looked import come_in
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_switch_that_is_off_denies_the_next_request(site: Site, visitor: Visitor) -> None:
    place = {"resourceType": "Organization", "id": "north", "name": "North <b>Clinic</b>"}
    role = {
        "resourceType": "PractitionerRole",
        "id": "physician-north",
        "practitioner": {"reference": "Practitioner/physician"},
        "organization": {"reference": "Organization/north"},
    }
    visit = {
        "resourceType": "Encounter",
        "id": "ada-north",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": "Patient/ada"},
        "serviceProvider": {"reference": "Organization/north"},
    }
    for resource in (place, role, visit):
        assert (await site.clinic.put(resource)).status == 201
    assert (await site.clinic.ask("GET", "Condition/ada-asthma", who="physician")).status == 200
    await come_in(site, visitor, "/consents")
    card = visitor.page.get_by_role("region").filter(has_text="North <b>Clinic</b>")
    assert await findings(visitor.page) == []
    await card.get_by_role("button").click()
    await visitor.sees_heading("Are you sure?")
    assert await findings(visitor.page) == []
    await visitor.press("Yes, turn it off")
    await expect(card.get_by_text("Off", exact=True)).to_be_visible()
    denied = await site.clinic.ask("GET", "Condition/ada-asthma", who="physician")
    assert denied.status == 403
    assert denied.entry is not None
    assert denied.entry.consents
    await card.get_by_role("button").click()
    await expect(card.get_by_text("On", exact=True)).to_be_visible()
    assert (await site.clinic.ask("GET", "Condition/ada-asthma", who="physician")).status == 200
