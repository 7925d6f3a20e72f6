"""Emergency access in two steps: why, to what and for how long; then what follows, before anything is opened."""

from dataclasses import dataclass, field
from typing import Final

from carekeep.access import Action, BreakGlassRefused, Decision, Grant, Target
from carekeep.access.break_glass import LONGEST_LIFETIME_MS, MINUTE_MS, TOPIC, written_reason
from carekeep.audit.touched import count_touched
from carekeep.identity.supervising import SUPERVISORS
from carekeep.web.browser import Form, read_form, redirect
from carekeep.web.console.chart.place import Place
from carekeep.web.fhir.operations.break_glass import open_access
from carekeep.web.http import Response, number
from carekeep.web.problems import Problem
from carekeep.web.sites import Visit, nothing_here

REASONS: Final = {
    "unconscious": "The patient cannot speak for themself",
    "urgent": "Urgent treatment cannot wait for the care team",
    "handover": "I was called to help a colleague",
    "transfer": "The patient came in without an appointment",
    "other": "Something else",
}
SCOPES: Final = {
    "allergies": ("AllergyIntolerance",),
    "medicines": ("MedicationRequest", "MedicationStatement", "MedicationAdministration"),
    "problems": ("Condition", "Flag"),
    "results": ("Observation", "DiagnosticReport"),
    "notes": ("DocumentReference", "Composition"),
    "visits": ("Encounter",),
    "immunizations": ("Immunization",),
    "procedures": ("Procedure", "ServiceRequest"),
}
"""Kinds of records by the names of their boxes; no box: the whole record."""
MINUTES: Final = (15, 30, 60, 120, 240)
_DEFAULT_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Wish:
    """What stands in the form."""

    why: str = ""
    words: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()
    minutes: int = _DEFAULT_MINUTES
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """What the reviewer reads: the reason of the list, and the clinician's own words."""
        return f"{REASONS[self.why]}: {self.words.strip()}"

    @property
    def types(self) -> tuple[str, ...]:
        """The types of records that are opened; none for the whole record."""
        return tuple(type_ for scope in self.scopes for type_ in SCOPES[scope])


@dataclass(frozen=True, slots=True)
class Over:
    """An emergency that is over, as its holder sees it."""

    began_ms: int
    ended_ms: int
    touched: tuple[tuple[str, int], ...]


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``/break-glass/{id}``: the form, what follows, the opening; ``/break-glass/{id}/over``: what was done."""
    match (method, *rest):
        case ("GET", patient_id):
            decision = await _demand(to, patient_id)
            await _note(to, patient_id, decision, "the form was shown")
            return _form(to, patient_id, Wish())
        case ("POST", patient_id):
            return await _step(to, patient_id)
        case ("GET", patient_id, "over"):
            return await _over(to, patient_id)
    raise nothing_here()


async def close(to: Visit, place: Place) -> Response:
    """``POST …/close``: before its time."""
    if place.grant is None:
        return redirect(f"/break-glass/{place.patient_id}/over")
    decision = await _demand(to, place.patient_id)
    closed = await to.services.break_glass.prepare_close(place.grant)
    await to.passage.record(
        Action.BREAK_GLASS,
        "permitted",
        closed,
        decision=decision,
        patients=(place.patient_id,),
        query=f"grant {place.grant.id} was closed",
    )
    to.services.generations.changed(TOPIC)
    return redirect(f"/break-glass/{place.patient_id}/over")


async def _step(to: Visit, patient_id: str) -> Response:
    form = await read_form(to.request)
    wish = read_wish(form)
    decision = await _demand(to, patient_id)
    if wish.errors or form.get("do") == "back":
        return _form(to, patient_id, wish)
    if form.get("do") != "open":
        who = await _told(to)
        await _note(to, patient_id, decision, "what follows was shown")
        return to.page("chart/break_glass_sure.html", patient_id=patient_id, wish=wish, reviewer=who, reasons=REASONS)
    if await to.services.break_glass.is_open(to.passage.principal, patient_id) is None:  # sent twice, opened once
        try:
            await open_access(to.passage, patient_id, wish.reason, wish.minutes * MINUTE_MS, wish.types)
        except Problem as refused:
            return _form(to, patient_id, Wish(wish.why, wish.words, wish.scopes, wish.minutes, _said(refused)))
    return redirect(f"/emergency/{patient_id}")


def read_wish(form: Form) -> Wish:
    """What was sent, with what is wrong of it by field."""
    why, words = form.get("why"), form.get("words").replace("\r\n", "\n")
    scopes = tuple(scope for scope in SCOPES if f"scope-{scope}" in form)
    minutes = number(form.get("minutes")) or 0
    errors = {}
    if why not in REASONS:
        why, errors["why"] = "", "Please choose a reason."
    if not 0 < minutes * MINUTE_MS <= LONGEST_LIFETIME_MS:
        minutes, errors["minutes"] = _DEFAULT_MINUTES, "Please choose how long."
    if "some" in form.get("what") and not scopes:
        errors["what"] = "Please choose what you need, or the whole record."
    if form.get("what") != "some":
        scopes = ()
    try:
        written_reason(words)
    except BreakGlassRefused as refused:
        errors["words"] = str(refused)
    return Wish(why, words, scopes, minutes, errors)


async def _note(to: Visit, patient_id: str, decision: Decision, what: str) -> None:
    await to.passage.record(Action.BREAK_GLASS, "permitted", decision=decision, patients=(patient_id,), query=what)


def _said(refused: Problem) -> dict[str, str]:
    if refused.status != 422:  # noqa: PLR2004 - what the form can say; all else is told by the site
        raise refused
    return {"words": refused.issues[0].diagnostics}


def _form(to: Visit, patient_id: str, wish: Wish) -> Response:
    return to.page(
        "chart/break_glass.html",
        status=422 if wish.errors else 200,
        patient_id=patient_id,
        wish=wish,
        reasons=REASONS,
        scopes=SCOPES,
        minutes=MINUTES,
    )


async def _demand(to: Visit, patient_id: str) -> Decision:
    return await to.require(Action.BREAK_GLASS, Target("Patient", (patient_id,), ()))


async def _told(to: Visit) -> str:
    """The name of who will be asked about it; empty: the auditors."""
    supervisor = to.account.supervisor
    found = await to.services.accounts.get(supervisor) if supervisor else None
    return found.name if found is not None and not found.disabled and found.kind in SUPERVISORS else ""


async def _over(to: Visit, patient_id: str) -> Response:
    """What one touched oneself in the last emergency with this patient, as the ledger has it."""
    decision = await _demand(to, patient_id)
    services, me = to.services, to.passage.principal.account_id
    recent = await services.break_glass.recent(services.clock() - LONGEST_LIFETIME_MS)
    mine = [grant for grant in recent if grant.account == me and grant.patient == patient_id and _is_over(to, grant)]
    if not mine:
        await to.passage.record(Action.BREAK_GLASS, "failed", reason="no emergency was over")
        raise nothing_here()
    grant = max(mine, key=lambda each: each.opened_ms)
    touched = await count_touched(
        services.database,
        services.ledger,
        account=me,
        patient=patient_id,
        start_ms=grant.opened_ms,
        end_ms=grant.expires_ms,
    )
    await to.passage.record(
        Action.BREAK_GLASS,
        "permitted",
        decision=decision,
        patients=(patient_id,),
        query=f"grant {grant.id}: what was touched",
    )
    over = Over(grant.opened_ms, grant.expires_ms, touched)
    return to.page("chart/break_glass_over.html", patient_id=patient_id, over=over, reviewer=await _told(to))


def _is_over(to: Visit, grant: Grant) -> bool:
    return grant.expires_ms <= to.services.clock()
