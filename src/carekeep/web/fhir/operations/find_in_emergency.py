"""``Patient/$find-in-emergency``: who is this person? For a clinician who has a stranger before them.

Break-glass begins with a patient's id. This finds it, by name and birth date or by an identifier, and shows no more
than tells one person from another. Everybody who is found is in the ledger entry, and a reviewer is asked.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from carekeep.access import Action, BreakGlassRefused, Decision, Purpose, Target
from carekeep.access.break_glass import written_reason
from carekeep.fhir import Issue, Query, dump_json, parse_query
from carekeep.fhir.search.subset import SUBSETTED
from carekeep.identity.quotas import Quota, QuotaUsedUp
from carekeep.records import Stored
from carekeep.storage import Conflict, Prepared
from carekeep.web.fhir.arguments import Arguments
from carekeep.web.fhir.disclosure import called
from carekeep.web.fhir.operations.break_glass import emergency_arguments, written
from carekeep.web.http import Response
from carekeep.web.passage import Passage, what_of
from carekeep.web.problems import Problem, problem

MOST_IN_AN_HOUR = 20
MOST_MATCHES = 10
_SHOWN = ("name", "birthDate")
_RACES = 3

Json = dict[str, Any]


async def find_in_emergency(passage: Passage, type_: str, _: str) -> Response:
    """A searchset of at most ten Patients with id, name and birth date. Too many matches are shown to nobody.

    The body is a Parameters: ``reason``, and ``name`` with ``birthdate``, or ``identifier``.
    """
    await passage.authenticate(Action.FIND_IN_EMERGENCY)
    passage.purpose = Purpose.ETREAT
    arguments = await emergency_arguments(passage, "reason", "name", "birthdate", "identifier")
    decision = await passage.demand(Action.FIND_IN_EMERGENCY, Target(type_))
    given = [pair for pair in arguments.given if pair[0] != "reason"]
    shown = await look(passage, decision, written(arguments), given)
    return Response(200, _searchset(passage.services.fhir_url, shown))


async def look(passage: Passage, decision: Decision, reason: str, given: Sequence[tuple[str, Any]]) -> list[Stored]:
    """The patients who fit, at most ten, once the entry and the question to a reviewer are durable.

    ``given`` are ``name``, ``birthdate`` and ``identifier`` as they were sent. Raises 400, 422 and 429.
    """
    try:
        reason = written_reason(reason)
    except BreakGlassRefused as refused:
        raise problem(422, "business-rule", str(refused), "Parameters.parameter") from None
    query = _query(Arguments(tuple(given)))
    asked = called("Patient/$find-in-emergency", given)
    used = await _use(passage, asked)
    found = await _matches(passage, query)
    shown = found if len(found) <= MOST_MATCHES else []
    await _record(passage, decision, reason, asked, shown, used)
    if len(found) > MOST_MATCHES:
        text = f"More than {MOST_MATCHES} patients fit. Add a given name, or take an identifier."
        raise problem(422, "too-costly", text, "Parameters.parameter")
    return shown


def _query(arguments: Arguments) -> Query:
    """What to look for. A name alone, or a birthday alone, would list people. Raises 400, QueryError."""
    identifier = arguments.text("identifier")
    if identifier is not None:
        return parse_query("Patient", [("identifier", identifier)], lenient=False)
    names, birthdate = (
        [part for text in arguments.all("name") for part in str(text).split()],
        arguments.text("birthdate"),
    )
    if not names or birthdate is None:
        raise problem(400, "required", "Send name and birthdate, or identifier.", "Parameters.parameter")
    if len(birthdate) != len("YYYY-MM-DD") or not birthdate[0].isdigit():
        raise problem(400, "value", "birthdate must be a whole day, like 1970-02-28.", "Parameters.parameter")
    return parse_query("Patient", [*(("name", name) for name in names), ("birthdate", birthdate)], lenient=False)


async def _matches(passage: Passage, query: Query) -> list[Stored]:
    """At most one more than may be shown."""
    found: list[Stored] = []
    async for stored in passage.services.vault.search_all(query, None):
        found.append(stored)
        if len(found) > MOST_MATCHES:
            break
    return found


async def _use(passage: Passage, asked: str) -> Prepared[int]:
    """The count of one search more. Raises 429, which is recorded."""
    services = passage.services
    quota = Quota(services.database, services.keyring, "emergency searches", MOST_IN_AN_HOUR, services.clock)
    try:
        return await quota.prepare_use(passage.principal.account_id)
    except QuotaUsedUp as full:
        await passage.record(Action.FIND_IN_EMERGENCY, "denied", query=asked, reason="too many in this hour")
        issue = Issue("error", "throttled", "", f"At most {MOST_IN_AN_HOUR} emergency searches in an hour.")
        wait = str(full.wait_ms // 1000 + 1).encode()
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, issue, headers=((b"retry-after", wait),)) from None


async def _record(
    passage: Passage, decision: Decision, reason: str, asked: str, shown: list[Stored], used: Prepared[int]
) -> None:
    """The entry, the question that it leaves open, and the count, in one unit. Raises 429."""
    patients = tuple(stored.id for stored in shown)
    for attempt in range(1, _RACES + 1):
        review = await passage.services.reviews.prepare_for_search(passage.principal, reason, patients)
        try:
            await passage.record(
                Action.FIND_IN_EMERGENCY,
                "permitted",
                used,
                review,
                decision=decision,
                what=tuple(map(what_of, shown)),
                patients=patients,
                query=f"{asked} (review {review.value.id.hex()})",
            )
        except Conflict:
            if attempt == _RACES:
                raise
            used = await _use(passage, asked)  # another one came between
        else:
            return


def _searchset(fhir_url: str, shown: list[Stored]) -> bytes:
    entries = [
        {"fullUrl": f"{fhir_url}/{stored.reference}", "resource": _subset(stored), "search": {"mode": "match"}}
        for stored in shown
    ]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return dump_json({**bundle, "entry": entries} if entries else bundle)


def _subset(stored: Stored) -> Json:
    kept = {name: stored.resource[name] for name in _SHOWN if name in stored.resource}
    return {"resourceType": "Patient", "id": stored.id, "meta": {"tag": [dict(SUBSETTED)]}, **kept}
