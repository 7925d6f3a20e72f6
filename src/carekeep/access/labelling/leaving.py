"""What goes with sensitive records when they leave, and what stays behind.

Records of substance use leave with the notice of 42 CFR 2.32, as text and as labels that programs understand. What is
held back is not counted: the sentence about it is the same whether there was something or not, since a sentence that
comes and goes with hidden records tells that there are some.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from carekeep.access.labelling.codings import ACT_CODE, Coding, assigned_coding
from carekeep.access.labelling.rules import Rules
from carekeep.fhir import labels_of

Json = dict[str, Any]

PART2_LABELS: Final = frozenset(f"{ACT_CODE}|{code}" for code in ("ETH", "ETHUD", "OPIOIDUD", "SUD"))
"""Sensitivities that 42 CFR Part 2 is about. A client may have given them as well."""

_PART2: Final[Coding] = {"system": ACT_CODE, "code": "42CFRPart2", "display": "42 CFR Part2"}
_HELD_BACK: Final = (
    "Records of kinds that were not asked for, or that are under special protection, are left out here. That "
    "something is not listed does not mean that it is not so."
)


@dataclass(frozen=True, slots=True)
class Notice:
    """What must be said with a disclosure: ``text`` to people, ``labels`` to programs (for ``meta.security``).

    ``law`` is where it is written.
    """

    text: str
    law: str
    labels: tuple[Coding, ...]


# The words are the rule's own: statement 2 of § 2.32(a), as of the final rule of February 2024 (89 FR 12472).
PART2_NOTICE: Final = Notice(
    text="42 CFR part 2 prohibits unauthorized use or disclosure of these records.",
    law="42 CFR 2.32(a)(2)",
    labels=(
        assigned_coding(ACT_CODE, "NORDSCLCD", "no redisclosure without consent directive", _PART2),
        assigned_coding(ACT_CODE, "RedisclosureProhibitionMark", "prohibition against redisclosure mark", _PART2),
    ),
)


@dataclass(frozen=True, slots=True)
class Selection:
    """What may go along, and the sentence that says that not everything does; empty where all kinds may."""

    kept: tuple[Json, ...] = field(repr=False)
    sentence: str


def notice_for(resources: Iterable[Json]) -> Notice | None:
    """The notice that must go with these resources when they leave the organization; None where none must."""
    return notice_for_labels(label for resource in resources for label in labels_of(resource))


def notice_for_labels(labels: Iterable[str]) -> Notice | None:
    """The same for labels as "system|code", of records that need not be parsed for it."""
    return None if PART2_LABELS.isdisjoint(labels) else PART2_NOTICE


def with_notice(labels: Sequence[Json], notice: Notice | None) -> list[Json]:
    """The labels of a Bundle (codings) with those of the notice beside them, each once."""
    if notice is None:
        return list(labels)
    has = {(label.get("system"), label.get("code")) for label in labels}
    return [*labels, *(each for each in notice.labels if (each["system"], each["code"]) not in has)]


def leaves_out(resources: Iterable[Json], wanted: Collection[str], rules: Rules | None = None) -> Selection:
    """Leave out the sensitive resources of which some category is not among ``wanted`` (ids of the rules' categories).

    What carries no label of a category is kept. ``sentence`` belongs into the answer, for people.
    """
    rules = rules or Rules.bundled()
    everything = {category.id for category in rules.categories}
    kept = tuple(
        resource
        for resource in resources
        if all(category is None or category in wanted for category in map(rules.category_of, labels_of(resource)))
    )
    return Selection(kept, "" if everything <= set(wanted) else _HELD_BACK)
