"""What is asked of a resource before it is written, beyond the base standard: its profiles, and that targets exist."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from carekeep.fhir import Issue
from carekeep.fhir.validation.references import RELATIVE
from carekeep.records import Stored
from carekeep.web.fhir.bodies import return_preference
from carekeep.web.passage import Passage, what_of
from carekeep.web.problems import Problem
from carekeep.web.writable import unenforceable

Json = dict[str, Any]
_MOST_ISSUES = 50
_CONSENT, _NAMED = "Consent", "Consent.provision"


async def demand_conformance(passage: Passage, resource: Json) -> None:
    """Raises 422 with every error by the profiles that a valid resource claims, and for what cannot be enforced."""
    issues = [*unenforceable(resource), *await passage.services.profiles.breaches(resource)]
    if issues:
        raise Problem(422, *issues[:_MOST_ISSUES])


async def remarks(passage: Passage, stored: Stored) -> list[Issue]:
    """What there is to say of a version that was written, if the client wants an OperationOutcome instead of it."""
    if return_preference(passage.request) != "OperationOutcome" or stored.deleted:
        return []
    return await passage.services.profiles.issues(stored.resource)


def asks_of_targets(passage: Passage, written: Iterable[Stored | None]) -> bool:
    """Whether some of these must refer to records that exist."""
    existence = passage.services.profiles.strictness.existence
    return any(stored is not None and (stored.type in existence or stored.type == _CONSENT) for stored in written)


async def demand_targets(passage: Passage, written: Mapping[str, Sequence[Stored]]) -> None:
    """Raises 422 where a reference points to nothing, for the types of which the settings ask it.

    Whom and what a consent names must always exist: a denial that names nobody would be ignored in silence.

    ``written`` are the versions of this change by their places in a Bundle ("" outside of one); what they create
    exists, what they delete does not. Whether a record exists is told to nobody who may not write the one that points
    to it; a refusal is in the ledger, so that asking around is seen.
    """
    existence = passage.services.profiles.strictness.existence
    new = [(at, stored) for at, several in written.items() for stored in several]
    asking = [
        (at, stored)
        for at, stored in new
        if (stored.type in existence or stored.type == _CONSENT) and not stored.deleted
    ]
    if not asking:
        return
    found = [
        (at, stored, *each)
        for at, stored in asking
        for each in _references(passage, stored)
        if stored.type in existence or each[0].startswith(_NAMED)
    ]
    here = {stored.reference: not stored.deleted for _, stored in new}
    outside = {target for *_, target in found if target not in here}
    there = {stored.reference async for stored in passage.services.vault.read_all(outside)} if outside else set()
    missing = [each for each in found if not here.get(each[3], each[3] in there)]
    if not missing:
        return
    what = tuple(what_of(stored) for stored in dict.fromkeys(stored for _, stored, *_ in missing))
    await passage.record("fhir:reference:check", "failed", what=what, reason="a reference points to no record")
    raise Problem(422, *(_issue(at, place) for at, _, place, _ in missing[:_MOST_ISSUES]))


def _issue(at: str, place: str) -> Issue:
    where = f"{at}.resource.{place.partition('.')[2]}" if at else place
    return Issue("error", "not-found", where, "There is no record that this reference points to.")


def _references(passage: Passage, stored: Stored) -> Iterator[tuple[str, str]]:
    """Where a resource refers to records of this server, and to which (``Type/id``)."""
    own = f"{passage.services.fhir_url}/"
    waiting: list[tuple[str, Any]] = [(stored.type, stored.resource)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, list):
            waiting.extend((f"{place}[{number}]", each) for number, each in enumerate(value))
        elif isinstance(value, dict):
            reference = value.get("reference")
            match = RELATIVE.fullmatch(reference.removeprefix(own)) if isinstance(reference, str) else None
            if match is not None:
                yield f"{place}.reference", f"{match[1]}/{match[2]}"
            waiting.extend((f"{place}.{name}", each) for name, each in value.items())
