"""When a patient's records may be disposed of, and which rule says so. Pure: facts in, a verdict with its reasons out.

What cannot be known keeps: care that is not over, a date that a rule needs and nobody wrote down.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from carekeep.records.disposal.schedules import Rule, Start


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What of a record rules look at: ``last`` is the last day of its care; ``codes`` are "system|code"."""

    type: str
    last: date
    codes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """A patient's records. ``in_care``: something is not over. ``birth`` and ``death``: None where not known."""

    records: tuple[RecordFacts, ...] = field(repr=False)
    birth: date | None = field(default=None, repr=False)
    death: date | None = field(default=None, repr=False)
    in_care: bool = False
    has_died: bool = False

    @property
    def last_care(self) -> date | None:
        """The last day of care of any kind."""
        return max((record.last for record in self.records), default=None)

    def counts(self) -> dict[str, int]:
        """How many records there are of each type."""
        found: dict[str, int] = {}
        for record in self.records:
            found[record.type] = found.get(record.type, 0) + 1
        return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Term:
    """What one rule asks for: ``due`` is the first day on which it does not keep any more; None: it keeps."""

    rule: Rule
    due: date | None
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """All terms, the longest first; ``due`` is None when the records are kept and nobody can say until when."""

    due: date | None
    why: str
    terms: tuple[Term, ...] = ()

    @property
    def rule(self) -> Rule | None:
        """The rule that decides."""
        return self.terms[0].rule if self.terms else None

    def is_due(self, today: date) -> bool:
        """Whether no rule keeps the records today."""
        return self.due is not None and self.due <= today


def judge(facts: PatientFacts, rules: Iterable[Rule], majority: int) -> Verdict:
    """When the last of the rules lets go. ``majority``: the age, in years, at which people come of age."""
    if facts.in_care:
        return Verdict(None, "Care is not over.")
    terms = [term for rule in rules if (term := _term(rule, facts, majority)) is not None]
    if not terms:
        return Verdict(None, "No rule speaks of these records, so nothing says that they may go.")
    terms.sort(key=lambda term: (term.due is not None, -(term.due or date.min).toordinal(), term.rule.id))
    return Verdict(terms[0].due, terms[0].why, tuple(terms))


def _term(rule: Rule, facts: PatientFacts, majority: int) -> Term | None:
    """What a rule asks for; None when it does not speak of this patient."""
    matching = [record for record in facts.records if _speaks_of(rule, record)]
    if not matching:
        return None
    newest = max(record.last for record in matching)
    if rule.start in {Start.BIRTH, Start.MAJORITY}:
        return _of_minor(rule, facts, newest, majority)
    if rule.start is Start.DEATH:
        if not facts.has_died:
            return None
        if facts.death is None:
            return Term(rule, None, f"{rule.title}: the day of death is not known.")
        return Term(rule, after(facts.death, rule.years), _sentence(rule, "death"))
    start = newest if rule.start is Start.RECORD else (facts.last_care or newest)
    what = "the newest of these records" if rule.start is Start.RECORD else "the last day of care"
    return Term(rule, after(start, rule.years), _sentence(rule, what))


def _of_minor(rule: Rule, facts: PatientFacts, newest: date, majority: int) -> Term | None:
    if facts.birth is None:
        return Term(rule, None, f"{rule.title}: the birth date is not known, so nobody can say that it does not hold.")
    of_age = after(facts.birth, majority)
    if newest >= of_age:
        return None
    if rule.start is Start.MAJORITY:
        return Term(rule, after(of_age, rule.years), _sentence(rule, "coming of age"))
    return Term(rule, after(facts.birth, rule.years), _sentence(rule, "birth"))


def _speaks_of(rule: Rule, record: RecordFacts) -> bool:
    return (not rule.types or record.type in rule.types) and (not rule.codes or bool(rule.codes & record.codes))


def _sentence(rule: Rule, start: str) -> str:
    return f"{rule.title}: {rule.years} years from {start} ({rule.law})."


def after(day: date, years: int) -> date:
    """The same day that many years later; the first of March for the 29th of February where there is none."""
    try:
        return day.replace(year=min(day.year + years, date.max.year))
    except ValueError:
        return date(day.year + years, 3, 1)
