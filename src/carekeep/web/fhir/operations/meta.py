"""``$meta``, ``$meta-add`` and ``$meta-delete`` of a record: its profiles, tags and security labels (FHIR R4)."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from carekeep.access import Action
from carekeep.fhir import dump_json
from carekeep.web.fhir.arguments import read_arguments
from carekeep.web.fhir.bodies import check_valid, expected_version, version_headers
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.fhir.writing import Operation, carry_out
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, problem

Json = dict[str, Any]
# What is there and what is given -> what is to be there.
Change = Callable[[list[Any], list[Any]], list[Any]]
_ATTEMPTS = 5
_LISTS = ("profile", "security", "tag")


async def meta(passage: Passage, type_: str, id_: str) -> Response:
    """The meta of the current version."""
    await passage.authenticate(Action.READ)
    await read_arguments(passage)
    disclosure = Disclosure(passage)
    stored = await disclosure.subject(type_, id_)
    disclosure.show(stored)
    await disclosure.record(f"{type_}/{id_}/$meta")
    return _answer(stored.resource["meta"])


async def meta_add(passage: Passage, type_: str, id_: str) -> Response:
    """The next version, with what is in the argument added to what is there."""
    return await _change(passage, type_, id_, _with)


async def meta_delete(passage: Passage, type_: str, id_: str) -> Response:
    """The next version, without what is in the argument."""
    return await _change(passage, type_, id_, _without)


async def _change(passage: Passage, type_: str, id_: str, change: Change) -> Response:
    """An update like any other: a label is taken away by those only whom the policies let do so."""
    await passage.authenticate(Action.UPDATE)
    given = (await read_arguments(passage, "meta")).element("meta")
    if given is None:
        raise problem(400, "required", "Send a Parameters with one parameter: name 'meta', valueMeta.", "Parameters")
    wanted_version = expected_version(passage.request.header(b"if-match"))
    for attempt in range(1, _ATTEMPTS + 1):
        current = await Disclosure(passage).subject(type_, id_)
        resource = {**current.resource, "meta": _changed(current.resource["meta"], given, change)}
        check_valid(resource, lenient=passage.services.profiles.strictness.is_lenient(type_))
        based_on = wanted_version or current.version
        try:
            (outcome,) = await carry_out(passage, Action.UPDATE, [Operation(type_, id_, resource, if_version=based_on)])
        except Problem as refused:
            # Somebody else was faster: unless the client insists on a version, what they wrote is the new ground.
            if refused.status != HTTPStatus.PRECONDITION_FAILED or wanted_version or attempt == _ATTEMPTS:
                raise
            continue
        if outcome.stored is not None:
            return _answer(outcome.stored.resource["meta"], version_headers(outcome.stored))
    raise AssertionError(type_)  # only deletes come to nothing


def _changed(meta_: Json, given: Json, change: Change) -> Json:
    """The lists of a meta changed; version and time are the server's and are not touched."""
    changed = {name: value for name, value in meta_.items() if name not in _LISTS}
    for name in _LISTS:
        if items := change(meta_.get(name, []), given.get(name, [])):
            changed[name] = items
    return changed


def _with(there: list[Any], given: list[Any]) -> list[Any]:
    known = {_key(item) for item in there}
    return there + [item for item in given if _key(item) not in known]


def _without(there: list[Any], given: list[Any]) -> list[Any]:
    unwanted = {_key(item) for item in given}
    return [item for item in there if _key(item) not in unwanted]


def _key(item: Any) -> tuple[str, str]:
    """Tags and labels are the same when system and code are (FHIR R4, resource.html#tags)."""
    return ("", item) if isinstance(item, str) else (item.get("system", ""), item.get("code", ""))


def _answer(meta_: Json, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Response:
    answer = {"resourceType": "Parameters", "parameter": [{"name": "return", "valueMeta": meta_}]}
    return Response(200, dump_json(answer), headers=headers)
