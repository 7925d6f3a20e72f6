"""Every page of the portal, in the order of its navigation."""

from collections.abc import Mapping
from typing import Final

from carekeep.identity import Kind
from carekeep.identity.apps.own import OwnSite
from carekeep.web.portal import (
    appointments,
    consents,
    correct,
    guest,
    messages,
    people,
    record,
    results,
    share,
    take_away,
    today,
    who_looked,
)
from carekeep.web.services import Services
from carekeep.web.sites import Page, Site

_PATIENTS = frozenset({Kind.PATIENT})

PAGES: Final[Mapping[str, Page]] = {
    "": Page(today.answer, _PATIENTS, "Today", "house"),
    "results": Page(results.answer, _PATIENTS, "Results", "test-tube"),
    "record": Page(record.answer, _PATIENTS, "Record", "list"),
    "who-looked": Page(who_looked.answer, _PATIENTS, "Who looked", "eye"),
    "consents": Page(consents.answer, _PATIENTS, "Consents", "shield-check"),
    "people": Page(people.answer, _PATIENTS, "Who acts for me", "users"),
    "appointments": Page(appointments.answer, _PATIENTS, "Appointments", "calendar"),
    "messages": Page(messages.answer, _PATIENTS, "Messages", "mail"),
    "correct": Page(correct.answer, _PATIENTS, "Correct my record", "file-text"),
    "share": Page(share.answer, _PATIENTS, "Share", "share-2"),
    "take-away": Page(take_away.answer, _PATIENTS, "Take away", "download"),
    "guest": Page(guest.answer, frozenset(), is_open=True),
}


def portal(site: OwnSite, services: Services) -> Site:
    """The ASGI application of the portal's host."""
    return Site(site, services, PAGES, __package__ or "")
