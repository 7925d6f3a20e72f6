"""``Appointment/$book`` and ``Appointment/[id]/$cancel``: what patients do in the portal, for apps that they allow.

The rules are those of ``web.booking``. An app needs ``c`` (book) or ``u`` (cancel) for Appointment and for Slot.
"""

from carekeep.access import Action, Target
from carekeep.fhir import dump_json
from carekeep.web.booking import NotBookable, TimeTaken, cancel
from carekeep.web.booking import book as book_time
from carekeep.web.fhir.arguments import Arguments, read_arguments
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, problem

_PATIENT = "Patient/"
_SLOT = "Slot/"


async def book(passage: Passage, _: str, __: str) -> Response:
    """Take a free time for the patient who is signed in.

    The body is a Parameters: ``slot`` (valueReference), ``key`` (a random UUID: the same key books once, and is the id
    of the Appointment), ``reason`` (valueString, may be left out). Raises 403, 404, 409 for a time that is taken, 422.
    """
    await passage.authenticate(Action.APPOINTMENT_BOOK)
    arguments = await read_arguments(passage, "slot", "key", "reason")
    patient = _patient(passage)
    decision = await passage.demand(Action.APPOINTMENT_BOOK, Target("Appointment", (patient,), ()))
    slot = _slot(arguments)
    before = passage.entry_id
    try:
        id_ = await book_time(passage, patient, slot, arguments.text("reason") or "", arguments.text("key") or "")
    except NotBookable as refused:
        raise _refusal(refused) from None
    if passage.entry_id == before:  # it was booked by this very key before
        query = f"Appointment/$book again: Appointment/{id_}"
        await passage.record(Action.APPOINTMENT_BOOK, "permitted", decision=decision, patients=(patient,), query=query)
    return _answer(id_)


async def cancel_appointment(passage: Passage, _: str, id_: str) -> Response:
    """Give the time back. The body is a Parameters: ``reason`` (valueString, may be left out)."""
    await passage.authenticate(Action.APPOINTMENT_CHANGE)
    arguments = await read_arguments(passage, "reason")
    try:
        await cancel(passage, _patient(passage), id_, arguments.text("reason") or "")
    except NotBookable as refused:
        raise _refusal(refused) from None
    return _answer(id_)


def _patient(passage: Passage) -> str:
    """The patient who is signed in; "" for anybody else, to whom the policies permit none of this."""
    who = passage.principal.fhir_user or ""
    return who.removeprefix(_PATIENT) if who.startswith(_PATIENT) else ""


def _slot(arguments: Arguments) -> str:
    """The id of the Slot. Raises 400."""
    given = arguments.element("slot")
    reference = given.get("reference") if given else None
    if not isinstance(reference, str) or not reference.startswith(_SLOT):
        raise problem(400, "required", "Send slot, a valueReference like Slot/[id].", "Parameters.parameter")
    return reference.removeprefix(_SLOT)


def _refusal(refused: NotBookable) -> Problem:
    if isinstance(refused, TimeTaken):
        return problem(409, "conflict", str(refused))
    return problem(422, "business-rule", str(refused))


def _answer(id_: str) -> Response:
    appointment = {"name": "appointment", "valueReference": {"reference": f"Appointment/{id_}"}}
    return Response(200, dump_json({"resourceType": "Parameters", "parameter": [appointment]}))
