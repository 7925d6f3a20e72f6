"""``ValueSet/$expand``: the codes of a value set, whole or page by page (FHIR R4)."""

import uuid

from carekeep.access import Action
from carekeep.fhir import dump_json, format_instant
from carekeep.fhir.terminology import TerminologyRefused, Wish, expand, expanded_value_set
from carekeep.web.fhir.arguments import read_arguments
from carekeep.web.fhir.disclosure import called
from carekeep.web.fhir.terminology import Terminology, asked_value_set
from carekeep.web.http import Response
from carekeep.web.passage import Passage

_NAMES = ("url", "valueSet", "valueSetVersion", "filter", "offset", "count", "activeOnly", "includeDesignations")


async def expand_value_set(passage: Passage, type_: str, id_: str) -> Response:
    """Expand the value set of the URL, of the body, or with a canonical URL. Expansions are flat."""
    await passage.authenticate(Action.SEARCH)
    arguments = await read_arguments(passage, *_NAMES)
    wish = Wish(
        filter=arguments.text("filter"),
        offset=arguments.whole("offset") or 0,
        count=arguments.whole("count"),
        active_only=arguments.flag("activeOnly"),
        designations=arguments.flag("includeDesignations"),
    )
    query = called("/".join(filter(None, (type_, id_, "$expand"))), arguments.given)
    terminology = Terminology(passage)
    try:
        value_set = await asked_value_set(terminology, arguments, id_)
        codes = expand(value_set, await terminology.library(value_set))
    except TerminologyRefused as refused:
        raise await terminology.refuse(refused, query) from None
    await terminology.disclosure.record(query)
    timestamp = format_instant(passage.services.clock())
    answer = expanded_value_set(value_set, codes, wish, identifier=uuid.uuid4(), timestamp=timestamp)
    return Response(200, dump_json(answer))
