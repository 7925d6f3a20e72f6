"""``AuditEvent/[entry id]``: one entry of the ledger."""

from carekeep.access import Action
from carekeep.audit import BadLeaf, EntryId, Followed, What, whole
from carekeep.audit.views import Server, audit_events, entry_id_of
from carekeep.fhir import dump_json
from carekeep.web.fhir.auditing.sight import AUDIT_EVENT, EntrySight
from carekeep.web.fhir.bodies import check_format
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

_ID_SIZE = 16


async def audit_event(passage: Passage, event_id: str) -> Response:
    """One event. Who may not see it is not told whether it exists."""
    await passage.authenticate(Action.DISCLOSURE_READ)
    check_format([value for name, value in passage.request.pairs() if name == "_format"])
    sight = EntrySight(passage)
    followed = await entry_of(passage, event_id)
    shown = None if followed is None else await sight.of(followed)
    events = () if shown is None else audit_events(shown, server_of(passage))
    event = next((each for each in events if each["id"] == event_id), None)
    if event is None:
        own = sight.own_patient()
        await sight.demand((own,) if own else ())
        await passage.record(Action.DISCLOSURE_READ, "failed", reason="no such event that the person may see")
        raise problem(404, "not-found", "There is no such event, or it is not about you.")
    decision = next(iter(sight.decisions), None)
    patients = shown.entry.patients if shown else ()
    what = (What(f"{AUDIT_EVENT}/{event_id}"),)
    await passage.record(Action.DISCLOSURE_READ, "permitted", decision=decision, what=what, patients=patients)
    return Response(200, dump_json(event), headers=((b"etag", b'W/"1"'),))


async def entry_of(passage: Passage, event_id: str) -> Followed | None:
    """The entry that an event is a view of; None if there is none."""
    try:
        id_ = bytes.fromhex(entry_id_of(event_id))
    except ValueError:
        return None
    sealed = await passage.services.ledger.find(EntryId(id_)) if len(id_) == _ID_SIZE else None
    if sealed is None:
        return None
    try:
        followed = await whole(passage.services.ledger, sealed)
    except BadLeaf:
        return None
    return followed if followed.entry_id == id_ else None  # its first part is what is named


def server_of(passage: Passage) -> Server:
    """What events say of where they come from."""
    url = passage.services.fhir_url
    return Server(url, url.split("/")[2])
