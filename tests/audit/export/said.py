"""Entries that say everything an entry can say, in words that must not leave."""

from typing import Any
from xml.etree import ElementTree

from carekeep.audit import Agent, Entry, EntryId, Followed, What
from carekeep.audit.export import Origin, Told, told_of

ORIGIN = Origin("ehr.example.org", "1.2.3")
AT = 1_793_880_000_123
ENTRY_ID = EntryId(AT.to_bytes(6, "big") + bytes(range(10)))


def pseudonym(kind: str, id_: str) -> str:
    """One that a test can foresee, and that holds nothing of the id."""
    return f"{kind[0]}{len(id_):031x}"


def followed(entry: Entry, index: int = 7) -> Followed:
    return Followed(index, ENTRY_ID, entry, ())


def said(**changes: Any) -> Entry:
    """A whole entry with a marker in each text that is about people or health."""
    values: dict[str, Any] = {
        "action": "fhir:record:read",
        "agent": Agent(
            account="0123456789abcdef0123456789abcdef",
            role="practitioner",
            who="Practitioner/markerwho",
            session="markersession",
            device="d1",
            address="192.0.2.1",
            app="chart-app",
            on_behalf_of="Patient/markerbehalf",
        ),
        "purpose": "TREAT",
        "outcome": "permitted",
        "what": (What("Observation/markerwhat", 3), What("Condition/markerhiv")),
        "patients": ("markerpatient", "markerother"),
        "query": "Patient?name=markerquery",
        "policies": ("care-team.read", "marker policy with words"),
        "reason": "markerreason is on the care team.",
        "risk": 12,
        "request_id": "markerrequest",
        "at_ms": AT,
        "seen": ('{"labels":["markerlabel"]}',),
        "trial": "markertrial",
        "consents": ("Consent/markerconsent",),
        "recipient": "Dr. Marker <markerrecipient@example.org>",
    }
    return Entry(**values | changes)


def told(**changes: Any) -> Told:
    return told_of(followed(said(**changes)), pseudonym)


def xml_of(message: bytes | str) -> ElementTree.Element:
    return ElementTree.fromstring(message)  # noqa: S314 - of our own making
