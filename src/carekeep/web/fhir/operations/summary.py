"""``$summary`` of a Patient: the International Patient Summary (IPS 2.0.0)."""

import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from carekeep import __version__
from carekeep.access import Action, Target
from carekeep.access.labelling import leaves_out
from carekeep.fhir import dump_json, format_instant, parse_query
from carekeep.fhir.documents import IPS_BUNDLE, SUMMARY_TYPES, Authorship, Remark, patient_summary, summary_content
from carekeep.records import Stored
from carekeep.web.fhir.arguments import Arguments, read_arguments
from carekeep.web.fhir.disclosure import Disclosure, called
from carekeep.web.fhir.operations.everything import chart
from carekeep.web.http import Response
from carekeep.web.labelling import remark_for
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

Json = dict[str, Any]


async def summary(passage: Passage, type_: str, id_: str) -> Response:
    """The summary of the patient whose id is in the URL."""
    await passage.authenticate(Action.READ)
    arguments = await read_arguments(passage, "profile", "sensitive")
    _check_profile(arguments)
    query = called(f"{type_}/{id_}/$summary", arguments.given)
    return Response(200, await summary_of(passage, id_, query, _wanted(arguments)))


async def summary_by_identifier(passage: Passage, type_: str, _: str) -> Response:
    """The summary of the one patient with an identifier, among those whom the person may see."""
    await passage.authenticate(Action.READ)
    arguments = await read_arguments(passage, "identifier", "profile", "sensitive")
    _check_profile(arguments)
    identifier = arguments.text("identifier")
    if identifier is None:
        raise problem(400, "required", "Say which patient: Patient/[id]/$summary, or identifier=.", "identifier")
    query = called(f"{type_}/$summary", arguments.given)
    found = await _with_identifier(passage, identifier)
    if len(found) != 1:
        await passage.record(Action.READ, "failed", query=query, reason=f"{len(found)} patients have the identifier")
        if found:
            raise problem(412, "multiple-matches", "More than one patient has the identifier.", "identifier")
        raise problem(404, "not-found", "No patient whom you may see has the identifier.", "identifier")
    return Response(200, await summary_of(passage, found[0].id, query, _wanted(arguments)))


def _check_profile(arguments: Arguments) -> None:
    profile = arguments.text("profile")
    if profile is not None and profile.partition("|")[0] != IPS_BUNDLE:
        raise problem(422, "not-supported", f"Summaries are made in one profile: {IPS_BUNDLE}.", "profile")


async def _with_identifier(passage: Passage, identifier: str) -> list[Stored]:
    """At most two: more would tell nothing more."""
    await passage.demand(Action.SEARCH, Target("Patient", (), ()))
    query = parse_query("Patient", [("identifier", identifier)], lenient=False)
    disclosure = Disclosure(passage)
    found: list[Stored] = []
    async for stored in passage.services.vault.search_all(query, await passage.patients_in_sight()):
        if await disclosure.shown(stored, query) is not None:
            found.append(stored)
        if len(found) > 1:
            break
    return found


def _wanted(arguments: Arguments) -> frozenset[str] | None:
    """The categories of sensitive records that may go along; None: nobody asked, so that nothing is held back."""
    text = arguments.text("sensitive")
    return None if text is None else frozenset(text.split(",")) - {"none"}


async def summary_of(passage: Passage, id_: str, query: str, wanted: frozenset[str] | None) -> bytes:
    """The document Bundle of a patient as JSON, decided and recorded under ``query``.

    ``wanted``: the categories of sensitive records that may go along; None: all that the person may see.
    """
    disclosure = Disclosure(passage)
    patient = await disclosure.subject("Patient", id_)
    readable: dict[str, Stored] = {}
    async for _, stored in chart(passage, id_):
        shown = await disclosure.shown(stored) if stored.type in SUMMARY_TYPES else None
        if shown is not None:
            readable[shown.reference] = shown
    held_back = ""
    if wanted is not None:
        selection = leaves_out([each.resource for each in readable.values()], wanted, passage.services.labelling.rules)
        kept = {f"{each['resourceType']}/{each['id']}" for each in selection.kept}
        readable = {reference: stored for reference, stored in readable.items() if reference in kept}
        held_back = selection.sentence
    content = summary_content(id_, [stored.resource for stored in readable.values()])
    disclosure.show(patient, *(readable[f"{each['resourceType']}/{each['id']}"] for each in content.resources))
    directory = await disclosure.directory([patient.resource, *content.resources])
    disclosure.show(*directory)
    await disclosure.record(query)
    managing = patient.resource.get("managingOrganization", {}).get("reference")
    document = patient_summary(
        patient.resource,
        replace(content, remark=_remark([patient.resource, *content.resources], held_back)),
        [stored.resource for stored in directory],
        base_url=passage.services.fhir_url,
        authorship=Authorship(
            uuid.uuid4(),
            __version__,
            next((stored.resource for stored in directory if stored.reference == managing), None),
        ),
        composition_id=uuid.uuid4(),
        identifier=uuid.uuid4(),
        timestamp=format_instant(passage.services.clock()),
    )
    return dump_json(document)


def _remark(resources: Iterable[Json], held_back: str) -> Remark | None:
    """What the summary must say: the notice that goes with what it holds, and that something may be left out."""
    notice = remark_for(resources)
    if not held_back:
        return notice
    return Remark(f"{held_back} {notice.text}", notice.labels) if notice else Remark(held_back, ())
