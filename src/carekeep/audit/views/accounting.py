"""An accounting of disclosures (45 CFR 164.528): to whom data about a patient left the organization.

A disclosure is an entry with a recipient. The rule lets some be left out of an accounting; those are counted, so that
the patient can ask for them too. What it says of one: 164.528(b)(2). Several to the same recipient for the same purpose
may be told as the first one, how many, and the last: 164.528(b)(3).

Not here: the suspension that a health oversight agency or law enforcement can ask for (164.528(a)(2)). Nobody's right
to an accounting is suspended.
"""

import re
from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from carekeep.audit.entries import Entry
from carekeep.audit.following import Followed
from carekeep.audit.views.plain_words import Directory, when_ms
from carekeep.audit.views.record_kinds import enumerated, kinds_of

OPERATIONS = "treatment, payment or health care operations (164.528(a)(1)(i))"
INDIVIDUAL = "to the patient, or as the patient asked (164.528(a)(1)(ii) and (iv))"

_YEARS = 6
_ADDRESSED = re.compile(r"(?P<name>[^<>]+?)\s*<(?P<address>[^<>]+)>")
# Purposes whose disclosures the rule lets an accounting leave out, and where it says so.
_EXCEPTED: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("TREAT", "ETREAT", "COC", "HPAYMT", "HOPERAT", "PATADMIN", "RECORDMGT", "HCOMPL", "HSYSADMIN"), OPERATIONS
        ),
        "PATRQT": INDIVIDUAL,
    }
)


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What left, to whom, when and for what; ``times`` in the period, from ``first_ms`` to ``last_ms``.

    ``address`` is None when it is not known. ``exception`` is why the rule would let it be left out, "" if it does not.
    """

    first_ms: int
    last_ms: int
    times: int
    recipient: str
    address: str | None
    description: str
    purpose: str
    exception: str
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accounting:
    """The disclosures of a period, the first one first, and how many were left out by which exception."""

    disclosures: tuple[Disclosure, ...]
    left_out: tuple[tuple[str, int], ...]


def account(entries: Iterable[Followed], directory: Directory, *, everything: bool = False) -> Accounting:
    """The accounting of one patient's entries, narrowed to the patient. ``everything``: with what may be left out."""
    groups: dict[tuple[str, str], list[Followed]] = {}
    left_out: Counter[str] = Counter()
    for followed in entries:
        entry = followed.entry
        if entry.recipient is None or entry.outcome != "permitted":
            continue
        exception = _EXCEPTED.get(entry.purpose, "")
        if exception and not everything:
            left_out[exception] += 1
            continue
        groups.setdefault((entry.recipient, entry.purpose), []).append(followed)
    found = [_disclosure(group, directory) for group in groups.values()]
    found.sort(key=lambda each: (each.first_ms, each.entries))
    return Accounting(tuple(found), tuple(sorted(left_out.items())))


def years_before(now_ms: int) -> int:
    """Where an accounting's period begins: six years before now (164.528(a)(1)); milliseconds since 1970."""
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    day = min(now.day, monthrange(now.year - _YEARS, now.month)[1])
    return int(now.replace(year=now.year - _YEARS, day=day).timestamp() * 1000)


def _disclosure(group: list[Followed], directory: Directory) -> Disclosure:
    ordered = sorted(group, key=lambda each: (when_ms(each.entry), each.entry_id))
    entry = ordered[0].entry
    types = [what.reference.partition("/")[0] for each in group for what in each.entry.what]
    name, address = _recipient(entry)
    return Disclosure(
        first_ms=when_ms(entry),
        last_ms=when_ms(ordered[-1].entry),
        times=len(group),
        recipient=name,
        address=address,
        description=enumerated(kinds_of(types) or ("records",)),
        purpose=directory.purposes.get(entry.purpose, entry.purpose) or "not stated",
        exception=_EXCEPTED.get(entry.purpose, ""),
        entries=tuple(each.entry_id.hex() for each in ordered),
    )


def _recipient(entry: Entry) -> tuple[str, str | None]:
    """The name and the address of a recipient, who is written as "Name <address>", or as one of both."""
    recipient = (entry.recipient or "").strip()
    found = _ADDRESSED.fullmatch(recipient)
    if found is not None:
        return found["name"], found["address"]
    return recipient, recipient if "@" in recipient and " " not in recipient else None
