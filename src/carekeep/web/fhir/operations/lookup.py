"""``CodeSystem/$lookup``: what is known of a code (FHIR R4)."""

from carekeep.access import Action
from carekeep.fhir import dump_json
from carekeep.fhir.terminology import TerminologyRefused, look_up
from carekeep.web.fhir.arguments import read_arguments
from carekeep.web.fhir.disclosure import called
from carekeep.web.fhir.terminology import Terminology, asked_code_system
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.problems import problem


async def lookup(passage: Passage, type_: str, _: str) -> Response:
    """Look up ``code`` in ``system`` (and ``version``), or a ``coding``; ``property`` narrows what is told."""
    await passage.authenticate(Action.SEARCH)
    arguments = await read_arguments(passage, "code", "system", "version", "coding", "property")
    coding = arguments.element("coding") or {}
    code = coding.get("code") or arguments.text("code")
    system = coding.get("system") or arguments.text("system")
    if code is None or system is None:
        raise problem(400, "required", "Send code and system, or a coding that has both.", "code")
    query = called(f"{type_}/$lookup", arguments.given)
    terminology = Terminology(passage)
    try:
        found = await asked_code_system(terminology, arguments, "", system)
        answer = look_up(found, code, arguments.texts("property"))
    except TerminologyRefused as refused:
        raise await terminology.refuse(refused, query) from None
    await terminology.disclosure.record(query)
    return Response(200, dump_json(answer))
