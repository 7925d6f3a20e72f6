"""``Observation/$lastn``: the newest observations of each kind of one patient (FHIR R4)."""

from collections.abc import Sequence
from urllib.parse import urlencode

from carekeep.access import ANYTHING, Action, Target
from carekeep.fhir import Query, parse_query
from carekeep.fhir.documents import last_of_each
from carekeep.web.denials import denied
from carekeep.web.fhir.bodies import check_format, lenient
from carekeep.web.fhir.disclosure import Disclosure, labelled_searchset
from carekeep.web.http import Response, number
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

_MOST = 10_000
_OURS = frozenset({"max", "_format", "_pretty"})


async def last_n(passage: Passage, type_: str, _: str) -> Response:
    """Search parameters say which observations; ``max`` how many of each kind (1).

    ``patient`` or ``subject`` is required, and a category or a code beside it, as in the standard.
    """
    await passage.authenticate(Action.SEARCH)
    pairs = passage.request.pairs()
    check_format([value for name, value in pairs if name == "_format"])
    asked = [(name, value) for name, value in pairs if name not in _OURS]
    count = _count([value for name, value in pairs if name == "max"])
    query = parse_query(type_, asked, lenient=lenient(passage.request))
    patients = _patients(query, [name for name, _ in asked])
    disclosure = Disclosure(passage)
    await disclosure.ask(type_)
    seen = await _seen(passage, patients)
    matches = passage.services.vault.search_all(query, seen)
    shown = [each async for stored in matches if (each := await disclosure.shown(stored, query)) is not None]
    found = {stored.id: stored for stored in shown}
    if len(found) > _MOST:
        raise problem(422, "too-costly", f"More than {_MOST:,} observations match. Ask for a category or code.")
    last = [found[each["id"]] for each in last_of_each((stored.resource for stored in found.values()), count)]
    disclosure.show(*last)
    await disclosure.record(f"{type_}/$lastn?{urlencode(pairs)}")
    url = f"{passage.services.fhir_url}/{type_}/$lastn?{urlencode([*query.self_link, ('max', str(count))])}"
    links = [{"relation": "self", "url": url}]
    return Response(200, labelled_searchset(passage.services.fhir_url, last, (), links, len(last)))


def _count(values: Sequence[str]) -> int:
    if not values:
        return 1
    count = number(values[0]) if len(values) == 1 else None
    if not count:
        raise problem(400, "value", "max must be one number, 1 or more.", "max")
    return count


def _patients(query: Query, names: Sequence[str]) -> frozenset[str]:
    """The patients that the query names. Raises 400 for what the operation needs or does not take."""
    named = [clause.patients for clause in query.clauses if clause.patients is not None]
    if not named:
        raise problem(400, "required", "$lastn needs patient= or subject=Patient/[id].", "http.patient")
    codes = [name.partition(":")[0] for name in names]
    if not any(code == "category" or "code" in code for code in codes):
        raise problem(400, "required", "$lastn needs category= or a parameter about codes, such as code=.", "http.code")
    control = query.control
    if query.links or query.code_sets or query.includes:
        raise problem(400, "not-supported", "$lastn takes no chains, includes or value sets.")
    if control.sort or control.elements or control.summary or any(code == "_count" for code in codes):
        raise problem(400, "not-supported", "$lastn has an order and a size of its own: use max.")
    return frozenset(named[0]).intersection(*named[1:])


async def _seen(passage: Passage, patients: frozenset[str]) -> frozenset[str]:
    """Those of the patients whose observations the person may read at all. Raises 403, recorded, when none is."""
    decisions = {
        patient: await passage.judge(Action.READ, Target("Observation", (patient,), (), ANYTHING))
        for patient in patients
    }
    seen = frozenset(patient for patient, decision in decisions.items() if decision.permitted)
    if patients and not seen:
        refusal = next(iter(decisions.values()))
        await passage.record(Action.SEARCH, "denied", decision=refusal, patients=sorted(patients))
        raise denied(refusal, passage.principal)
    return seen
