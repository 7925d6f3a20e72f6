"""A directory that provisions the clinic's people: it has an app account with the grant, and speaks SCIM."""

import json
from dataclasses import dataclass, field
from typing import Any

from carekeep.access import ADMINISTRATORS_GRANT, PROVISIONING_GRANT
from carekeep.identity import Kind
from tests.web.clinic import Answer, Clinic, Json

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
OURS = "urn:carekeep:params:scim:schemas:1.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SCIM_JSON = "application/scim+json"


@dataclass(frozen=True, slots=True)
class Directory:
    """What the tests do by SCIM. ``who`` is the login of the app."""

    clinic: Clinic
    who: str = "directory"
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": SCIM_JSON, "accept": SCIM_JSON})

    async def ask(self, method: str, path: str, body: Json | bytes | None = None, **headers: str) -> Answer:
        """A request below ``/scim/v2``; ``if_match="…"`` is the header If-Match."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.clinic.ask(method, f"/scim/v2{path}", body, who=self.who, headers={**self.headers, **given})
        if answer.status not in {204, 304}:
            assert answer.headers["content-type"] == SCIM_JSON
        return answer

    async def create(self, user_name: str = "amelie", **more: Any) -> Answer:
        """A practitioner, unless ``more`` says otherwise."""
        return await self.ask("POST", "/Users", person(user_name, **more))

    async def patch(self, id_: str, *operations: Json) -> Answer:
        """Change some of an account."""
        return await self.ask("PATCH", f"/Users/{id_}", {"schemas": [PATCH], "Operations": list(operations)})

    def id_of(self, login: str) -> str:
        """The id of one of the clinic's people."""
        return self.clinic.accounts[login].id.hex()


def person(user_name: str, **more: Any) -> Json:
    """A practitioner as a directory describes one."""
    fhir_user = more.pop("fhir_user", f"Practitioner/{user_name}")
    facts = {
        "schemas": [CORE, OURS],
        "userName": user_name,
        "displayName": "Amélie Marked",
        "userType": "practitioner",
        "active": True,
        OURS: {"fhirUser": fhir_user} if fhir_user else {},
    }
    return {name: value for name, value in {**facts, **more}.items() if value is not None}


async def directory_of(clinic: Clinic, who: str = "directory", *grants: str) -> Directory:
    """Let a directory in; with the grant for administrators, if it is named."""
    prepared = await clinic.system.services.accounts.prepare_create(
        Kind.APP, name="The directory", login=who, grants=frozenset({PROVISIONING_GRANT, *grants})
    )
    await clinic.record("a directory was let in", prepared)
    clinic.accounts[who] = prepared.value
    clinic.tokens[who] = await clinic.issue_token(who)
    return Directory(clinic, who)


async def trusted_directory_of(clinic: Clinic) -> Directory:
    """A directory that keeps administrators as well."""
    return await directory_of(clinic, "trusted", ADMINISTRATORS_GRANT)


def resources(answer: Answer) -> list[Json]:
    """What a list holds."""
    assert answer.status == 200, answer.body
    found: list[Json] = json.loads(answer.body)["Resources"]
    return found


def refusal(answer: Answer) -> tuple[int, str | None]:
    """Status and scimType of an error, which has the shape of RFC 7644 section 3.12 and its ledger entry."""
    facts = answer.json
    assert facts["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert facts["status"] == str(answer.status)
    assert facts["detail"]
    assert answer.entry is not None
    assert answer.entry.outcome in {"denied", "failed"}
    return answer.status, facts.get("scimType")
