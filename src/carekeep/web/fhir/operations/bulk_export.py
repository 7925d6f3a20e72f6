"""``$export`` of the system, of patients and of a group (Bulk Data Access 3.0.0): kicking it off."""

from collections.abc import Iterable

from carekeep.access import Action, Target
from carekeep.fhir import Issue
from carekeep.identity import Kind
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.web.bulk.asking import Asked, pairs_of_parameters, read_asked
from carekeep.web.bulk.jobs import State
from carekeep.web.bulk.opening import accepted, asker_of, open_job, request_url, require_async
from carekeep.web.bulk.orders import ExportOrder
from carekeep.web.fhir.bodies import lenient, read_json
from carekeep.web.http import Response
from carekeep.web.passage import Passage, target_of, what_of
from carekeep.web.problems import Problem, problem

_MAX_BODY = 8 * 1024 * 1024


async def export_system(passage: Passage, _type: str, _id: str) -> Response:
    """``[base]/$export``: everything that the account may read."""
    await passage.authenticate(Action.BULK_EXPORT)
    asked = await _asked(passage, in_compartments=False)
    return await _kick_off(passage, Action.BULK_EXPORT, Target(), asked, in_compartments=False)


async def export_patients(passage: Passage, _type: str, _id: str) -> Response:
    """``[base]/Patient/$export``: the records of all patients or those named; for a patient, their own."""
    principal = await passage.authenticate(Action.BULK_EXPORT)
    if principal.kind is Kind.PATIENT:
        return await _export_own(passage, (principal.fhir_user or "").removeprefix("Patient/"))
    asked = await _asked(passage, in_compartments=True)
    await passage.demand(Action.BULK_EXPORT, Target())
    for patient in asked.patients or ():
        await _check_patient(passage, patient)
    return await _kick_off(passage, Action.BULK_EXPORT, Target(), asked, patients=asked.patients)


async def export_group(passage: Passage, type_: str, id_: str) -> Response:
    """``[base]/Group/[id]/$export``: the records of a group's members."""
    await passage.authenticate(Action.BULK_EXPORT)
    asked = await _asked(passage, in_compartments=True)
    await passage.demand(Action.BULK_EXPORT, Target())
    try:
        group = await passage.services.vault.read(type_, id_)
    except (NotFound, Forgotten):
        await passage.record(Action.BULK_EXPORT, "failed", reason="no such Group")
        raise
    await passage.demand(Action.READ, target_of(group), what=(what_of(group),))
    members = _members(group)
    if asked.patients is not None and not members.issuperset(asked.patients):
        raise problem(400, "not-found", "Not every patient that was named is in the group.", "patient")
    patients = tuple(sorted(members)) if asked.patients is None else asked.patients
    return await _kick_off(passage, Action.BULK_EXPORT, Target(), asked, patients=patients, seen=(group,))


async def _export_own(passage: Passage, patient: str) -> Response:
    """A patient takes away their own records (GDPR Art. 20; 45 CFR 164.524)."""
    asked = await _asked(passage, in_compartments=True)
    own = Target("Patient", (patient,), ())
    if asked.patients not in {None, (patient,)}:
        await passage.demand(Action.PATIENT_EXPORT, Target("Patient", asked.patients or (), ()))
    return await _kick_off(passage, Action.PATIENT_EXPORT, own, asked, patients=(patient,), own=True)


async def _asked(passage: Passage, *, in_compartments: bool) -> Asked:
    request = passage.request
    require_async(passage)
    pairs = request.pairs()
    if request.method == "POST":
        body = await read_json(request, _MAX_BODY)
        pairs += pairs_of_parameters(body)
    return read_asked(
        pairs,
        in_compartments=in_compartments,
        posted=request.method == "POST",
        lenient=lenient(request),
        now_ms=passage.services.clock(),
    )


async def _check_patient(passage: Passage, patient: str) -> None:
    try:
        stored = await passage.services.vault.read("Patient", patient)
        there = not stored.deleted
    except (NotFound, Forgotten):
        there = False
    if not there:
        raise problem(400, "not-found", "A patient that was named is not on this server.", "patient")


def _members(group: Stored) -> frozenset[str]:
    """The patients who are in a group now. Raises Problem for a group that does not list its members."""
    if group.deleted:
        raise Problem(410, Issue("error", "deleted", "", "The group was deleted."))
    listed = group.resource.get("member", [])
    if not group.resource.get("actual", False):
        raise problem(422, "not-supported", "The group describes its members and does not list them.", "Group.actual")
    references = [member["entity"].get("reference", "") for member in listed if not member.get("inactive", False)]
    if any(reference.startswith("Group/") for reference in references):
        raise problem(422, "not-supported", "Groups within a group are not looked into.", "Group.member")
    return frozenset(each.removeprefix("Patient/") for each in references if each.startswith("Patient/"))


async def _kick_off(
    passage: Passage,
    action: Action,
    target: Target,
    asked: Asked,
    *,
    in_compartments: bool = True,
    patients: tuple[str, ...] | None = None,
    own: bool = False,
    seen: Iterable[Stored] = (),
) -> Response:
    order = ExportOrder(
        asker=asker_of(passage),
        action=action,
        request=request_url(passage),
        moment_ms=passage.services.clock(),
        types=asked.types,
        filters=asked.filters,
        since_ms=asked.since_ms,
        until_ms=asked.until_ms,
        in_compartments=in_compartments,
        patients=patients,
        own=own,
        by_patient=asked.by_patient,
        ignored=asked.ignored,
    )
    job = await open_job(passage, action, target, order, State.RUNNING, seen=seen)
    return accepted(passage, job)
