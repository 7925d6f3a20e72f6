"""What a link holds, as far as the ledger can tell: the records that left for whoever then encrypted them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from carekeep.access.labelling import CONFIDENTIALITY, Rules
from carekeep.access.sharing import Extent
from carekeep.access.sharing.link import MOST_CONTENTS
from carekeep.audit import BadLeaf, EntryId, What
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

_RESTRICTED = frozenset(f"{CONFIDENTIALITY}|{code}" for code in ("R", "V"))
_ID_SIZE = 16


@dataclass(frozen=True, slots=True)
class Contents:
    """The records, as references with versions, and how far they reach."""

    references: tuple[str, ...] = field(repr=False)
    extent: Extent


async def contents_of(passage: Passage, patient_id: str, made_from: str) -> Contents:
    """What the entry with this id (hex) says was read, by the same account about the same patient. Raises 422.

    Without an entry nothing is known: the files may be the patient's own.
    """
    if not made_from:
        return Contents((), Extent(types=frozenset({"Binary"})))
    what, query = await _entry(passage, patient_id, made_from)
    references = tuple(
        dict.fromkeys(
            each.reference if each.version is None else f"{each.reference}/_history/{each.version}" for each in what
        )
    )
    if len(references) > MOST_CONTENTS:
        raise problem(422, "too-costly", f"A link is of at most {MOST_CONTENTS} records. Share less.")
    is_whole = "$everything" in query or "$export" in query
    types = frozenset() if is_whole else frozenset(each.reference.partition("/")[0] for each in what)
    return Contents(references, Extent(types, sensitive=await _sensitive(passage, what)))


async def _entry(passage: Passage, patient_id: str, made_from: str) -> tuple[tuple[What, ...], str]:
    try:
        id_ = bytes.fromhex(made_from)
    except ValueError:
        id_ = b""
    ledger = passage.services.ledger
    sealed = await ledger.find(EntryId(id_)) if len(id_) == _ID_SIZE else None
    try:
        entry = None if sealed is None else ledger.open(sealed.leaf)[0]
    except BadLeaf:
        entry = None
    own = passage.principal.account_id
    if entry is None or entry.outcome != "permitted" or entry.agent.account != own or patient_id not in entry.patients:
        raise problem(422, "business-rule", "made_from is no ledger entry of yours about this patient.")
    return entry.what, entry.query or ""


async def _sensitive(passage: Passage, what: tuple[What, ...]) -> frozenset[str]:
    labels: set[str] = set()
    async for stored in passage.services.vault.read_all(each.reference for each in what):
        labels.update(stored.labels)
    return in_words(labels, passage.services.labelling.rules)


def in_words(labels: Iterable[str], rules: Rules) -> frozenset[str]:
    """What security labels ("system|code") say that calls for a second look, in words for people."""
    labels = frozenset(labels)
    titles = {category.id: category.title for category in rules.categories}
    found = {titles[category] for category in map(rules.category_of, labels) if category is not None}
    return frozenset(found or ({"records labelled restricted"} if labels & _RESTRICTED else ()))
