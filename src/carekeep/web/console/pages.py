"""Every page of the console, in the order of its navigation."""

from collections.abc import Mapping
from typing import Final

from carekeep.access import Purpose
from carekeep.identity import Kind
from carekeep.identity.apps.own import OwnSite
from carekeep.web.console import amendments, events, finding, messages, overview, patients, reviews
from carekeep.web.console.chart import break_glass
from carekeep.web.console.chart import page as chart
from carekeep.web.services import Services
from carekeep.web.sites import Page, Site

_OFFICERS = frozenset({Kind.ADMINISTRATOR, Kind.AUDITOR})
_CLINICIANS = frozenset({Kind.PRACTITIONER})
_ANSWERING = frozenset({Kind.PRACTITIONER, Kind.AUDITOR})
_AUDITORS = frozenset({Kind.AUDITOR})

PAGES: Final[Mapping[str, Page]] = {
    "": Page(overview.answer, _OFFICERS, "Overview", "house"),
    "patients": Page(patients.answer, _CLINICIANS, "My patients", "users"),
    "find": Page(finding.answer, _CLINICIANS, "Emergency search", "siren", Purpose.ETREAT),
    "reviews": Page(reviews.answer, _ANSWERING, "To answer for", "shield-check"),
    "amendments": Page(amendments.answer, _CLINICIANS, "Corrections", "file-text"),
    "events": Page(events.answer, _AUDITORS),
    "patient": Page(chart.answer, _CLINICIANS),
    "break-glass": Page(break_glass.answer, _CLINICIANS, purpose=Purpose.ETREAT),
    "emergency": Page(chart.answer, _CLINICIANS, purpose=Purpose.ETREAT),
    "messages": Page(messages.answer, frozenset({Kind.PRACTITIONER}), "Messages", "mail"),
}


def console(site: OwnSite, services: Services) -> Site:
    """The ASGI application of the console's host."""
    return Site(site, services, PAGES, __package__ or "")
