"""Starting an app from an open chart (SMART App Launch, EHR launch)."""

import re
from dataclasses import dataclass
from typing import Any

import orjson

from carekeep.access import ANYTHING, Action, Target
from carekeep.identity import Kind
from carekeep.identity.apps.grant import Context
from carekeep.identity.apps.launches import LIFETIME_MS
from carekeep.web.http import Response
from carekeep.web.oauth.answers import json_answer
from carekeep.web.oauth.asking import LONGEST_BODY, Asked
from carekeep.web.oauth.protocol import with_parameters
from carekeep.web.problems import problem

_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_REFERENCE = re.compile(r"[A-Z][A-Za-z]{1,40}/[A-Za-z0-9\-.]{1,64}")
_MOST_OTHERS = 20


@dataclass(frozen=True, slots=True)
class _Start:
    client: str
    context: Context


async def launch(asked: Asked) -> Response:
    """``POST /oauth/launch``: a clinician starts an app on a patient that they may read.

    The body is JSON: ``client_id``, ``patient``, and if there are any ``encounter`` and ``fhirContext`` (a list of
    references). The answer has the ``launch`` parameter, and ``url``: where to send the browser.
    """
    passage, services = asked.passage, asked.services
    principal = await passage.authenticate(Action.LAUNCH)
    if principal.kind is not Kind.PRACTITIONER or principal.delegation is not None:
        await passage.record(Action.LAUNCH, "denied", reason="not a clinician's own session")
        raise problem(403, "forbidden", "Only a clinician's own session starts apps from a chart.")
    start = _read(await passage.request.body(LONGEST_BODY))
    client = await services.apps.clients.get(start.client)
    if client is None or not client.is_approved or client.launch_uri is None:
        await passage.record(Action.LAUNCH, "denied", reason="no such app to be started from a chart")
        raise problem(404, "not-found", "No app of this client_id can be started from a chart.")
    patient = start.context.patient or ""
    decision = await passage.demand(Action.READ, Target("Patient", (patient,), (), ANYTHING))
    prepared = services.apps.launches.prepare_start(client.id, principal.account_id, start.context)
    reason = f"the client {client.id} was started from the chart"
    await passage.record(
        Action.LAUNCH, "permitted", prepared, patients=(patient,), reason=f"{reason}: {decision.reason}"
    )
    secret = prepared.value.reveal_text()
    url = with_parameters(client.launch_uri, [("iss", asked.urls.fhir), ("launch", secret)])
    return json_answer({"launch": secret, "url": url, "expires_in": LIFETIME_MS // 1000}, 201)


def _read(body: bytes) -> _Start:
    """What is to be started. Raises 400."""
    try:
        given: Any = orjson.loads(body)
        start = _Start(
            given["client_id"],
            Context(given["patient"], given.get("encounter"), tuple(given.get("fhirContext", ()))),
        )
        if _is_valid(start):
            return start
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        pass
    raise problem(400, "value", "Send JSON: client_id, patient, and maybe encounter and fhirContext (references).")


def _is_valid(start: _Start) -> bool:
    """Raises TypeError for what is no text."""
    context = start.context
    ids = (context.patient or "", *([] if context.encounter is None else [context.encounter]))
    return (
        _FHIR_ID.fullmatch(start.client) is not None
        and all(_FHIR_ID.fullmatch(id_) for id_ in ids)
        and len(context.others) <= _MOST_OTHERS
        and all(_REFERENCE.fullmatch(reference) for reference in context.others)
    )
