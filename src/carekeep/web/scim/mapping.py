"""An account as the directory sees it, and what it says of one."""

from datetime import UTC, datetime

from scim2_models import InvalidValueException, Meta

from carekeep.identity import Account, Kind
from carekeep.identity.provisioning import PEOPLE, Provided
from carekeep.web.scim.models import InRecords, Person


def version_of(account: Account) -> str:
    """The version of an account as an entity tag; weak, since changes count that a directory does not see."""
    return f'W/"{account.revision}"'


def person_of(account: Account, base_url: str) -> Person:
    """The resource of an account."""
    id_ = account.id.hex()
    person = Person(
        id=id_,
        external_id=account.external_id,
        user_name=account.login,
        display_name=account.name,
        user_type=account.kind.value,
        active=not account.disabled,
        meta=Meta(
            resource_type="User",
            created=datetime.fromtimestamp(account.created_ms / 1000, UTC),
            location=f"{base_url}/Users/{id_}",
            version=version_of(account),
        ),
    )
    if account.fhir_user is not None:
        person[InRecords] = InRecords(fhir_user=account.fhir_user)
    return person


def provided(person: Person) -> Provided:
    """What a resource says of somebody. Raises InvalidValueException."""
    kind = next((kind for kind in PEOPLE if kind.value == person.user_type), None)
    if kind is None:
        raise InvalidValueException(detail=f"userType must be one of {', '.join(PEOPLE)}.")
    extension = person[InRecords]
    return Provided(
        kind=Kind(kind),
        login=person.user_name or "",
        name=person.display_name or "",
        active=bool(person.active),
        external_id=person.external_id or None,
        fhir_user=(extension.fhir_user if extension is not None else None) or None,
    )


def keep_unsaid(person: Person, before: Person) -> None:
    """A replacement that does not speak of an optional attribute leaves it as it was; null takes it away.

    RFC 7644 section 3.5.1 lets us choose. Whoever was bound to a record by an administrator stays so when the
    directory knows nothing of records.
    """
    if "external_id" not in person.model_fields_set:
        person.external_id = before.external_id
    extension = person[InRecords]
    if extension is None or "fhir_user" not in extension.model_fields_set:
        person[InRecords] = before[InRecords]
