"""``POST /ledger/import``: an auditor takes over the log of another system; at most 10 MB at a time.

Larger logs, and those in CSV, are for ``carekeep ledger import``.
"""

import asyncio
import io
from dataclasses import asdict
from typing import Final

import orjson

from carekeep.access import Action, Target
from carekeep.audit.foreign import LogRefused, TakeOver, read_log
from carekeep.audit.foreign.taking_over import is_source
from carekeep.web.exchange.foreign_patients import patients_by
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

LARGEST_LOG: Final = 10 * 2**20
_BODY_S: Final = 60.0
_LONGEST_SYSTEM: Final = 200
_FORMATS: Final = ("fhir", "atna")


async def import_log(passage: Passage) -> Response:
    """Take over what the body says. ``source`` names the system; ``format`` is fhir or atna; ``patient-system``.

    The answer counts as ``Report`` does, and names refused lines. Raises problems: 400, 401, 403, 408, 413.
    """
    await passage.authenticate(Action.ENTRY_IMPORT)
    decision = await passage.demand(Action.ENTRY_IMPORT, Target())
    given = dict(passage.request.pairs())
    source, format_, system = given.get("source", ""), given.get("format", "fhir"), given.get("patient-system", "")
    wrong = _wrong(source, format_, system)
    named = f"source={source}&format={format_}" if not wrong else None
    await passage.record(Action.ENTRY_IMPORT, "failed" if wrong else "permitted", decision=decision, query=named)
    if wrong:
        raise problem(400, "value", wrong)
    try:
        async with asyncio.timeout(_BODY_S):
            body = await passage.request.body(LARGEST_LOG)
    except TimeoutError:
        raise problem(408, "timeout", "The body did not come in time.") from None
    services = passage.services
    taking = TakeOver(
        services.database,
        services.ledger,
        services.keyring.index,
        services.clock,
        patients_by(services.vault, system),
        source,
        passage.request_id,
    )
    try:  # in a thread: others are answered meanwhile
        events = await asyncio.to_thread(lambda: list(read_log(io.BytesIO(body), format_)))
    except LogRefused as refused:
        raise problem(400, "structure", f"The log cannot be read: {refused}.") from None
    report = await taking.take(events)
    return Response(200, orjson.dumps(asdict(report)), b"application/json", passage.trace())


def _wrong(source: str, format_: str, system: str) -> str:
    """What is wrong with the question, "" if nothing is."""
    if not is_source(source):
        return "source is needed: one word of letters, digits, points and dashes."
    if format_ not in _FORMATS:
        return f"format is one of {', '.join(_FORMATS)}."
    return "patient-system is too long." if len(system) > _LONGEST_SYSTEM else ""
