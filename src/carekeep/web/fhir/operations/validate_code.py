"""``$validate-code`` of value sets and of code systems (FHIR R4)."""

from carekeep.access import Action
from carekeep.fhir import dump_json
from carekeep.fhir.terminology import Asked, TerminologyRefused, expand, in_code_system, in_value_set
from carekeep.web.fhir.arguments import Arguments, read_arguments
from carekeep.web.fhir.disclosure import called
from carekeep.web.fhir.terminology import Terminology, asked_code_system, asked_value_set
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

_CODE = ("code", "display", "coding", "codeableConcept")


async def validate_code_of_value_set(passage: Passage, type_: str, id_: str) -> Response:
    """Whether a code is in the value set, and its display right."""
    await passage.authenticate(Action.SEARCH)
    arguments = await read_arguments(passage, "url", "valueSet", "valueSetVersion", "system", *_CODE)
    asked = _asked(arguments, arguments.text("system"))
    query = called("/".join(filter(None, (type_, id_, "$validate-code"))), arguments.given)
    terminology = Terminology(passage)
    try:
        value_set = await asked_value_set(terminology, arguments, id_)
        codes = expand(value_set, await terminology.library(value_set))
    except TerminologyRefused as refused:
        raise await terminology.refuse(refused, query) from None
    await terminology.disclosure.record(query)
    return Response(200, dump_json(in_value_set(codes, asked).parameters()))


async def validate_code_of_code_system(passage: Passage, type_: str, id_: str) -> Response:
    """Whether a code is one of the code system, and its display right."""
    await passage.authenticate(Action.SEARCH)
    arguments = await read_arguments(passage, "url", "version", *_CODE)
    query = called("/".join(filter(None, (type_, id_, "$validate-code"))), arguments.given)
    terminology = Terminology(passage)
    try:
        system = await asked_code_system(terminology, arguments, id_, arguments.text("url"))
    except TerminologyRefused as refused:
        raise await terminology.refuse(refused, query) from None
    verdict = in_code_system(system, _asked(arguments, system.url))
    await terminology.disclosure.record(query)
    return Response(200, dump_json(verdict.parameters()))


def _asked(arguments: Arguments, system: str | None) -> list[Asked]:
    """The codings to check: ``code`` (with the system), ``coding``, or all of ``codeableConcept``."""
    code, coding, concept = arguments.text("code"), arguments.element("coding"), arguments.element("codeableConcept")
    if sum(each is not None for each in (code, coding, concept)) != 1:
        raise problem(400, "required", "Say which code in one way: code, coding or codeableConcept.", "code")
    if coding is not None:
        return [Asked.of(coding)]
    if concept is not None:
        return [Asked.of(each) for each in concept.get("coding", ())]
    if system is None:
        raise problem(400, "required", "A code means something in its system only: send system too.", "system")
    return [Asked(system, code or "", arguments.text("display"))]
