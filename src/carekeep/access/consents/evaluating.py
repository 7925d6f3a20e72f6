"""What the consents of one patient say to one question. Pure.

Within a consent the last exception that fits decides. Between consents a denial wins over a permission, and a
permission over what another consent merely left out: a consent that permits "only these" records permits no others,
but does not forbid what another consent permits.

Whether a provision fits is known or not: a record may not say its date or author. What cannot be told counts against
reading: a denial fits then, a permission does not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum, unique

from carekeep.access.consents.contents import Facts
from carekeep.access.consents.rules import ConsentRules, Provision
from carekeep.access.consents.words import confidentiality_of, rank_of, with_those_below
from carekeep.access.vocabulary import Agreement, Purpose


@unique
class Said(StrEnum):
    """What one consent says: ``LEFT_OUT`` is of a permission that is for other records than this one."""

    NOTHING = "nothing"
    PERMIT = "permit"
    LEFT_OUT = "left-out"
    DENY = "deny"


class _Fits(IntEnum):
    """Three values, in an order in which "and" is the least of them and "or" the greatest."""

    NO = 0
    UNKNOWN = 1
    YES = 2


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks for what, towards one patient.

    ``names``: the references by which a record may mean the asker now. ``facts``: None where the question is about
    many records, and whether there may be one among them that is permitted.
    """

    names: frozenset[str]
    purpose: Purpose
    now_ms: int
    facts: Facts | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the consents come to, and which ("Consent/id") decided. ``named``: a permission that names the asker."""

    agreement: Agreement = Agreement.NONE
    consents: tuple[str, ...] = ()
    named: bool = False


SILENT = Verdict()


def evaluate(consents: Sequence[ConsentRules], question: Question) -> Verdict:
    """What all active consents of a patient say together."""
    said = [(rules.reference, *said_by(rules, question)) for rules in consents]
    for what, agreement in (
        (Said.DENY, Agreement.DENY),
        (Said.PERMIT, Agreement.PERMIT),
        (Said.LEFT_OUT, Agreement.DENY),
    ):
        of = [(reference, named) for reference, each, named in said if each is what]
        if of:
            named = what is Said.PERMIT and any(named for _, named in of)
            return Verdict(agreement, tuple(reference for reference, _ in of), named)
    return SILENT


def said_by(rules: ConsentRules, question: Question) -> tuple[Said, bool]:
    """What one consent says, and whether what decided names the asker."""
    root = rules.root
    if not _concerns(root, question):
        return Said.NOTHING, False
    if _holds(root, question):
        said = Said.PERMIT if root.permits else Said.DENY
    elif root.permits:
        said = Said.LEFT_OUT
    else:
        return Said.NOTHING, False  # exceptions to a denial are of what it denies
    return _but(root, question, said, named=bool(root.actors))


def _but(provision: Provision, question: Question, said: Said, *, named: bool) -> tuple[Said, bool]:
    """What the exceptions make of it."""
    above, found = named, (said, named)
    for exception in provision.exceptions:
        if _concerns(exception, question) and _holds(exception, question):
            says = Said.PERMIT if exception.permits else Said.DENY
            found = _but(exception, question, says, named=above or bool(exception.actors))
    return found


def _concerns(provision: Provision, question: Question) -> bool:
    """Whether it is about this asker and purpose, and in force."""
    if question.now_ms not in provision.period:
        return False
    if provision.actors and provision.actors.isdisjoint(question.names):
        return False
    if provision.purposes:
        return question.purpose in provision.purposes
    # Research is agreed to by name or not at all (45 CFR 164.508, GDPR Art. 7).
    return not provision.permits or question.purpose is not Purpose.HRESCH


def _holds(provision: Provision, question: Question) -> bool:
    """Whether it is about this record, as far as that can be told."""
    if question.facts is None:
        return provision.permits or not provision.narrows_data
    fits = _fits(provision, question.facts)
    return fits is _Fits.YES or (fits is _Fits.UNKNOWN and not provision.permits)


def _fits(provision: Provision, facts: Facts) -> _Fits:
    """Whether it is about this record: all that it names must fit, and of each list one."""
    if provision.types and facts.type not in provision.types:
        return _Fits.NO
    if provision.labels and not _labelled(provision, facts.labels):
        return _Fits.NO
    return min(_coded(provision, facts), _dated(provision, facts), _is_named(provision, facts))


def _labelled(provision: Provision, labels: Iterable[str]) -> bool:
    """Confidentiality is a scale: to permit a level is to permit those below it, to deny it is to deny those above."""
    has = frozenset(labels)
    level = confidentiality_of(has)
    for label in provision.labels:
        rank = rank_of(label)
        if rank is None:
            fits = not with_those_below(label).isdisjoint(has)
        else:
            fits = level <= rank if provision.permits else level >= rank
        if fits:
            return True
    return False


def _coded(provision: Provision, facts: Facts) -> _Fits:
    if not provision.codes:
        return _Fits.YES
    if facts.codes is None:
        return _Fits.UNKNOWN
    if not provision.codes.isdisjoint(facts.codes):
        return _Fits.YES
    return _Fits.UNKNOWN if facts.is_coded_elsewhere else _Fits.NO


def _dated(provision: Provision, facts: Facts) -> _Fits:
    if provision.dated is None:
        return _Fits.YES
    if facts.dated is None:
        return _Fits.UNKNOWN
    common = facts.dated.within(provision.dated)
    if common == facts.dated:
        return _Fits.YES
    return _Fits.UNKNOWN if common.since < common.until else _Fits.NO


def _is_named(provision: Provision, facts: Facts) -> _Fits:
    if not provision.names_data:
        return _Fits.YES
    if facts.reference is None:
        return _Fits.UNKNOWN
    if facts.reference in provision.instances or facts.reference in provision.related:
        return _Fits.YES
    if not provision.related.isdisjoint(facts.references) or not provision.authors.isdisjoint(facts.authors):
        return _Fits.YES
    return _Fits.NO
