"""``Patient/[id]/$break-glass``: the emergency way in, for a clinician who is known and says why."""

from collections.abc import Iterable

from carekeep.access import Action, BreakGlassRefused, Grant, Purpose, Target
from carekeep.access.break_glass import DEFAULT_LIFETIME_MS, MINUTE_MS, TOPIC
from carekeep.fhir import dump_json, format_instant
from carekeep.web.fhir.arguments import Arguments, body_arguments
from carekeep.web.fhir.bodies import read_json
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

_MAX_BODY = 16 * 1024


async def break_glass(passage: Passage, _: str, patient_id: str) -> Response:
    """Open emergency access to one patient. The body is a Parameters with ``reason`` (valueString).

    ``minutes`` is how long (60 unless it is said, at most 240), ``type`` (repeated) the resource types that it is for;
    without one it is the whole record. Answers with Parameters that say until when. The entry in the ledger names the
    grant, which keeps the reason, and the question that it leaves open is made by the same unit.
    """
    await passage.authenticate(Action.BREAK_GLASS)
    passage.purpose = Purpose.ETREAT  # opening emergency access states the purpose by itself
    arguments = await emergency_arguments(passage, "reason", "minutes", "type")
    reason = written(arguments)
    minutes = arguments.whole("minutes")
    lifetime_ms = DEFAULT_LIFETIME_MS if minutes is None else minutes * MINUTE_MS
    grant = await open_access(passage, patient_id, reason, lifetime_ms, arguments.texts("type"))
    answer = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "expires", "valueInstant": format_instant(grant.expires_ms)},
            *({"name": "type", "valueCode": each} for each in sorted(grant.types)),
            {"name": "notice", "valueString": "This access is recorded, with your reason, and will be reviewed."},
        ],
    }
    return Response(200, dump_json(answer))


async def open_access(passage: Passage, patient_id: str, reason: str, lifetime_ms: int, types: Iterable[str]) -> Grant:
    """The grant, once its entry and the question that it leaves open are durable. Raises 403 and 422."""
    decision = await passage.demand(Action.BREAK_GLASS, Target("Patient", (patient_id,), ()))
    try:
        opened = await passage.services.break_glass.prepare_open(
            passage.principal, patient_id, reason, lifetime_ms, types
        )
    except BreakGlassRefused as refused:
        raise problem(422, "business-rule", str(refused), "Parameters.parameter") from None
    review = await passage.services.reviews.prepare_for_access(passage.principal, opened.value)
    await passage.record(
        Action.BREAK_GLASS,
        "permitted",
        opened,
        review,
        decision=decision,
        patients=(patient_id,),
        # The written reason is health data: it is forgotten with the patient.
        query=f"grant {opened.value.id}, review {review.value.id.hex()}",
    )
    passage.services.generations.changed(TOPIC)
    return opened.value


async def emergency_arguments(passage: Passage, *names: str) -> Arguments:
    """What is in the body, which alone holds what is said in an emergency: URLs stand in logs. Raises 400."""
    body = await read_json(passage.request, _MAX_BODY)
    if body.get("resourceType") != "Parameters":
        raise problem(400, "invalid", "The body of this operation is a Parameters resource.", "Parameters")
    return body_arguments(body, *names)


def written(arguments: Arguments) -> str:
    """The written reason. Raises 400."""
    given = arguments.all("reason")
    if len(given) != 1 or not isinstance(given[0], str):
        what = "Send a Parameters with one parameter: name 'reason', valueString why."
        raise problem(400, "required", what, "Parameters.parameter")
    return given[0]
