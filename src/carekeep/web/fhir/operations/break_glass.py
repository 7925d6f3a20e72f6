"""``Patient/[id]/$break-glass``: the emergency way in, for a clinician who is known and says why."""

from carekeep.access import Action, BreakGlassRefused, Purpose, Target
from carekeep.fhir import dump_json, format_instant
from carekeep.web.fhir.bodies import read_json
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

_MAX_BODY = 16 * 1024
TOPIC = "break-glass"


async def break_glass(passage: Passage, type_: str, patient_id: str) -> Response:
    """Open emergency access to one patient. The body is a Parameters with ``reason`` (valueString).

    Answers with Parameters that say until when. The entry in the ledger names the grant, which keeps the reason.
    """
    await passage.authenticate(Action.BREAK_GLASS)
    passage.purpose = Purpose.ETREAT  # opening emergency access states the purpose by itself
    reason = _reason(await read_json(passage.request, _MAX_BODY))
    decision = await passage.demand(Action.BREAK_GLASS, Target(type_, (patient_id,), ()))
    try:
        prepared = await passage.services.break_glass.prepare_open(passage.principal, patient_id, reason)
    except BreakGlassRefused as refused:
        raise problem(422, "business-rule", str(refused), "Parameters.parameter") from None
    await passage.record(
        Action.BREAK_GLASS,
        "permitted",
        prepared,
        decision=decision,
        patients=(patient_id,),
        query=f"grant {prepared.value.id}",  # the written reason is health data: it is forgotten with the patient
    )
    passage.services.generations.changed(TOPIC)
    answer = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "expires", "valueInstant": format_instant(prepared.value.expires_ms)},
            {"name": "notice", "valueString": "This access is recorded, with your reason, and will be reviewed."},
        ],
    }
    return Response(200, dump_json(answer))


def _reason(body: dict[str, object]) -> str:
    parameters = body.get("parameter")
    if body.get("resourceType") == "Parameters" and isinstance(parameters, list):
        for parameter in parameters[:20]:
            if isinstance(parameter, dict) and parameter.get("name") == "reason":
                reason = parameter.get("valueString")
                if isinstance(reason, str):
                    return reason
    raise problem(
        400, "required", "Send a Parameters with one parameter: name 'reason', valueString why.", "Parameters.parameter"
    )
