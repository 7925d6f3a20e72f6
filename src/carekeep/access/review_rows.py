"""One question that an emergency leaves open, or that a patient asks about an access, and how its row is sealed.

A row has two sealed parts. ``sealed`` says who, when and how far it is; it opens for as long as the installation does.
``about`` holds what is health data (the patient, the written reason, what was touched, the answer's text) and is sealed
with the patient's own key: it is forgotten with the patient. Both are pinned together: neither is put back alone.
"""

import hashlib
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from carekeep.encryption import KeyDestroyed, KeyMissing, Keyring, KeyUnknown, associated_data
from carekeep.storage import Pin

TABLE = "review"
COLUMNS = ("id", "reviewer", "scope", "due_ms", "closed_ms", "look_ms", "revision", "sealed", "about")
Row = tuple[bytes, bytes, int, int, int, int, int, bytes, bytes]


class Emergency(StrEnum):
    """What is to be answered for: emergency access, an emergency search, or an access that a patient asks about."""

    ACCESS = "access"
    SEARCH = "search"
    QUESTION = "question"


class Verdict(StrEnum):
    """How far a question is. ``FOLLOW_UP`` was answered and stays open: something is to be done first."""

    OPEN = "open"
    FOLLOW_UP = "follow-up"
    JUSTIFIED = "justified"
    NOT_JUSTIFIED = "not-justified"


FINAL = frozenset({Verdict.JUSTIFIED, Verdict.NOT_JUSTIFIED})


class Letter(StrEnum):
    """How far the notice to the patient is.

    ``LOOKING``: it is being found out whether the patient has an account. ``TOLD``: the account has a notice. ``DUE``:
    a person sends a letter; ``SENT``: somebody did. ``NONE``: nobody is to be told.
    """

    NONE = "none"
    LOOKING = "looking"
    TOLD = "told"
    DUE = "due"
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class About:
    """The part that is forgotten with the patient.

    ``patient`` is empty for a search that found nobody or several. ``types``: the scope of the access, none for the
    whole record. ``touched``: how many records of each type were read or made; None until it was counted. ``found``:
    how many patients a search came upon. ``text`` is the reviewer's. Of a question of the patient, ``reason`` is what
    the patient wrote, ``entry`` the id of the ledger's entry that it is about, ``asker`` the account that asked (hex).
    """

    patient: str = field(repr=False)
    reason: str = field(repr=False)
    types: tuple[str, ...] = ()
    touched: tuple[tuple[str, int], ...] | None = field(default=None, repr=False)
    found: int | None = None
    text: str = field(default="", repr=False)
    entry: str = ""
    asker: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """One question. Accounts are ids of 16 bytes; times are milliseconds since 1970 (UTC), 0 for not yet.

    ``reviewer`` is whom it is put to; empty: all auditors. ``concerned`` is the FHIR reference of the clinician.
    ``look_ms``: when there is something to find out about it. ``about`` is None once the patient was forgotten.
    """

    id: bytes
    kind: Emergency
    clinician: bytes
    concerned: str = field(repr=False)
    reviewer: bytes
    scope: int
    grant: str
    opened_ms: int
    until_ms: int
    due_ms: int
    look_ms: int
    letter: Letter
    about: About | None
    verdict: Verdict = Verdict.OPEN
    closed_ms: int = 0
    answered_by: bytes = b""
    answered_ms: int = 0
    letter_by: str = ""
    letter_ms: int = 0
    revision: int = 1
    kept: bytes = field(default=b"", repr=False)  # ``about`` as it is in the row: of the forgotten it stays as it is

    @property
    def is_forgotten(self) -> bool:
        """Whether the patient was forgotten meanwhile: then there is nothing left to go by."""
        return self.about is None

    @property
    def is_answered(self) -> bool:
        """Whether the question itself needs nobody any more."""
        return self.is_forgotten or self.verdict in FINAL

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to do something: answer it, or tell the patient."""
        return not self.is_answered or (not self.is_forgotten and self.letter in {Letter.LOOKING, Letter.DUE})

    def is_overdue(self, now_ms: int) -> bool:
        """Whether it should have been answered by now."""
        return not self.is_answered and self.due_ms <= now_ms


async def seal_review(review: Review, keyring: Keyring) -> Row:
    """The row of a review. Raises KeyUnknown, KeyDestroyed when ``about`` is to be sealed and there is no key."""
    about = review.kept
    if review.about is not None:
        keys = await keyring.scope(review.scope)
        about = keys.cipher.seal(orjson.dumps(asdict(review.about)), _about_place(review.id, review.scope))
    content = {
        "kind": review.kind,
        "clinician": review.clinician.hex(),
        "concerned": review.concerned,
        "grant": review.grant,
        "opened_ms": review.opened_ms,
        "until_ms": review.until_ms,
        "letter": review.letter,
        "verdict": review.verdict,
        "answered_by": review.answered_by.hex(),
        "answered_ms": review.answered_ms,
        "letter_by": review.letter_by,
        "letter_ms": review.letter_ms,
    }
    open_ = (
        review.id,
        review.reviewer,
        review.scope,
        review.due_ms,
        review.closed_ms,
        review.look_ms,
        review.revision,
    )
    return (*open_, keyring.rows.seal(orjson.dumps(content), associated_data(TABLE, *open_)), about)


async def open_review(row: Row, keyring: Keyring) -> Review:
    """The review in a row. Raises Tampered; KeyMissing when a key is lost that was not destroyed."""
    id_, reviewer, scope, due_ms, closed_ms, look_ms, revision, sealed, kept = row
    content: dict[str, Any] = orjson.loads(keyring.rows.open(sealed, associated_data(TABLE, *row[:7])))
    return Review(
        id=id_,
        kind=Emergency(content["kind"]),
        clinician=bytes.fromhex(content["clinician"]),
        concerned=content["concerned"],
        reviewer=reviewer,
        scope=scope,
        grant=content["grant"],
        opened_ms=content["opened_ms"],
        until_ms=content["until_ms"],
        due_ms=due_ms,
        look_ms=look_ms,
        letter=Letter(content["letter"]),
        about=await _open_about(kept, id_, scope, keyring),
        verdict=Verdict(content["verdict"]),
        closed_ms=closed_ms,
        answered_by=bytes.fromhex(content["answered_by"]),
        answered_ms=content["answered_ms"],
        letter_by=content["letter_by"],
        letter_ms=content["letter_ms"],
        revision=revision,
        kept=kept,
    )


async def _open_about(kept: bytes, id_: bytes, scope: int, keyring: Keyring) -> About | None:
    try:
        keys = await keyring.scope(scope)
    except KeyDestroyed:
        return None
    except KeyUnknown:
        raise KeyMissing("The key of the patient whom a review is about is missing.") from None
    content: dict[str, Any] = orjson.loads(keys.cipher.open(kept, _about_place(id_, scope)))
    touched = content["touched"]
    return About(
        patient=content["patient"],
        reason=content["reason"],
        types=tuple(content["types"]),
        touched=None if touched is None else tuple((type_, count) for type_, count in touched),
        found=content["found"],
        text=content["text"],
        entry=content.get("entry", ""),
        asker=content.get("asker", ""),
    )


def pinned(row: Row) -> bytes:
    """What the pin is of: the whole row, so that of the forgotten it still speaks for every column."""
    return associated_data(TABLE, *row)


def pin_of(row: Row) -> Pin:
    """The pin of a row."""
    return Pin(TABLE, row[0].hex(), hashlib.sha256(pinned(row)).digest())


def _about_place(id_: bytes, scope: int) -> bytes:
    return associated_data(TABLE, "about", id_, scope)
