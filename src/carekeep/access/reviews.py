"""What an emergency leaves open: a question to whoever answers for the clinician, and a notice to the patient.

A question is put to the clinician's supervisor, or to all auditors when there is none who could be asked. It is made in
the same unit as the emergency itself, and stays until it was answered and the patient was told. Nobody answers for
their own emergency, however they signed in.
"""

import os
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from carekeep.access.break_glass import Grant
from carekeep.access.decision import Principal, Target
from carekeep.access.review_rows import (
    COLUMNS,
    FINAL,
    TABLE,
    About,
    Emergency,
    Letter,
    Review,
    Row,
    Verdict,
    open_review,
    pin_of,
    pinned,
    seal_review,
)
from carekeep.access.vocabulary import concerned_label, owner_label
from carekeep.encryption import KeyDestroyed, KeyMissing, Keyring, Tampered
from carekeep.identity import Account, Accounts, Kind
from carekeep.identity.supervising import SUPERVISORS
from carekeep.storage import Change, Clock, Database, Finding, Insert, Prepared, system_clock

HOUR_MS = 3_600_000
DEFAULT_HOURS = 72
LISTED = 200
_SHARED = 0  # the scope of what belongs to no patient
_ID = 16
_SHORTEST, _LONGEST = 10, 2000
_LONGEST_NAME = 200
_SETTLED_MS = 10_000  # entries of the last seconds may still wait for their place in the log

_ROWS = f"SELECT {', '.join(COLUMNS)} FROM review"  # noqa: S608 - constants
_BY_ID = f"{_ROWS} WHERE id = $1"
_NEWEST = f"{_ROWS} ORDER BY due_ms DESC, id LIMIT $1"
_OPEN = f"{_ROWS} WHERE closed_ms = 0 ORDER BY due_ms, id LIMIT $1"
_OF_PATIENT = f"{_ROWS} WHERE scope = $1 ORDER BY due_ms DESC, id LIMIT $2"
_PUT_TO = f"{_ROWS} WHERE reviewer = $1 ORDER BY due_ms DESC, id LIMIT $2"
_TO_LOOK = f"{_ROWS} WHERE look_ms > 0 AND look_ms <= $1 ORDER BY look_ms, id LIMIT $2"
_CHANGE = """
    UPDATE review SET closed_ms = $1, look_ms = $2, due_ms = $3, revision = $4, sealed = $5, about = $6
     WHERE id = $7 AND revision = $8
"""


@dataclass(frozen=True, slots=True)
class Question:
    """What a patient asks: about which entry (id, hex), in which words, and of whom.

    ``account``: the account whose access it was, empty for none; ``concerned``: the FHIR reference of its owner;
    ``types``: of the records that were touched; ``asker``: the account that asks (hex).
    """

    patient: str = field(repr=False)
    entry: str
    asker: str
    text: str = field(repr=False)
    account: bytes = b""
    concerned: str = field(default="", repr=False)
    types: tuple[str, ...] = ()


class ReviewRefused(ValueError):
    """A question cannot be answered like this. The message says what to do."""


class ReviewChanged(ReviewRefused):
    """Somebody changed it since it was read."""


class Reviews:
    """All questions of one installation. Changes are prepared; a conflict at commit means that it changed meanwhile.

    ``hours``: until when a question is to be answered, from when the emergency began.
    """

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        accounts: Accounts,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
        *,
        hours: int = DEFAULT_HOURS,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._accounts = accounts
        self._clock = clock
        self._random = random
        self._within_ms = hours * HOUR_MS

    async def prepare_for_access(self, principal: Principal, grant: Grant) -> Prepared[Review]:
        """The question about emergency access, and the notice that its patient is owed. Raises KeyDestroyed."""
        about = About(grant.patient, grant.reason, tuple(sorted(grant.types)))
        review = Review(
            id=self._random(_ID),
            kind=Emergency.ACCESS,
            clinician=bytes.fromhex(grant.account),
            concerned=principal.fhir_user or "",
            reviewer=await self._reviewer_of(principal),
            scope=self._keyring.scope_of(grant.patient),
            grant=grant.id,
            opened_ms=grant.opened_ms,
            until_ms=grant.expires_ms,
            due_ms=grant.opened_ms + self._within_ms,
            look_ms=grant.opened_ms,
            letter=Letter.LOOKING,
            about=about,
        )
        return await self._insert(review)

    async def prepare_for_search(self, principal: Principal, reason: str, found: Iterable[str]) -> Prepared[Review]:
        """The question about an emergency search; what was searched for is in its ledger entry.

        One patient (id) who was found has it sealed with their own key.
        """
        patients, now = tuple(found), self._clock()
        only = patients[0] if len(patients) == 1 else ""
        review = Review(
            id=self._random(_ID),
            kind=Emergency.SEARCH,
            clinician=bytes.fromhex(principal.account_id),
            concerned=principal.fhir_user or "",
            reviewer=await self._reviewer_of(principal),
            scope=self._keyring.scope_of(only) if only else _SHARED,
            grant="",
            opened_ms=now,
            until_ms=now,
            due_ms=now + self._within_ms,
            look_ms=0,
            letter=Letter.NONE,
            about=About(only, reason, found=len(patients)),
        )
        return await self._insert(review)

    async def prepare_question(self, question: Question) -> Prepared[Review]:
        """What a patient asks about an access, put to the auditors. Raises ReviewRefused, KeyDestroyed.

        The same account asks about an entry once: a second time is a conflict at the commit.
        """
        now = self._clock()
        review = Review(
            id=self._keyring.index.digest("question", question.entry, question.asker),
            kind=Emergency.QUESTION,
            clinician=question.account,
            concerned=question.concerned,
            reviewer=b"",
            scope=self._keyring.scope_of(question.patient),
            grant="",
            opened_ms=now,
            until_ms=now,
            due_ms=now + self._within_ms,
            look_ms=0,
            letter=Letter.NONE,
            about=About(
                question.patient, _written(question.text), question.types, entry=question.entry, asker=question.asker
            ),
        )
        return await self._insert(review)

    async def of_patient(self, patient: str, kind: Emergency) -> tuple[Review, ...]:
        """The newest 200 of one kind about a patient (id). Raises Tampered."""
        found = await self._open_all(_OF_PATIENT, self._keyring.scope_of(patient), LISTED)
        return tuple(each for each in found if each.kind is kind)

    async def get(self, id_: bytes) -> Review | None:
        """The question with this id. Raises Tampered."""
        row = await self._database.fetch_one(_BY_ID, (id_,))
        return None if row is None else await open_review(_row(row), self._keyring)

    async def newest(self, *, put_to: bytes | None = None) -> tuple[Review, ...]:
        """The newest 200, of all or of those that are put to an account. Raises Tampered."""
        if put_to is None:
            return await self._open_all(_NEWEST, LISTED)
        return await self._open_all(_PUT_TO, put_to, LISTED)

    async def open_ones(self) -> tuple[Review, ...]:
        """Those that nobody has finished, at most 200, the most urgent first. Raises Tampered."""
        return tuple(each for each in await self._open_all(_OPEN, LISTED) if each.is_open)

    async def to_look_at(self, limit: int = 50) -> tuple[Review, ...]:
        """Those of which something is to be found out now. Raises Tampered."""
        return await self._open_all(_TO_LOOK, self._clock(), limit)

    async def prepare_answer(
        self, review: Review, by: Account, verdict: Verdict, text: str, revision: int
    ) -> Prepared[Review]:
        """An answer in writing. ``revision`` is that of the question as its reviewer saw it.

        Raises ReviewRefused: of one's own, not put to this account, answered before, without words; ReviewChanged.
        """
        self.require_reviewer(review, by)
        if review.about is None:
            raise ReviewRefused(
                "The patient was forgotten meanwhile, and what was opened with them. It counts as closed."
            )
        if review.verdict in FINAL:
            raise ReviewRefused(f"It was answered before: {review.verdict}.")
        _require_revision(review, revision)
        if verdict is Verdict.OPEN:
            raise ReviewRefused("Answer justified, not-justified or follow-up.")
        now = self._clock()
        changed = replace(
            review,
            verdict=verdict,
            answered_by=by.id,
            answered_ms=now,
            due_ms=now + self._within_ms if verdict is Verdict.FOLLOW_UP else review.due_ms,
            about=replace(review.about, text=_written(text)),
        )
        return await self._change(changed)

    async def prepare_letter_sent(self, review: Review, by: str, revision: int) -> Prepared[Review]:
        """The letter to the patient was sent. ``by``: who sent it, an account's id or a name. Raises ReviewRefused."""
        if review.letter is not Letter.DUE or review.is_forgotten:
            raise ReviewRefused("No letter is due.")
        _require_revision(review, revision)
        name = by[:_LONGEST_NAME]
        return await self._change(replace(review, letter=Letter.SENT, letter_by=name, letter_ms=self._clock()))

    async def prepare_told(self, review: Review, *, has_account: bool) -> Prepared[Review]:
        """The patient's account has its notice by the same unit, or a letter is due. Again it is looked at the end."""
        letter = Letter.TOLD if has_account else Letter.DUE
        told = self._clock() if has_account else 0
        return await self._change(replace(review, letter=letter, letter_ms=told, look_ms=review.until_ms + _SETTLED_MS))

    async def prepare_touched(self, review: Review, touched: Iterable[tuple[str, int]]) -> Prepared[Review]:
        """How many records of each type were touched, now that the emergency is over."""
        about = None if review.about is None else replace(review.about, touched=tuple(touched))
        return await self._change(replace(review, about=about, look_ms=0))

    def require_reviewer(self, review: Review, by: Account) -> None:
        """Raises ReviewRefused for everybody who may not answer; the policies say the same of the account alone."""
        if by.id == review.clinician or (by.fhir_user is not None and by.fhir_user == review.concerned):
            raise ReviewRefused("Nobody reviews their own emergency access.")
        if by.disabled or (by.kind is not Kind.AUDITOR and by.id != review.reviewer):
            raise ReviewRefused("This question is not put to you.")

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and what the pin is of."""
        async for batch in self._database.stream(_ROWS):
            for row in batch:
                yield row[0].hex(), pinned(_row(row))

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that are not as they were written. Of the forgotten one part stays shut; the pins speak for it."""
        async for batch in self._database.stream(_ROWS):
            for row in batch:
                where = f"{TABLE}/{row[0].hex()}"
                try:
                    await open_review(_row(row), self._keyring)
                except (Tampered, KeyMissing) as error:
                    yield Finding(where, str(error))

    async def _reviewer_of(self, principal: Principal) -> bytes:
        """The supervisor, if one can be asked; nothing: all auditors. Never keeps an emergency from being opened."""
        try:
            account = await self._accounts.get(bytes.fromhex(principal.account_id))
            supervisor = await self._accounts.get(account.supervisor) if account and account.supervisor else None
        except Tampered:
            return b""
        if supervisor is None or account is None or supervisor.disabled or supervisor.kind not in SUPERVISORS:
            return b""
        return b"" if supervisor.fhir_user and supervisor.fhir_user == account.fhir_user else supervisor.id

    async def _insert(self, review: Review) -> Prepared[Review]:
        row = await seal_review(review, self._keyring)
        return Prepared(review, (Insert(TABLE, COLUMNS, [row]),), (pin_of(row),))

    async def _change(self, changed: Review) -> Prepared[Review]:
        closed = changed.closed_ms or (0 if changed.is_open else self._clock())
        review = replace(changed, closed_ms=closed, revision=changed.revision + 1)
        try:
            row = await seal_review(review, self._keyring)
        except KeyDestroyed:
            raise ReviewChanged("The patient was forgotten at this moment.") from None
        values = (closed, review.look_ms, review.due_ms, review.revision, row[7], row[8], review.id, changed.revision)
        return Prepared(review, (Change(_CHANGE, [values], expect=1),), (pin_of(row),))

    async def _open_all(self, sql: str, *values: int | bytes) -> tuple[Review, ...]:
        rows = await self._database.fetch(sql, values)
        return tuple([await open_review(_row(row), self._keyring) for row in rows])


def target_of_review(review: Review) -> Target:
    """What policies see of a question: whom it is put to (owner), and whom it is about (self)."""
    labels = [concerned_label(review.clinician.hex()), concerned_label(review.concerned)]
    if review.reviewer:
        labels.append(owner_label(review.reviewer.hex()))
    return Target(labels=tuple(labels))


def _require_revision(review: Review, revision: int) -> None:
    if revision != review.revision:
        raise ReviewChanged("It changed since you read it. Read it again, then answer.")


def _written(text: str) -> str:
    kept = text.strip()
    if not _SHORTEST <= len(kept) <= _LONGEST:
        raise ReviewRefused(f"Write {_SHORTEST} to {_LONGEST} characters.")
    if not kept.replace("\n", " ").replace("\t", " ").replace("\r", " ").isprintable():
        raise ReviewRefused("The text holds characters that cannot be shown. Write it as plain text.")
    return kept


def _row(row: tuple[Any, ...]) -> Row:
    id_, reviewer, scope, due_ms, closed_ms, look_ms, revision, sealed, about = row
    return id_, reviewer, scope, due_ms, closed_ms, look_ms, revision, sealed, about
