"""To whom data left the organization: the accounting of disclosures (45 CFR 164.528), on a page and as a file."""

import csv
import io
from datetime import UTC, datetime
from typing import Final

from carekeep.access import Action, Target
from carekeep.audit import About, Subject
from carekeep.audit.views import Accounting, account, years_before
from carekeep.web.fhir.auditing import AUDIT_EVENT, EntrySight, Period, directory_of
from carekeep.web.fhir.auditing.told import entries_about
from carekeep.web.http import Response
from carekeep.web.portal.whose import patient_of
from carekeep.web.sites import Visit

_CSV: Final = b"text/csv; charset=utf-8"
_NOT_KEPT: Final = (b"cache-control", b"no-store")
_NAMED: Final = (b"content-disposition", b'attachment; filename="accounting-of-disclosures.csv"')
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


async def answer(to: Visit, *, as_file: bool) -> Response:
    """The last six years, with what the rule would let be left out: there is nothing to hide from the patient."""
    patient = await patient_of(to)
    decision = await to.require(Action.DISCLOSURE_READ, Target(AUDIT_EVENT, (patient,)))
    since = years_before(to.services.clock())
    sight = EntrySight(to.passage)
    told = await entries_about(to.passage, sight, Subject(About.DISCLOSURE, patient), Period(since))
    accounting = account(told.entries, await directory_of(to.services, told.entries), everything=True)
    await to.passage.record(
        Action.DISCLOSURE_READ,
        "permitted",
        decision=decision,
        patients=(patient,),
        query=f"Patient/{patient}/$accounting-of-disclosures?all=true",
    )
    if as_file:
        return Response(200, as_csv(accounting).encode(), _CSV, (_NOT_KEPT, _NAMED))
    return to.page("who_looked_given.html", accounting=accounting, since=since, cut=told.cut)


def as_csv(accounting: Accounting) -> str:
    """The lines of an accounting for a spreadsheet, in which no text of others runs as a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("first", "last", "times", "recipient", "address", "what", "purpose", "exception", "entries"))
    for each in accounting.disclosures:
        texts = (each.recipient, each.address or "", each.description, each.purpose, each.exception)
        first, last = (datetime.fromtimestamp(ms // 1000, UTC).isoformat() for ms in (each.first_ms, each.last_ms))
        writer.writerow((first, last, each.times, *map(_plain, texts), " ".join(each.entries)))
    return out.getvalue()


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) else text
