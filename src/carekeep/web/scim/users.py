"""``/Users``: one account made, shown, replaced, changed in part, or left for good."""

from collections.abc import Callable

from scim2_models import Context, PatchOp, PayloadTooLargeException, PreconditionFailedException, ResponseParameters

from carekeep.identity import Account
from carekeep.storage import Prepared
from carekeep.web.http import Response
from carekeep.web.scim.answers import told
from carekeep.web.scim.asking import Asked, Done
from carekeep.web.scim.mapping import keep_unsaid, person_of, provided, version_of
from carekeep.web.scim.models import POLICY, Person

_MOST_OPERATIONS = 100


async def create(asked: Asked) -> Response:
    """A new account. Nobody can sign in to it yet: an administrator sends the invitation."""
    selected = asked.selected(ResponseParameters[Person])
    said = Person.model_validate(await asked.body(), scim_ctx=Context.RESOURCE_CREATION_REQUEST, scim_policy=POLICY)
    given = provided(said)

    async def work() -> Done:
        await asked.demand_for(given.kind)
        made = await asked.provisioning.prepare_create(given)
        account = made.value
        person = person_of(account, asked.base_url)
        headers = {"etag": version_of(account), "location": asked.base_url + f"/Users/{person.id}"}
        answer = told(person, selected, status=201, headers=headers)
        return Done(made, answer, f"account {account.id.hex()} ({account.kind}) was made by the directory")

    return await asked.change(work)


async def show(asked: Asked, id_: str) -> Response:
    """One account, unless the directory has this version of it already (304)."""
    selected = asked.selected(ResponseParameters[Person])
    account = await asked.account(id_)
    version = version_of(account)
    reason = f"account {account.id.hex()} was shown to the directory"
    if _names(asked, b"if-none-match", account):
        return await asked.show(Response(304, headers=((b"etag", version.encode("ascii")),)), reason)
    return await asked.show(told(person_of(account, asked.base_url), selected, headers={"etag": version}), reason)


async def replace(asked: Asked, id_: str) -> Response:
    """An account as the directory says it shall be."""
    body = await asked.body()

    def changed(before: Person) -> Person:
        person = Person.model_validate(body, scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST, scim_policy=POLICY)
        keep_unsaid(person, before)
        with POLICY:
            person.replace(before)
        return person

    return await _change(asked, id_, changed)


async def patch(asked: Asked, id_: str) -> Response:
    """Some of an account."""
    body = await asked.body()
    operations = next((value for name, value in body.items() if name.lower() == "operations"), None)
    if isinstance(operations, list) and len(operations) > _MOST_OPERATIONS:
        raise PayloadTooLargeException(detail=f"Send at most {_MOST_OPERATIONS} operations at once.")
    asked_for = PatchOp[Person].model_validate(body, scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=POLICY)

    def changed(before: Person) -> Person:
        person = before.model_copy(deep=True)
        asked_for.patch(person, scim_policy=POLICY)
        return person

    return await _change(asked, id_, changed)


async def delete(asked: Asked, id_: str) -> Response:
    """Somebody leaves for good. The account stays for the ledger, and is not there any more for anybody else."""

    async def work() -> Done:
        account = await asked.account(id_)
        _check_version(asked, account)
        await asked.demand_for(account.kind)
        left = await asked.provisioning.prepare_leaving(account)
        return Done(left, Response(204), f"account {id_} left for good, by the directory")

    return await asked.change(work)


async def _change(asked: Asked, id_: str, changed: Callable[[Person], Person]) -> Response:
    selected = asked.selected(ResponseParameters[Person])

    async def work() -> Done:
        account = await asked.account(id_)
        _check_version(asked, account)
        await asked.demand_for(account.kind)
        given = provided(changed(person_of(account, asked.base_url)))
        prepared = await asked.provisioning.prepare_change(account, given)
        headers = {"etag": version_of(prepared.value)}
        answer = told(person_of(prepared.value, asked.base_url), selected, headers=headers)
        return Done(prepared, answer, f"account {id_} {_sentence(account, prepared)} by the directory")

    return await asked.change(work)


def _sentence(before: Account, prepared: Prepared[Account]) -> str:
    after = prepared.value
    if after.disabled and not before.disabled:
        return "was disabled and signed out everywhere"
    if before.disabled and not after.disabled:
        return "was enabled"
    return "was changed" if prepared.steps else "was left as it is"


def _check_version(asked: Asked, account: Account) -> None:
    """Raises PreconditionFailedException (412) when the directory goes by another version."""
    if b"if-match" in asked.request.headers and not _names(asked, b"if-match", account):
        raise PreconditionFailedException(detail="The account was changed meanwhile. Read it again.")


def _names(asked: Asked, header: bytes, account: Account) -> bool:
    """Whether a header names this version. Weak and strong tags are the same here (RFC 7644 section 3.14)."""
    named = {tag.strip().removeprefix("W/") for tag in (asked.request.header(header) or "").split(",")}
    return "*" in named or version_of(account).removeprefix("W/") in named
