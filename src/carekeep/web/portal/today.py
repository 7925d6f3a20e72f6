"""The first page: what is new, what comes next, and what needs the patient."""

from datetime import UTC, datetime, timedelta

from carekeep.access.review_rows import Emergency, Letter
from carekeep.fhir import format_instant
from carekeep.records import Stored
from carekeep.web.browser.languages import language_of
from carekeep.web.http import Response
from carekeep.web.plain import Speech, moment_of, name_of, name_of_reference
from carekeep.web.portal.coming import Coming, next_of, unread_of
from carekeep.web.portal.measured import Test, grouped, told
from carekeep.web.portal.own_records import OwnRecords
from carekeep.web.portal.seen import FIRST_DAYS, seen_ms
from carekeep.web.sites import Visit, nothing_here

_MOST = 200
_SHOWN = 6  # new results
_EMERGENCY_DAYS = 90


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``GET /``."""
    if method != "GET" or rest:
        raise nothing_here()
    own, speech = await OwnRecords.of(to), Speech.of(language_of(to.request))
    tests, shown = await _new_results(to, own, speech)
    coming = await _next(to, own, speech)
    messages, _ = await own.find("Communication", ("recipient", f"Patient/{own.patient}"), most=_MOST)
    unread = unread_of([stored.resource for stored in messages], to.account.fhir_user or "")
    own.show(shown)
    await own.record(f"Observation?patient={own.patient}&_lastUpdated=")
    return to.page(
        "today.html",
        tests=tests[:_SHOWN],
        count=len(tests),
        first_days=FIRST_DAYS if seen_ms(to) is None else 0,
        coming=coming,
        unread=unread,
        notices=sum(not notice.is_read for notice in await to.services.notices.of(to.account.id)),
        emergencies=await _emergencies(to, own),
        account=f"{to.services.auth_url}/account",
    )


async def _new_results(to: Visit, own: OwnRecords, speech: Speech) -> tuple[list[Test], list[Stored]]:
    """Tests with a result that came since the results were seen last."""
    seen = seen_ms(to)
    if seen is not None:
        asked = ("_lastUpdated", f"gt{format_instant(seen)}")
    else:
        day = datetime.fromtimestamp(to.services.clock() / 1000, UTC) - timedelta(days=FIRST_DAYS)
        asked = ("date", f"ge{day.date().isoformat()}")
    found, _ = await own.find("Observation", asked, most=_MOST)
    tests = [told(speech, group, 1) for group in grouped(stored.resource for stored in found)]
    tests.sort(key=lambda test: (not test.latest.is_unusual, -test.latest.when.at_ms, test.name.plain))
    ids = {test.latest.id for test in tests[:_SHOWN]}
    return tests, [stored for stored in found if stored.id in ids]


async def _next(to: Visit, own: OwnRecords, speech: Speech) -> Coming | None:
    now = to.services.clock()
    found, _ = await own.find("Appointment", ("date", f"ge{format_instant(now)}"), ("status", "booked"), most=_MOST)
    first = next_of([stored.resource for stored in found])
    if first is None:
        return None
    own.show(stored for stored in found if stored.id == first.get("id"))
    people = (name_of_reference(each.get("actor")) for each in first.get("participant", ()))
    who = [name for name in people if name]
    kind = next(iter(first.get("serviceType", ())), None) or first.get("appointmentType")
    return Coming(str(first["id"]), moment_of(speech, first).words, name_of(speech, kind).plain, ", ".join(who))


async def _emergencies(to: Visit, own: OwnRecords) -> int:
    """How often somebody opened the record in an emergency lately, as far as the patient is to be told."""
    since = to.services.clock() - _EMERGENCY_DAYS * 86_400_000
    reviews = await to.services.reviews.of_patient(own.patient, Emergency.ACCESS)
    return sum(review.opened_ms >= since and review.letter is not Letter.NONE for review in reviews)
