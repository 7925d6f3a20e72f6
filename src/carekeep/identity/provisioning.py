"""What the organization's own directory does with the accounts of people: it makes, changes and ends them.

It never sees the accounts of apps, nor of those who have left. What a person is in the records belongs to one account:
two that are one and the same ``Practitioner/…`` could act in each other's name.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from carekeep.identity.account import Account, Kind
from carekeep.identity.accounts import Accounts
from carekeep.identity.errors import AccountInvalid, IdentityError
from carekeep.identity.leaving import Leaving, joined
from carekeep.storage import Change, Database, Insert, Prepared

PEOPLE = (Kind.PRACTITIONER, Kind.PATIENT, Kind.AUDITOR, Kind.ADMINISTRATOR)
"""The kinds of account that a directory keeps."""

_TOPIC = "provisioning"
_COUNTER = "SELECT n FROM generation WHERE topic = $1"
_COUNT = "UPDATE generation SET n = n + 1 WHERE topic = $1 AND n = $2"


class Taken(IdentityError):
    """Another account has this already. ``field`` says what: "login", "external_id" or "fhir_user"."""

    def __init__(self, field: str) -> None:
        super().__init__(f"Another account has this {field.replace('_', ' ')}.")
        self.field = field


@dataclass(frozen=True, slots=True)
class Provided:
    """What the directory says of a person. See ``Account``."""

    kind: Kind
    login: str = field(repr=False)
    name: str = field(repr=False)
    active: bool
    external_id: str | None = field(default=None, repr=False)
    fhir_user: str | None = field(default=None, repr=False)


class Provisioning:
    """Prepares what a directory asks for. A conflict at commit means that something changed meanwhile: prepare anew."""

    def __init__(self, database: Database, accounts: Accounts, leaving: Leaving) -> None:
        self._database = database
        self._accounts = accounts
        self._leaving = leaving

    async def get(self, id_: bytes) -> Account | None:
        """The account of a person, by its id. Raises Tampered."""
        return _seen(await self._accounts.get(id_))

    async def find(self, login: str) -> Account | None:
        """The account of a person, by its login. Raises Tampered."""
        return _seen(await self._accounts.find(login))

    async def all(self) -> AsyncIterator[Account]:
        """The accounts of people, in no particular order. Raises Tampered."""
        async for account in self._accounts.all():
            if _seen(account):
                yield account

    async def prepare_create(self, given: Provided) -> Prepared[Account]:
        """A new account, without any way to sign in: an administrator invites its owner.

        Raises AccountInvalid, Taken.
        """
        alone = await self._prepare_unshared(given, None)
        made = await self._accounts.prepare_create(
            _person(given.kind),
            name=given.name,
            login=given.login,
            fhir_user=given.fhir_user,
            external_id=given.external_id,
            disabled=not given.active,
        )
        return joined(made.value, made, alone)

    async def prepare_change(self, account: Account, given: Provided) -> Prepared[Account]:
        """An account as it shall be; when it is not active any more, everything of it ends. Its kind stays.

        Raises AccountInvalid, Taken.
        """
        if given.kind is not account.kind:
            raise AccountInvalid("What an account is for does not change: make a new account.", "kind")
        alone = await self._prepare_unshared(given, account)
        wanted = replace(
            account,
            login=given.login,
            name=given.name,
            fhir_user=given.fhir_user,
            external_id=given.external_id,
            disabled=not given.active,
        )
        if wanted == account:
            return Prepared(account, ())
        if wanted.disabled and not account.disabled:
            changed = await self._leaving.prepare_disable(wanted)
        else:
            changed = self._accounts.prepare_change(wanted)
        return joined(changed.value, changed, alone)

    async def prepare_leaving(self, account: Account) -> Prepared[Account]:
        """Somebody leaves for good: nobody sees the account any more but the ledger, and its login is free."""
        return await self._leaving.prepare_leaving(account)

    async def _prepare_unshared(self, given: Provided, account: Account | None) -> Prepared[None]:
        """Raises Taken when another account has what may be had once only.

        A login is kept apart by its row. The rest is sealed, so all accounts are looked at, and the step that is
        returned meets a conflict when another directory's change came between the look and the commit.
        """
        holder = await self._accounts.find(given.login)
        if holder is not None and (account is None or holder.id != account.id):
            raise Taken("login")
        external_id = given.external_id if account is None or given.external_id != account.external_id else None
        fhir_user = given.fhir_user if account is None or given.fhir_user != account.fhir_user else None
        if external_id is None and fhir_user is None:
            return Prepared(None, ())
        step = await self._step_alone()
        taken = ""
        async for other in self.all():  # to its end, so that the database's cursor is closed
            if account is not None and other.id == account.id:
                continue
            if external_id is not None and other.external_id == external_id:
                taken = "external_id"
            elif fhir_user is not None and other.fhir_user == fhir_user:
                taken = "fhir_user"
        if taken:
            raise Taken(taken)
        return Prepared(None, (step,))

    async def _step_alone(self) -> Insert | Change:
        row = await self._database.fetch_one(_COUNTER, (_TOPIC,))
        if row is None:
            return Insert("generation", ("topic", "n"), ((_TOPIC, 1),))
        return Change(_COUNT, ((_TOPIC, row[0]),), expect=1)


def _seen(account: Account | None) -> Account | None:
    return account if account is not None and account.kind in PEOPLE and not account.left else None


def _person(kind: Kind) -> Kind:
    if kind not in PEOPLE:
        raise AccountInvalid("A directory keeps the accounts of people only.", "kind")
    return kind
