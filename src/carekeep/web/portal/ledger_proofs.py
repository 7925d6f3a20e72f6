"""Check it yourself: the inclusion proof of an entry about the patient, and the page on which the browser checks it.

The proof is the same as at ``/ledger/proof``; here it is on the portal's own origin, where the patient is signed in.
"""

from typing import Final

from carekeep.access import Action, Decision, Target
from carekeep.audit import EntryId, Followed, NotInLog, What, prove
from carekeep.audit.views import looks
from carekeep.web.fhir.auditing import AUDIT_EVENT, EntrySight, directory_of
from carekeep.web.fhir.auditing.reading import entry_of
from carekeep.web.http import Response
from carekeep.web.portal.whose import patient_of
from carekeep.web.problems import problem
from carekeep.web.sites import Visit, nothing_here

_TEXT: Final = b"text/plain; charset=utf-8"
_NOT_KEPT: Final = (b"cache-control", b"no-store")
_NOT_YET = "The entry has no place in the log yet. A new one takes a second: try again."


async def page(to: Visit, entry: str) -> Response:
    """What the entry says, and the button that checks it."""
    patient = await patient_of(to)
    decision = await to.require(Action.DISCLOSURE_READ, Target(AUDIT_EVENT, (patient,)))
    followed = await own_entry(to, patient, entry, decision)
    (look,) = looks([followed], patient, await directory_of(to.services, [followed]))
    await _record(to, decision, patient, entry, "permitted")
    return to.page("who_looked_check.html", look=look, entry=entry, key=str(to.services.ledger_key))


async def proof(to: Visit, entry: str) -> Response:
    """The proof, as a C2SP tlog-proof."""
    patient = await patient_of(to)
    decision = await to.require(Action.DISCLOSURE_READ, Target(AUDIT_EVENT, (patient,)))
    followed = await own_entry(to, patient, entry, decision)
    await _record(to, decision, patient, entry, "permitted")
    try:
        text = await prove(to.services.database, EntryId(followed.entry_id))
    except NotInLog:
        raise problem(409, "transient", _NOT_YET) from None
    name = (b"content-disposition", f'attachment; filename="{entry}.tlog-proof"'.encode("ascii"))
    return Response(200, text.encode(), _TEXT, (_NOT_KEPT, name))


async def own_entry(to: Visit, patient: str, entry: str, decision: Decision) -> Followed:
    """The entry with this id as the patient may see it. Raises 404, recorded: others are not told of."""
    found = await entry_of(to.passage, entry)
    shown = None if found is None else await EntrySight(to.passage).of(found, patient)
    if shown is None or shown.entry_id.hex() != entry:
        await _record(to, decision, patient, entry[:64], "failed")
        raise nothing_here()
    return shown


async def _record(to: Visit, decision: Decision, patient: str, entry: str, outcome: str) -> None:
    await to.passage.record(
        Action.DISCLOSURE_READ,
        "permitted" if outcome == "permitted" else "failed",
        decision=decision,
        what=(What(f"Patient/{patient}"),),
        patients=(patient,),
        query=entry,
    )
