"""Who is in front of me: the emergency search, which finds people whom one has nothing to do with."""

from dataclasses import dataclass, field

from carekeep.access import Action, Target
from carekeep.fhir.documents.words import human_name
from carekeep.web.browser import Form, read_form
from carekeep.web.console.chart.items import Day, day
from carekeep.web.fhir.operations.find_in_emergency import MOST_IN_AN_HOUR, look
from carekeep.web.http import Response
from carekeep.web.problems import Problem
from carekeep.web.sites import Visit, nothing_here

_SAID = frozenset({400, 422, 429})


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody who was found: as much as tells one person from another."""

    id: str
    name: str = field(repr=False)
    born: Day = field(repr=False)


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``GET /find`` and ``POST /find``."""
    if rest:
        raise nothing_here()
    decision = await to.require(Action.FIND_IN_EMERGENCY, Target("Patient"))
    if method == "GET":
        await to.passage.record(Action.FIND_IN_EMERGENCY, "permitted", decision=decision, reason="the form was shown")
        return _page(to, Form({}))
    form = await read_form(to.request)
    try:
        found = await look(to.passage, decision, form.get("reason"), _given(form))
    except Problem as refused:
        if refused.status not in _SAID:
            raise
        return _page(to, form, problem=refused.issues[0].diagnostics, status=refused.status)
    strangers = [Stranger(each.id, human_name(each.resource), day(each.resource.get("birthDate"))) for each in found]
    return _page(to, form, found=tuple(strangers))


def _given(form: Form) -> list[tuple[str, str]]:
    identifier = form.get("identifier").strip()
    if identifier:
        return [("identifier", identifier)]
    return [("name", form.get("name").strip()), ("birthdate", form.get("birthdate").strip())]


def _page(
    to: Visit, form: Form, *, found: tuple[Stranger, ...] | None = None, problem: str = "", status: int = 200
) -> Response:
    return to.page("chart/find.html", status=status, form=form, found=found, problem=problem, most=MOST_IN_AN_HOUR)
