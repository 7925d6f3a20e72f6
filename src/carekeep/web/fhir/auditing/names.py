"""Names of the people and programs in entries: from their records, their accounts, and the apps' registrations."""

from collections.abc import Iterable

from carekeep.access import Purpose
from carekeep.audit import Agent, Followed
from carekeep.audit.views import Directory
from carekeep.encryption import KeyDestroyed, Tampered
from carekeep.fhir.documents.words import human_name
from carekeep.records import Forgotten, NotFound
from carekeep.web.services import Services

_MOST = 1_000  # looked up for one answer
_ID_SIZE = 16
_NAMED_BY_RECORD = ("Practitioner/", "RelatedPerson/", "Person/")


async def directory_of(services: Services, entries: Iterable[Followed]) -> Directory:
    """The names of everybody who acted in the entries. Patients are not named: only the patient reads who they are."""
    agents = dict.fromkeys(_key(followed.entry.agent) for followed in entries)
    names: dict[str, str] = {}
    for who, account, app in list(agents)[:_MOST]:
        if who and who not in names and (name := await _of_record(services, who)):
            names[who] = name
        if account and not who and account not in names and (name := await _of_account(services, account)):
            names[account] = name
        if app and app not in names and (name := await _of_app(services, app)):
            names[app] = name
    return Directory(names, {purpose.value: purpose.sentence for purpose in Purpose})


def _key(agent: Agent) -> tuple[str | None, str, str | None]:
    return agent.who, agent.account, agent.app


async def _of_record(services: Services, reference: str) -> str:
    if not reference.startswith(_NAMED_BY_RECORD):
        return ""
    type_, _, id_ = reference.partition("/")
    try:
        stored = await services.vault.read(type_, id_)
    except (NotFound, Forgotten, KeyDestroyed, Tampered):
        return ""
    return "" if stored.deleted else human_name(stored.resource)


async def _of_account(services: Services, account: str) -> str:
    try:
        id_ = bytes.fromhex(account)
    except ValueError:  # an entry of another system
        return ""
    found = await services.accounts.get(id_) if len(id_) == _ID_SIZE else None
    return found.name if found else ""


async def _of_app(services: Services, client_id: str) -> str:
    found = await services.apps.clients.get(client_id)
    return found.name if found else ""
