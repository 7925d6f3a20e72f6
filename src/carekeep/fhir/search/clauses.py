"""From the criteria of a query to what the index is asked."""

from collections.abc import Iterable, Sequence

from carekeep.fhir.search.criteria import Clause, Criterion, Having
from carekeep.fhir.search.index import OVERFLOW, Term, is_indexed, place_of, type_term
from carekeep.fhir.search.ranges import Wanted
from carekeep.fhir.search.values.dates import DAYS, SoughtDate
from carekeep.fhir.search.values.numbers import MAGNITUDES, SoughtNumber


def clauses_of(type_: str, criteria: Sequence[Criterion]) -> tuple[Clause, ...]:
    """What the index must know of every match; at least one clause has terms or ids."""
    left, clauses = _merged_ranges(type_, criteria)
    clauses.extend(clause for criterion in left for clause in criterion.clauses(type_))
    useful = [clause for clause in clauses if clause != Clause()]
    if not any(clause.terms is not None or clause.ids is not None for clause in useful):
        useful.append(Clause(terms=frozenset({type_term(type_)})))
    return tuple(useful)


def _merged_ranges(type_: str, criteria: Iterable[Criterion]) -> tuple[list[Criterion], list[Clause]]:
    """Ranges of one single value become one question: ``date=ge…&date=lt…`` is a month, not two halves of time.

    Returns the criteria that are left to ask one by one, and the clauses of the merged ones. It relies on a choice
    element having one of its types at a time, which validation sees to.
    """
    left: list[Criterion] = []
    ranges: dict[tuple[str, bytes], tuple[Having, Wanted]] = {}
    for criterion in criteria:
        found = _single_range(type_, criterion)
        if found is None or not isinstance(criterion, Having):
            left.append(criterion)
            continue
        namespace, wanted = found
        line = (criterion.parameter.code, namespace)
        before = ranges.get(line)
        ranges[line] = (criterion, before[1] & wanted if before else wanted)
    clauses = []
    for (_, namespace), (criterion, wanted) in ranges.items():
        parameter = criterion.parameter
        place = place_of(parameter.paths[0], parameter.type)
        tree = DAYS if parameter.type == "date" else MAGNITUDES
        values = {OVERFLOW, *(namespace + value for value in tree.ask(wanted))}
        clauses.append(Clause(terms=frozenset(Term(place, value) for value in values)))
    return left, clauses


def _single_range(type_: str, criterion: Criterion) -> tuple[bytes, Wanted] | None:
    """What a range asks for, after the namespace of its line: numbers as written and in base units are two lines."""
    if not isinstance(criterion, Having) or criterion.negated or not criterion.parameter.single:
        return None
    only = criterion.sought[0] if len(criterion.sought) == 1 else None
    if not isinstance(only, (SoughtDate, SoughtNumber)):
        return None
    wanted = only.wanted()
    if wanted is None or not is_indexed(type_, place_of(criterion.parameter.paths[0], criterion.parameter.type)):
        return None
    return only.namespace if isinstance(only, SoughtNumber) else b"", wanted
