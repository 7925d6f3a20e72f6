"""Each page of each site asked for by each role, and by nobody: the matrix, as a table that a reviewer extends.

A page that is not for somebody is, to them, not there: the same 404 as for a path that leads nowhere. And whatever is
asked for, a form from another origin is refused, and no answer may be kept or framed.
"""

import pytest

from carekeep.identity import Kind
from carekeep.identity.apps.own import CONSOLE, PORTAL, OwnSite
from carekeep.web.console.pages import PAGES as CONSOLE_PAGES
from carekeep.web.portal.pages import PAGES as PORTAL_PAGES
from tests.web.clinic import Clinic, on_sqlite
from tests.web.sites.guests import Guest, at_site

PAGES = {PORTAL: PORTAL_PAGES, CONSOLE: CONSOLE_PAGES}
LOGINS = {
    "patient": "ada",
    "clinician": "physician",
    "administrator": "administrator",
    "auditor": "auditor",
}
KINDS = {
    "patient": Kind.PATIENT,
    "clinician": Kind.PRACTITIONER,
    "administrator": Kind.ADMINISTRATOR,
    "auditor": Kind.AUDITOR,
}
MATRIX = """
portal    (first)        patient
portal    results        patient
portal    record         patient
portal    who-looked     patient
portal    consents       patient
portal    people         patient
portal    appointments   patient
portal    messages       patient
portal    share          patient
portal    take-away      patient
portal    correct        patient
portal    guest          anybody
console   (first)        administrator auditor
console   patients       clinician
console   find           clinician
console   reviews        clinician auditor
console   events         auditor
console   patient        clinician
console   break-glass    clinician
console   emergency      clinician
console   messages       clinician
console   amendments     clinician
"""


def rows() -> dict[tuple[str, str], set[str]]:
    """Site and page → whom it is for."""
    table = {}
    for line in MATRIX.strip().splitlines():
        site, page, *who = line.split()
        table[site, "" if page == "(first)" else page] = set(who)
    return table


def test_every_page_is_in_the_matrix_and_says_the_same() -> None:
    found = {(site, path): page for site, pages in PAGES.items() for path, page in pages.items()}
    assert found.keys() == rows().keys()
    for place, page in found.items():
        assert page.kinds == {KINDS[who] for who in rows()[place] - {"anybody"}}, place
        assert page.is_open == ("anybody" in rows()[place]), place


@on_sqlite
@pytest.mark.parametrize("who", [*LOGINS, "nobody"])
async def test_a_page_is_there_for_whom_it_is_for_and_takes_no_form_from_elsewhere(clinic: Clinic, who: str) -> None:
    for site in clinic.system.services.own_sites:
        guest = await at_site(clinic, site, LOGINS.get(who))
        nowhere = await guest.get("/no-such-page")
        for (name, path), allowed in rows().items():
            if name != site.name:
                continue
            answer = await guest.get(f"/{path}")
            if who in allowed or "anybody" in allowed:
                assert answer.status_code in {200, 303, 403, 404}, (name, path, who)
                assert who == "nobody" or answer.text != nowhere.text, (name, path, who)
            else:
                assert answer.status_code == nowhere.status_code or path == "", (name, path, who)
            assert answer.headers["cache-control"] == "no-store"
            assert answer.status_code == 303 or "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            await refuses(guest, site, f"/{path}")


async def refuses(guest: Guest, site: OwnSite, path: str) -> None:
    strangers: tuple[dict[str, str], ...] = (
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": site.origin, "sec-fetch-site": "same-site"},
        {"origin": "null"},
        {},
    )
    for headers in strangers:
        answer = await guest.post(path, headers)
        assert answer.status_code == 403, (path, headers)
