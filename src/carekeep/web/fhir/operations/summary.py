"""``$summary`` of a Patient: the International Patient Summary (IPS 2.0.0)."""

import uuid

from carekeep import __version__
from carekeep.access import Action, Target
from carekeep.fhir import dump_json, format_instant, parse_query
from carekeep.fhir.documents import IPS_BUNDLE, SUMMARY_TYPES, Authorship, patient_summary, summary_content
from carekeep.records import Stored
from carekeep.web.fhir.arguments import Arguments, read_arguments
from carekeep.web.fhir.disclosure import Disclosure, called
from carekeep.web.fhir.operations.everything import chart
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.problems import problem


async def summary(passage: Passage, type_: str, id_: str) -> Response:
    """The summary of the patient whose id is in the URL."""
    await passage.authenticate(Action.READ)
    arguments = await read_arguments(passage, "profile")
    _check_profile(arguments)
    return await _summarise(passage, id_, called(f"{type_}/{id_}/$summary", arguments.given))


async def summary_by_identifier(passage: Passage, type_: str, _: str) -> Response:
    """The summary of the one patient with an identifier, among those whom the person may see."""
    await passage.authenticate(Action.READ)
    arguments = await read_arguments(passage, "identifier", "profile")
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
    return await _summarise(passage, found[0].id, query)


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
        if await disclosure.permits(stored):
            found.append(stored)
        if len(found) > 1:
            break
    return found


async def _summarise(passage: Passage, id_: str, query: str) -> Response:
    disclosure = Disclosure(passage)
    patient = await disclosure.subject("Patient", id_)
    readable: dict[str, Stored] = {}
    async for _, stored in chart(passage, id_):
        if stored.type in SUMMARY_TYPES and await disclosure.permits(stored):
            readable[stored.reference] = stored
    content = summary_content(id_, [stored.resource for stored in readable.values()])
    disclosure.show(patient, *(readable[f"{each['resourceType']}/{each['id']}"] for each in content.resources))
    directory = await disclosure.directory([patient.resource, *content.resources])
    disclosure.show(*directory)
    await disclosure.record(query)
    managing = patient.resource.get("managingOrganization", {}).get("reference")
    document = patient_summary(
        patient.resource,
        content,
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
    return Response(200, dump_json(document))
