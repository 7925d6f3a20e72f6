"""The evaluator against an obvious, slow one: all paths through a consent that fit, and the last of them decides."""

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from carekeep.access import Purpose
from carekeep.access.consents import ConsentRules, Provision, Question, evaluate
from carekeep.access.consents.contents import Facts
from carekeep.access.consents.words import ACT_CODE, CONFIDENTIALITY, LOINC
from carekeep.access.spans import Span
from carekeep.access.vocabulary import Agreement
from tests.access.consents.writing import label

ACTORS = ("Practitioner/a", "Practitioner/b", "Organization/o")
LABELS = ("N", "R", "V", "PSY", "PSYTHPN", "HIV")
CODES = ("1", "2")
DAYS = ("2022-01-01", "2023-01-01")
AUTHORS = ("Practitioner/a", "Practitioner/b")
TYPES = ("Observation", "Condition")
YEARS = {
    "2022-01-01": Span(1_640_995_200_000, 1_672_531_200_000),
    "2023-01-01": Span(1_672_531_200_000, 1_704_067_200_000),
}
# What a record with such a label is: which labels a denial must name to reach it, and which a permission.
DENIED_BY = {
    "N": {"N"},
    "R": {"N", "R"},
    "V": {"N", "R", "V"},
    "PSY": {"PSY", "N", "R"},
    "PSYTHPN": {"PSY", "PSYTHPN", "N", "R"},
    "HIV": {"HIV", "N", "R"},
}
PERMITTED_BY = {
    "N": {"N", "R", "V"},
    "R": {"R", "V"},
    "V": {"V"},
    "PSY": {"PSY", "R", "V"},
    "PSYTHPN": {"PSY", "PSYTHPN", "R", "V"},
    "HIV": {"HIV", "R", "V"},
}


@dataclass(frozen=True, slots=True)
class Record:
    """A record that says everything, so that everything about it is known."""

    type: str
    label: str
    code: str
    day: str
    author: str

    def facts(self) -> Facts:
        resource: dict[str, Any] = {
            "id": "x",
            "code": {"coding": [{"system": LOINC, "code": self.code}]},
            "effectiveDateTime": self.day,
            "performer": [{"reference": self.author}],
        }
        return Facts(self.type, (full(self.label),), resource)


def full(code: str) -> str:
    made = label(code)
    return f"{made['system']}|{made['code']}"


def some(*values: Any) -> st.SearchStrategy[frozenset[Any]]:
    return st.frozensets(st.sampled_from(values), max_size=2)


def provisions(below: st.SearchStrategy[Provision] | None = None) -> st.SearchStrategy[Provision]:
    return st.builds(
        Provision,
        permits=st.booleans(),
        period=st.sampled_from([Span(-100, 100), Span(-100, 0), Span(0, 100)]),
        actors=some(*ACTORS),
        purposes=some(Purpose.TREAT, Purpose.HRESCH),
        types=some(*TYPES),
        labels=some(*map(full, LABELS)),
        codes=some(*(f"{LOINC}|{code}" for code in CODES)),
        dated=st.none() | st.sampled_from(list(YEARS.values())),
        authors=some(*AUTHORS),
        exceptions=st.just(()) if below is None else st.lists(below, max_size=3).map(tuple),
    )


trees = st.recursive(provisions(), provisions, max_leaves=6)
records = st.builds(
    Record,
    type=st.sampled_from(TYPES),
    label=st.sampled_from(LABELS),
    code=st.sampled_from(CODES),
    day=st.sampled_from(DAYS),
    author=st.sampled_from(AUTHORS),
)


def concerns(each: Provision, names: frozenset[str], purpose: Purpose) -> bool:
    if not each.period.since <= 0 < each.period.until:
        return False
    if each.actors and not each.actors & names:
        return False
    if each.purposes:
        return purpose in each.purposes
    return not (each.permits and purpose is Purpose.HRESCH)


def is_about(each: Provision, record: Record) -> bool:
    table = PERMITTED_BY if each.permits else DENIED_BY
    reaching = {full(code) for code in table[record.label]}
    return (
        (not each.types or record.type in each.types)
        and (not each.labels or bool(each.labels & reaching))
        and (not each.codes or f"{LOINC}|{record.code}" in each.codes)
        and (each.dated is None or each.dated == YEARS[record.day])
        and (not each.authors or record.author in each.authors)
    )


def paths(each: Provision, above: tuple[Provision, ...] = ()) -> list[tuple[Provision, ...]]:
    here = (*above, each)
    return [here, *(path for exception in each.exceptions for path in paths(exception, here))]


def model(root: Provision, names: frozenset[str], purpose: Purpose, record: Record) -> tuple[str, bool]:
    if not concerns(root, names, purpose) or (not root.permits and not is_about(root, record)):
        return "nothing", False
    fitting = [
        path
        for path in paths(root)
        if all(concerns(each, names, purpose) and is_about(each, record) for each in path[1:])
    ]
    last = fitting[-1]
    named = any(each.actors for each in last)
    if last == (root,) and not is_about(root, record):
        return "left out", named
    return ("permit" if last[-1].permits else "deny"), named


@given(st.lists(trees, max_size=3), records, some(*ACTORS), st.sampled_from([Purpose.TREAT, Purpose.HRESCH]))
def test_it_says_what_the_model_says(
    roots: list[Provision], record: Record, names: frozenset[str], purpose: Purpose
) -> None:
    consents = [ConsentRules.of(f"Consent/{number}", "p1", root) for number, root in enumerate(roots)]
    verdict = evaluate(consents, Question(names, purpose, 0, record.facts()))
    said = [model(root, names, purpose, record) for root in roots]
    for word, agreement in (("deny", Agreement.DENY), ("permit", Agreement.PERMIT), ("left out", Agreement.DENY)):
        found = [(f"Consent/{number}", named) for number, (each, named) in enumerate(said) if each == word]
        if found:
            assert verdict.agreement is agreement
            assert verdict.consents == tuple(reference for reference, _ in found)
            assert verdict.named == (word == "permit" and any(named for _, named in found))
            return
    assert (verdict.agreement, verdict.consents, verdict.named) == (Agreement.NONE, (), False)


@given(st.lists(trees, min_size=1, max_size=3), records, some(*ACTORS), trees)
def test_one_more_denial_never_opens_anything(
    roots: list[Provision], record: Record, names: frozenset[str], more: Provision
) -> None:
    """A consent without any permission in it can only take away."""
    if any(each.permits for each in more.all()):
        return
    consents = [ConsentRules.of(f"Consent/{number}", "p1", root) for number, root in enumerate(roots)]
    question = Question(names, Purpose.TREAT, 0, record.facts())
    before, after = (
        evaluate(those, question) for those in (consents, [*consents, ConsentRules.of("Consent/more", "p1", more)])
    )
    assert after.agreement in {before.agreement, Agreement.DENY}


@given(trees, records, some(*ACTORS))
def test_what_is_not_known_never_opens_anything(root: Provision, record: Record, names: frozenset[str]) -> None:
    """With the content at hand a denial may be lifted, but never one made: an untold record is the worst case."""
    consents = [ConsentRules.of("Consent/c", "p1", root)]
    if any(each.exceptions for each in root.all()):
        return  # an exception may turn what was not known either way
    told, untold = (
        evaluate(consents, Question(names, Purpose.TREAT, 0, facts))
        for facts in (record.facts(), Facts(record.type, (full(record.label),), None))
    )
    if untold.agreement is Agreement.PERMIT:
        assert told.agreement is Agreement.PERMIT


def test_the_labels_of_the_model_are_those_of_the_standard() -> None:
    assert {full(code).rpartition("|")[0] for code in LABELS} == {ACT_CODE, CONFIDENTIALITY}
