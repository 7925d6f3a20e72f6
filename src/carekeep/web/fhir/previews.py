"""Whether the reads of a transaction can be answered, asked before anything is changed.

R4 has a transaction succeed or fail as a whole, its reads included; but they are to see the changes, which have been
made when they are answered. So what would make them fail is looked for before.
"""

from collections.abc import Sequence

from carekeep.access import Action, Target
from carekeep.fhir import BundleEntry, Issue, QueryError, parse_query
from carekeep.records import Forgotten, NotFound
from carekeep.web.fhir.bodies import lenient
from carekeep.web.fhir.settling import Resolved
from carekeep.web.fhir.writing import Operation
from carekeep.web.http import form_pairs
from carekeep.web.passage import Passage, target_of, what_of
from carekeep.web.problems import Problem, problem


async def check_reads(passage: Passage, entries: Sequence[BundleEntry], resolved: Resolved) -> None:
    """Raises Problem for the first read that could not be answered after the changes: 400, 403, 404 or 410."""
    written = {
        (each.type, each.id): each.resource is None and each.patch is None
        for each in resolved.operations.values()
        if isinstance(each, Operation)
    }
    for entry in entries:
        at = f"Bundle.entry[{entry.position}].request.url"
        if entry.id is None:
            await _check_search(passage, entry, at)
        elif entry.history or (entry.type, entry.id) not in written:
            await _check_read(passage, entry, at)
        elif written[entry.type, entry.id]:
            raise problem(410, "deleted", "The transaction deletes what this entry reads.", at)


async def _check_search(passage: Passage, entry: BundleEntry, at: str) -> None:
    await passage.demand(Action.SEARCH, Target(entry.type, (), ()))
    try:
        parse_query(entry.type, form_pairs(entry.search or ""), lenient=lenient(passage.request))
    except QueryError as error:
        raise Problem(400, *(Issue("error", each.code, at, each.diagnostics) for each in error.issues)) from None


async def _check_read(passage: Passage, entry: BundleEntry, at: str) -> None:
    try:
        stored = await passage.services.vault.read(entry.type, str(entry.id))
    except (NotFound, Forgotten) as error:
        await passage.demand(Action.SEARCH, Target(entry.type, (), ()))
        status, code = (404, "not-found") if isinstance(error, NotFound) else (410, "deleted")
        raise problem(status, code, str(error), at) from None
    if entry.history:
        return  # each version is decided by itself, when it is read
    await passage.demand(Action.READ, target_of(stored), what=(what_of(stored),))
    if stored.deleted:
        raise problem(410, "deleted", f"{stored.reference} was deleted.", at)
