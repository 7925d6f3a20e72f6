"""``Composition/[id]/$document``: a Composition and what it refers to, as one document (FHIR R4)."""

import uuid

from carekeep.access import Action
from carekeep.fhir import dump_json, format_instant
from carekeep.fhir.documents import Part, document_bundle, local_references
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.web.denials import denied
from carekeep.web.fhir.arguments import read_arguments
from carekeep.web.fhir.disclosure import Disclosure, called
from carekeep.web.http import Response
from carekeep.web.labelling import remark_for
from carekeep.web.obligations import abide
from carekeep.web.passage import Passage, what_of
from carekeep.web.problems import problem


async def document(passage: Passage, type_: str, id_: str) -> Response:
    """The document: whole, or not at all.

    A Composition is attested by people and its text tells of what it refers to, so a part that is missing or may not
    be seen is not left out in silence: the call fails and says why. What is elsewhere (absolute URLs) stays there.
    """
    await passage.authenticate(Action.READ)
    arguments = await read_arguments(passage, "persist")
    if arguments.flag("persist"):
        raise problem(422, "not-supported", "Documents are not kept here; POST the Bundle to keep it.", "persist")
    disclosure = Disclosure(passage)
    composition = await disclosure.subject(type_, id_)
    parts = [await _part(passage, disclosure, each) for each in local_references(composition.resource)]
    disclosure.show(composition, *parts)
    await disclosure.record(called(f"{type_}/{id_}/$document", arguments.given))
    base = passage.services.fhir_url
    bundle = document_bundle(
        Part(f"{base}/{composition.reference}", composition.resource),
        [Part(f"{base}/{part.reference}", part.resource) for part in parts if part.reference != composition.reference],
        identifier=uuid.uuid4(),
        timestamp=format_instant(passage.services.clock()),
        remark=remark_for(part.resource for part in (composition, *parts)),
    )
    return Response(200, dump_json(bundle))


async def _part(passage: Passage, disclosure: Disclosure, reference: str) -> Stored:
    type_, _, id_ = reference.partition("/")
    try:
        stored = await passage.services.vault.read(type_, id_)
    except (NotFound, Forgotten):
        stored = None
    if stored is None or stored.deleted:
        await passage.record(Action.READ, "failed", reason="the composition refers to what is not there")
        raise problem(422, "not-found", f"The composition refers to {reference}, which is not here any more.")
    decision = await disclosure.decision(stored)
    if not decision.permitted:
        what = (what_of(stored),)
        await passage.record(Action.READ, "denied", decision=decision, what=what, patients=stored.patients)
        raise denied(decision, passage.principal)
    return abide(decision, stored)
