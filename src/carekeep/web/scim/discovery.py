"""What can be done here, and with what: ``/ServiceProviderConfig``, ``/ResourceTypes``, ``/Schemas`` (RFC 7644, 4)."""

from collections.abc import Sequence
from typing import Any

from scim2_models import ForbiddenException, ListResponse, Meta, Resource, ResourceType, Schema

from carekeep.web.http import Response
from carekeep.web.problems import problem
from carekeep.web.scim.answers import told
from carekeep.web.scim.asking import Asked
from carekeep.web.scim.models import CONFIG, PROVIDER


async def show_config(asked: Asked) -> Response:
    """What is supported."""
    _check(asked)
    where = Meta(resource_type="ServiceProviderConfig", location=f"{asked.base_url}/ServiceProviderConfig")
    config = CONFIG.model_copy(update={"meta": where})
    return await asked.show(told(config), "the configuration was shown to the directory")


async def show_resource_types(asked: Asked, id_: str | None) -> Response:
    """Users and groups."""
    return await _show(asked, "ResourceType", PROVIDER.resource_types, ListResponse[ResourceType], id_)


async def show_schemas(asked: Asked, id_: str | None) -> Response:
    """Every attribute that means something here."""
    return await _show(asked, "Schema", PROVIDER.schemas, ListResponse[Schema], id_)


async def _show(
    asked: Asked, name: str, every: Sequence[Resource[Any]], response: "type[ListResponse[Any]]", id_: str | None
) -> Response:
    _check(asked)
    located = [
        each.model_copy(update={"meta": Meta(resource_type=name, location=f"{asked.base_url}/{name}s/{each.id}")})
        for each in every
    ]
    reason = f"{name}s were shown to the directory"
    if id_ is None:
        answer = response(total_results=len(located), start_index=1, items_per_page=len(located), resources=located)
        return await asked.show(told(answer), reason)
    one = next((each for each in located if each.id == id_), None)
    if one is None:
        raise problem(404, "not-found", "There is no such resource.")
    return await asked.show(told(one), reason)


def _check(asked: Asked) -> None:
    """Raises ForbiddenException for a filter, so that nobody takes everything for what it matches."""
    if asked.parameters(("filter",)):
        raise ForbiddenException(detail="Here nothing is filtered.")
