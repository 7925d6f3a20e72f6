"""Administrators who signed in with a second factor just now, for tests of what they do."""

from collections.abc import Mapping
from typing import Any

from carekeep.identity import Account, Kind
from tests.web.clinic import Answer, Clinic, Json


async def new_account(clinic: Clinic, login: str, kind: Kind, fhir_user: str | None = None, **more: Any) -> Account:
    services = clinic.system.services
    made = await services.accounts.prepare_create(kind, name=f"The {login}", login=login, fhir_user=fhir_user, **more)
    await clinic.record("an account was made", made)
    clinic.accounts[login] = made.value
    return made.value


async def sign_in(clinic: Clinic, login: str, assurance: int = 2, **facts: Any) -> str:
    """A new token of an account, which is from now on the one by which it asks."""
    services = clinic.system.services
    account = await services.accounts.get(clinic.accounts[login].id)
    assert account is not None
    issued = services.tokens.prepare_issue(account, assurance, **facts)
    await clinic.record("a token was issued", issued)
    clinic.tokens[login] = issued.value.secret.reveal_text()
    return clinic.tokens[login]


async def two_administrators(clinic: Clinic) -> None:
    """``administrator`` and ``deputy``, signed in."""
    await new_account(clinic, "deputy", Kind.ADMINISTRATOR)
    for login in ("administrator", "deputy"):
        await sign_in(clinic, login)


async def ask(
    clinic: Clinic,
    method: str,
    path: str,
    body: Json | None = None,
    *,
    who: str | None = "administrator",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """A request in plain JSON."""
    return await clinic.ask(
        method, path, body, who=who, headers={"content-type": "application/json", **(headers or {})}
    )
