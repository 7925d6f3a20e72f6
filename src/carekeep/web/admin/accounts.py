"""``/admin/accounts``: made with an invitation, disabled, enabled, and left for good."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from carekeep.access import SYSTEM_GRANT
from carekeep.identity import Account, Kind
from carekeep.identity.invitations import invitation_link
from carekeep.identity.leaving import joined
from carekeep.identity.supervising import prepare_supervisor
from carekeep.web.admin.asking import Asked, Done, first
from carekeep.web.http import Response
from carekeep.web.problems import problem


async def list_accounts(asked: Asked) -> Response:
    """All accounts, at most 1,000; or the one with the login in the query."""
    login = dict(asked.passage.request.pairs()).get("login")
    if login is not None:
        account = await asked.services.accounts.find(login[:200])
        found = [] if account is None else [account]
    else:
        found = await first(asked.services.accounts.all())
    return await asked.show({"accounts": [facts(each) for each in found]}, f"{len(found)} accounts were listed")


async def get_account(asked: Asked, id_: bytes) -> Response:
    """One account."""
    account = await asked.account(id_)
    return await asked.show(facts(account), f"account {id_.hex()} was shown")


async def create_account(asked: Asked) -> Response:
    """A new account. A person gets an invitation, whose link is in this answer and nowhere else."""
    given = asked.given
    kind = _kind(given.text("kind", 20))
    grants = given.members.get("grants", [])
    if not isinstance(grants, list) or not all(isinstance(grant, str) for grant in grants):
        raise problem(400, "value", "grants must be a list of words.")
    if SYSTEM_GRANT in grants:  # else who sees no record could make themself an app that sees them all
        raise problem(422, "business-rule", "A system of the organization is made at the machine: carekeep user add.")

    async def work() -> Done:
        made = await asked.services.accounts.prepare_create(
            kind,
            name=given.text("name", 200),
            login=given.text("login", 200),
            fhir_user=given.text("fhir_user", 200, "") or None,
            grants=frozenset(grants),
        )
        account, reason = made.value, f"account {made.value.id.hex()} was added"
        if kind is Kind.APP:
            return Done(made, {"account": facts(account)}, reason, 201)
        issued = await asked.services.invitations.prepare_create(account, asked.by)
        link = invitation_link(asked.services.auth_url, issued.value).reveal_text()
        answer = {"account": facts(account), "invitation": link, "expires_ms": issued.value.invitation.expires_ms}
        return Done(joined(None, made, issued), answer, f"{reason} and invited", 201)

    return await asked.change(work)


async def invite(asked: Asked, id_: bytes) -> Response:
    """A new invitation for somebody who has no way to sign in yet."""

    async def work() -> Done:
        account = await asked.account(id_)
        issued = await asked.services.invitations.prepare_create(account, asked.by)
        link = invitation_link(asked.services.auth_url, issued.value).reveal_text()
        answer = {"invitation": link, "expires_ms": issued.value.invitation.expires_ms}
        return Done(issued, answer, f"account {id_.hex()} was invited", 201)

    return await asked.change(work)


async def disable(asked: Asked, id_: bytes) -> Response:
    """Disabled, and everything that was signed in ends."""

    async def work() -> Done:
        changed = await asked.services.leaving.prepare_disable(await _other(asked, id_))
        return Done(changed, facts(changed.value), f"account {id_.hex()} was disabled and signed out everywhere")

    return await asked.change(work)


async def leave(asked: Asked, id_: bytes) -> Response:
    """Gone for good: disabled, signed out, devices retired."""

    async def work() -> Done:
        changed = await asked.services.leaving.prepare_leaving(await _other(asked, id_))
        return Done(changed, facts(changed.value), f"account {id_.hex()} left: disabled, its devices retired")

    return await asked.change(work)


async def enable(asked: Asked, id_: bytes) -> Response:
    """Enabled again; the person signs in anew."""

    async def work() -> Done:
        changed = asked.services.accounts.prepare_change(replace(await asked.account(id_), disabled=False))
        return Done(changed, facts(changed.value), f"account {id_.hex()} was enabled")

    return await asked.change(work)


async def supervise(asked: Asked, id_: bytes) -> Response:
    """Who answers for a clinician; ``supervisor`` null: all auditors are asked."""
    named = None if asked.given.members.get("supervisor") is None else asked.given.id("supervisor")

    async def work() -> Done:
        account = await asked.account(id_)
        supervisor = None if named is None else await asked.account(named)
        changed = prepare_supervisor(asked.services.accounts, account, supervisor)
        told = f"account {id_.hex()} is supervised by {supervisor.id.hex() if supervisor else 'nobody'}"
        return Done(changed, facts(changed.value), told)

    return await asked.change(work)


def facts(account: Account) -> Mapping[str, Any]:
    """What administrators are told of an account."""
    return {
        "id": account.id.hex(),
        "kind": account.kind,
        "name": account.name,
        "login": account.login,
        "fhir_user": account.fhir_user,
        "grants": sorted(account.grants),
        "disabled": account.disabled,
        "supervisor": account.supervisor.hex() if account.supervisor else None,
        "created_ms": account.created_ms,
    }


async def _other(asked: Asked, id_: bytes) -> Account:
    """Somebody else's account: who locks out themself may leave nobody who could let them in again."""
    if id_.hex() == asked.by:
        raise problem(422, "business-rule", "Another administrator must do this to your own account.")
    return await asked.account(id_)


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise problem(400, "value", f"kind must be one of {', '.join(Kind)}.") from None
