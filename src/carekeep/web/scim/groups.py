"""``/Groups``: one for each kind of account, with everybody of that kind. They can be read only."""

from scim2_models import Meta, Reference, ResponseParameters, TooManyException

from carekeep.identity.provisioning import PEOPLE
from carekeep.web.http import Response
from carekeep.web.problems import problem
from carekeep.web.scim.answers import told
from carekeep.web.scim.asking import Asked
from carekeep.web.scim.models import Group, Member

_MOST_MEMBERS = 10_000


async def groups(asked: Asked, *, with_members: bool) -> list[Group]:
    """Every group. Raises TooManyException when there are more members than one answer should hold."""
    members: dict[str, list[Member]] = {kind.value: [] for kind in PEOPLE}
    if with_members:
        async for account in asked.provisioning.all():  # to its end, so that the database's cursor is closed
            id_, own = account.id.hex(), members[account.kind.value]
            if len(own) <= _MOST_MEMBERS:
                own.append(Member(value=id_, ref=Reference(f"{asked.base_url}/Users/{id_}")))
    if any(len(own) > _MOST_MEMBERS for own in members.values()):
        raise TooManyException(detail="A group is too large. Ask for /Users by a filter of userType.")
    return [_group(kind, asked.base_url, found if with_members else None) for kind, found in members.items()]


async def show(asked: Asked, id_: str) -> Response:
    """One group."""
    selected = asked.selected(ResponseParameters[Group])
    with_members = any("members" in str(path).lower() for path in selected.attributes or ())
    group = next((each for each in await groups(asked, with_members=with_members) if each.id == id_), None)
    if group is None:
        raise problem(404, "not-found", "There is no such resource.")
    return await asked.show(told(group, selected), f"group {id_} was shown to the directory")


def _group(kind: str, base_url: str, members: list[Member] | None) -> Group:
    where = Meta(resource_type="Group", location=f"{base_url}/Groups/{kind}")
    return Group(id=kind, display_name=kind, members=members, meta=where)
