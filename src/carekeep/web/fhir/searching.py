"""Search by GET and POST, of one type, of several, and within a patient's compartment.

The answer holds what the policies let the person see, exactly matched, and every disclosure is recorded before.
"""

from urllib.parse import urlencode

from carekeep.access import Action
from carekeep.web.fhir.asked import Asked, Pair, Where, in_compartment, read_search
from carekeep.web.fhir.bodies import known_type
from carekeep.web.fhir.including import Included, include
from carekeep.web.fhir.searchset import Found, searchset
from carekeep.web.fhir.sight import Sight
from carekeep.web.http import BadRequest, Response, form_pairs
from carekeep.web.passage import Passage, together, what_of
from carekeep.web.problems import problem

_MAX_FORM = 64 * 1024


async def search(passage: Passage, where: Where) -> Response:
    """``GET [where]?…``."""
    await passage.authenticate(Action.SEARCH)
    return await _answer(passage, where, passage.request.pairs(), posted=False)


async def search_by_post(passage: Passage, where: Where) -> Response:
    """``POST [where]/_search``: the same, without names and numbers of patients in URLs."""
    await passage.authenticate(Action.SEARCH)
    content_type = (passage.request.header(b"content-type") or "").split(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise problem(415, "not-supported", "Send application/x-www-form-urlencoded.")
    body = await passage.request.body(_MAX_FORM)
    if not body.isascii():
        raise BadRequest("The form is not percent-encoded UTF-8.")
    pairs = passage.request.pairs() + form_pairs(body.decode("ascii"))
    return await _answer(passage, where, pairs, posted=True)


def compartment(name: str, id_: str, type_: str) -> Where:
    """``Patient/x/Observation`` and ``Patient/x/*``. Raises 400 for what is no such compartment, 404 for no type."""
    if name != "Patient":
        says = f"Only compartments of patients are searched here. Search by the parameter that refers to {name}."
        raise problem(400, "not-supported", says)
    if type_ == "*":
        return Where("", id_)
    if not in_compartment(known_type(type_)):
        raise problem(400, "not-supported", f"{type_} is not in the Patient compartment of FHIR R4.")
    return Where(type_, id_)


async def _answer(passage: Passage, where: Where, pairs: list[Pair], *, posted: bool) -> Response:
    asked = await read_search(passage, where, pairs, posted=posted)
    sight = await Sight.of(passage, *asked.queries)
    found = await _find(passage, asked, sight)
    shown = (*found.matches, *found.included.records)
    await passage.record(
        Action.SEARCH,
        "permitted",
        decision=together(list(dict.fromkeys(sight.decisions))),
        what=tuple(map(what_of, shown)),
        patients=dict.fromkeys(patient for stored in shown for patient in stored.patients),
        query=f"{where.path}?{urlencode(asked.page.pairs)}",
    )
    return Response(200, searchset(passage, asked, found))


async def _find(passage: Passage, asked: Asked, sight: Sight) -> Found:
    query = asked.first
    if query.summary == "count" or query.count == 0:
        return Found((), Included((), cut=False), None, await sight.total())
    matches, following = await sight.page(asked.page.after)
    included = await include(passage, sight, asked.includes, matches)
    if query.total in {"accurate", "estimate"}:
        total: int | None = await sight.total()
    else:  # what one page holds is counted for nothing
        whole = asked.page.after is None and following is None and query.total is None
        total = len(matches) if whole else None
    return Found(matches, included, following, total)
