"""A second look before anything leaves: the right person, the right patient, and no more than was asked.

Pure: a plan and what is known around it go in, questions in plain words come out. Nothing here forbids: whoever answers
for the sharing reads the questions and says yes (``confirming``). So a question must be rare enough to be read.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

_FEWEST_LETTERS = 3  # a shorter part of a name ("de", "Li") is in too many others
_DAY_MS = 24 * 3600 * 1000
_LONG_MS = 30 * _DAY_MS
_SPLIT = re.compile(r"[^\w]+")


@dataclass(frozen=True, slots=True)
class Period:
    """From the first to the last day, ISO 8601; an empty one is open at that end."""

    start: str = ""
    end: str = ""

    def within(self, other: "Period") -> bool:
        """Whether it reaches no further than the other."""
        begins = not other.start or (bool(self.start) and self.start >= other.start)
        return begins and (not other.end or (bool(self.end) and self.end <= other.end))


@dataclass(frozen=True, slots=True)
class Extent:
    """What is sent, or what was asked for. No types: all of them. ``sensitive``: labels in words for people."""

    types: frozenset[str] = frozenset()
    period: Period = Period()
    sensitive: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """Something that is about to leave.

    ``sender`` is an account's id; ``recipient`` an address, "" for whoever has a link. ``patient_name`` is the name in
    the records, ``said_name`` the one that the sender wrote, ``message`` what goes along. ``guarded``: it takes a
    secret that goes another way. ``content`` is a digest of exactly what is sent.
    """

    sender: str
    patient: str = field(repr=False)
    recipient: str = field(repr=False)
    patient_name: str = field(repr=False)
    sends: Extent
    content: bytes = field(repr=False)
    asked: Extent | None = None
    said_name: str = field(default="", repr=False)
    message: str = field(default="", repr=False)
    lasts_ms: int = 0
    guarded: bool = True


@dataclass(frozen=True, slots=True)
class Around:
    """What is known around a plan.

    ``domains`` are those where somebody proved who they are; ``near`` names other patients of the sender whose
    own address, or that of somebody near them, the recipient's is; ``others`` the names of the sender's other patients.
    """

    domains: frozenset[str] = frozenset()
    near: tuple[str, ...] = field(default=(), repr=False)
    others: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Question:
    """One reason to look again: a code for machines and the ledger, and the sentence that is asked."""

    code: str
    text: str


def questions(plan: Plan, around: Around) -> tuple[Question, ...]:
    """Everything that a careful colleague would ask before this leaves; in the order of how bad it would be."""
    return (*_of_the_patient(plan, around), *_of_the_recipient(plan, around), *_of_the_extent(plan))


def _of_the_patient(plan: Plan, around: Around) -> Iterable[Question]:
    name = plan.patient_name
    if plan.said_name and not _same_person(plan.said_name, name):
        yield Question("other-name", f"You wrote “{plan.said_name}”, but this is the record of {name}. Which is right?")
    alike = [other for other in around.others if are_alike(name, other)]
    if alike:
        yield Question(
            "like-name", f"You also have a patient called {alike[0]}. Is it {name} whose record is meant to leave?"
        )
    words = frozenset(_parts(plan.message))
    if words and not words & frozenset(_parts(name)):
        named = [other for other in around.others if words & frozenset(_parts(other))]
        if named:
            yield Question("message-names-other", f"The message names {named[0]}, but this is the record of {name}.")


def _of_the_recipient(plan: Plan, around: Around) -> Iterable[Question]:
    domain = domain_of(plan.recipient)
    if around.near:
        yield Question(
            "near-another-patient",
            f"{plan.recipient} is an address of, or near, another patient: {around.near[0]}. "
            f"Is the record of {plan.patient_name} for them?",
        )
    if domain and domain not in around.domains:
        like = [known for known in sorted(around.domains) if is_typo(domain, known)]
        if like:
            yield Question("like-known-domain", f"{domain} is new here, but much like {like[0]}. Is it spelled right?")
        else:
            yield Question(
                "new-domain", f"{domain} is new here: nobody there was let in yet. Is {plan.recipient} right?"
            )


def _of_the_extent(plan: Plan) -> Iterable[Question]:
    sends, asked = plan.sends, plan.asked
    if asked is not None and asked.types:
        beyond = sorted(sends.types - asked.types) if sends.types else []
        if beyond:
            yield Question("more-types", f"Asked for was {_list(asked.types)}; {_list(beyond)} would go along.")
    if asked is not None and not sends.period.within(asked.period):
        yield Question("longer-period", f"Asked for was {_span(asked.period)}; {_span(sends.period)} would be sent.")
    if not sends.types:
        yield Question("whole-record", "This is the whole record, not a part of it. Does the recipient need all of it?")
    unasked = sends.sensitive - (asked.sensitive if asked is not None else frozenset())
    if unasked:
        yield Question("sensitive", f"This holds specially protected records: {_list(unasked)}. Are they to be sent?")
    if not plan.guarded and plan.lasts_ms > _LONG_MS:
        yield Question(
            "long-and-open",
            f"Whoever gets hold of this can read it for {round(plan.lasts_ms / _DAY_MS)} days, without a passcode. "
            "Is that meant?",
        )


def domain_of(address: str) -> str:
    """The domain of an e-mail address in lower case; "" for what is none."""
    local, at, domain = address.rpartition("@")
    return domain.lower() if at and local else ""


def are_alike(one: str, other: str) -> bool:
    """Whether two names may be taken for each other: one letter apart, or the same in another order."""
    first, second = _parts(one), _parts(other)
    if not first or not second:
        return False
    if sorted(first) == sorted(second):
        return True
    shared = frozenset(first) & frozenset(second)
    if not shared:
        return is_typo(" ".join(first), " ".join(second))
    left, right = [part for part in first if part not in shared], [part for part in second if part not in shared]
    if not left or not right:
        return True  # one name has a part more
    return is_typo(" ".join(left), " ".join(right))


def names(text: str, name: str) -> bool:
    """Whether a text holds a part of a name."""
    return not frozenset(_parts(text)).isdisjoint(_parts(name))


def is_typo(one: str, other: str) -> bool:
    """Whether one differs from the other by a slip: a letter more, less, other, or two changed about."""
    if one == other or abs(len(one) - len(other)) > 1 or min(len(one), len(other)) < _FEWEST_LETTERS:
        return False
    if len(one) == len(other):
        places = [at for at, (left, right) in enumerate(zip(one, other, strict=True)) if left != right]
        if len(places) == 2:  # noqa: PLR2004 - two letters changed about
            at, after = places
            return after == at + 1 and (one[at], one[after]) == (other[after], other[at])
        return len(places) == 1
    short, long = sorted((one, other), key=len)
    return any(long[:at] + long[at + 1 :] == short for at in range(len(long)))


def _same_person(said: str, name: str) -> bool:
    """Whether what somebody wrote can be this name: no part of it is another one."""
    parts = _parts(said)
    return bool(parts) and frozenset(parts) <= frozenset(_parts(name))


def _parts(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return [part for part in _SPLIT.split(letters) if len(part) >= _FEWEST_LETTERS]


def _list(words: Iterable[str]) -> str:
    *first, last = sorted(words)
    return f"{', '.join(first)} and {last}" if first else last


def _span(period: Period) -> str:
    if not period.start and not period.end:
        return "all time"
    return f"{period.start or 'the beginning'} to {period.end or 'today'}"
