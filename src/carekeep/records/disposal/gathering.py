"""What the rules of retention look at, gathered from a patient's own records."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from typing import Any

from carekeep.encryption import Keyring, Tampered
from carekeep.fhir.documents import care_span_ms
from carekeep.fhir.search.values import dates
from carekeep.records.disposal.due import PatientFacts, RecordFacts
from carekeep.records.envelope import Stored
from carekeep.records.walking import Walker
from carekeep.storage import Database

_FOREVER_MS = 1 << 62
_FIRST_MS, _LAST_MS = -2_208_988_800_000, 253_370_764_800_000  # the years 1900 and 9999
_PAGE = 200
_MOST_CODES = 100
_DEEPEST = 12
_ALIVE_AND_HERE = frozenset({"arrived", "triaged", "in-progress", "onleave", "planned"})


async def gather(database: Database, keyring: Keyring, patient_id: str) -> PatientFacts:
    """The facts of all current records that are a patient's own. Raises Tampered: what is not known is not judged."""
    records: list[RecordFacts] = []
    patient: dict[str, Any] = {}
    in_care = False
    async for stored in own_records(database, keyring, patient_id):
        resource = stored.resource
        if stored.reference == f"Patient/{patient_id}":
            patient = resource
        in_care = in_care or _is_open(resource)
        records.append(RecordFacts(stored.type, _last_day(stored), frozenset(_codes(resource))))
    died = patient.get("deceasedDateTime")
    return PatientFacts(
        records=tuple(records),
        birth=_day(patient.get("birthDate")),
        death=_day(died),
        in_care=in_care,
        has_died=died is not None or patient.get("deceasedBoolean") is True,
    )


async def own_records(database: Database, keyring: Keyring, patient_id: str) -> AsyncIterator[Stored]:
    """The current records that go with the patient's key. Raises Tampered."""
    walker, scope = Walker(database, keyring), keyring.scope_of(patient_id)
    after, ended = 0, False
    while not ended:
        stretch = await walker.of_patient(scope, after, _FOREVER_MS, _PAGE)
        for found in stretch.found:
            if found.stored is None:
                raise Tampered("A record of the patient does not open.")
            if not found.stored.deleted:
                yield found.stored
        after, ended = stretch.last, stretch.ended


def _last_day(stored: Stored) -> date:
    """The last day that a record tells of; the day of its writing where it tells none, or an end that is open."""
    written = _date(stored.last_updated_ms)
    span = care_span_ms(stored.resource)
    if span is None:
        return written
    start, end = span
    # A period without an end, or one that ends after it was written down, is known to have lasted until then.
    return _date(end - 1) if end - 1 <= stored.last_updated_ms else max(_date(start), written)


def _is_open(resource: dict[str, Any]) -> bool:
    """Whether care goes on by what the record says: an encounter, or an episode of care, that is not over."""
    match resource.get("resourceType"):
        case "Encounter":
            return resource.get("status") in _ALIVE_AND_HERE
        case "EpisodeOfCare":
            return resource.get("status") in {"planned", "waitlist", "active", "onhold"}
        case _:
            return False


def _codes(node: Any, depth: int = 0) -> Iterator[str]:
    """Every coding in a resource as "system|code", the first hundred; also those of modalities and categories."""
    found: set[str] = set()
    for code in _all_codes(node, depth):
        found.add(code)
        if len(found) > _MOST_CODES:
            break
    yield from found


def _all_codes(node: Any, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(node, dict):
        if isinstance(node.get("system"), str) and isinstance(node.get("code"), str):
            yield f"{node['system']}|{node['code']}"
        for child in node.values():
            yield from _all_codes(child, depth + 1)
    elif isinstance(node, list):
        for child in node:
            yield from _all_codes(child, depth + 1)


def _day(text: Any) -> date | None:
    """The last day of what a FHIR date names (of a year alone its last); None for what is none."""
    span = dates.read(text)
    return None if span is None else _date(span.end - 1)


def _date(ms: int) -> date:
    return datetime.fromtimestamp(min(max(ms, _FIRST_MS), _LAST_MS) / 1000, UTC).date()
