"""Questions about many: filters, pages and which attributes to answer with (RFC 7644, 3.4.2 and 3.4.3)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from scim2_models import Context, InvalidFilterException, ListResponse, ScimFilter, SearchRequest
from scim2_models.path import (
    CompareOperator,
    Comparison,
    FilterNode,
    FilterVisitor,
    LogicalExpr,
    Not,
    Present,
    ValuePath,
)

from carekeep.identity import Account
from carekeep.web.http import Response
from carekeep.web.plain_json import id_of
from carekeep.web.scim.answers import told
from carekeep.web.scim.asking import Asked
from carekeep.web.scim.groups import groups
from carekeep.web.scim.mapping import person_of
from carekeep.web.scim.models import LONGEST_PAGE, PAGE, POLICY, Group, Person

_LONGEST_FILTER = 1_000
_MOST_TESTS = 10
_LAST_INDEX = 2**31
_IN_ONE_GO = 200  # accounts that are looked at before others have their turn
_PARAMETERS = ("filter", "attributes", "excludedAttributes", "startIndex", "count")
_BY_LOWER_CASE = {name.lower(): name for name in _PARAMETERS} | {"schemas": "schemas"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where is looked: the models of the question and of the answer, and which resources are there."""

    request: type[SearchRequest[Any]]
    response: "type[ListResponse[Any]]"
    has_people: bool
    has_groups: bool


PLACES: Mapping[str, Place] = MappingProxyType(
    {
        "Users": Place(SearchRequest[Person], ListResponse[Person], has_people=True, has_groups=False),
        "Groups": Place(SearchRequest[Group], ListResponse[Group], has_people=False, has_groups=True),
        "": Place(SearchRequest[Person | Group], ListResponse[Person | Group], has_people=True, has_groups=True),
    }
)


async def search_by_query(asked: Asked, place: Place) -> Response:
    """``GET`` with parameters."""
    given = asked.parameters(_PARAMETERS)
    _check_length(given)
    return await _search(asked, place, place.request.model_validate(given, scim_policy=POLICY))


async def search_by_body(asked: Asked, place: Place) -> Response:
    """``POST …/.search``."""
    body = await asked.body()
    given = {known: value for name, value in body.items() if (known := _BY_LOWER_CASE.get(name.lower()))}
    _check_length(given)
    request = place.request.model_validate(given, scim_ctx=Context.SEARCH_REQUEST, scim_policy=POLICY)
    return await _search(asked, place, request)


async def _search(asked: Asked, place: Place, request: SearchRequest[Any]) -> Response:
    wanted: ScimFilter[Any] | None = request.filter
    if wanted is not None and _Tests().visit(wanted.ast) > _MOST_TESTS:
        raise InvalidFilterException(detail=f"A filter may have at most {_MOST_TESTS} comparisons.")
    found_groups: list[Group] = []
    if place.has_groups:
        every = await groups(asked, with_members=_names_members(request))
        found_groups = [group for group in every if wanted is None or wanted.match(group)]
    keys = await _people(asked, wanted) if place.has_people else []
    start = min(request.start_index or 1, _LAST_INDEX)
    count = PAGE if request.count is None else min(request.count, LONGEST_PAGE)
    page: list[Any] = found_groups[start - 1 : start - 1 + count]
    first = max(start - 1 - len(found_groups), 0)
    for _created, id_ in keys[first : first + count - len(page)]:
        account = await asked.provisioning.get(id_)
        if account is not None:
            page.append(person_of(account, asked.base_url))
    total = len(found_groups) + len(keys)
    answer = place.response(total_results=total, start_index=start, items_per_page=len(page), resources=page)
    reason = f"{len(page)} of {total} were shown to the directory"
    return await asked.show(told(answer, request), reason if wanted is None else f"{reason}; filter {wanted}")


async def _people(asked: Asked, wanted: ScimFilter[Any] | None) -> list[tuple[int, bytes]]:
    """When they were made, and the ids, of the accounts that match: the oldest first, so that pages stay in order."""
    found: list[tuple[int, bytes]] = []
    seen = 0
    async for account in _candidates(asked, wanted):
        seen += 1
        if seen % _IN_ONE_GO == 0:
            await asyncio.sleep(0)
        if wanted is None or wanted.match(person_of(account, asked.base_url)):
            found.append((account.created_ms, account.id))
    return sorted(found)


async def _candidates(asked: Asked, wanted: ScimFilter[Any] | None) -> AsyncIterator[Account]:
    """The accounts that can match: one, where the filter names it; else all."""
    match wanted.ast if wanted is not None else None:
        case Comparison(attr_path=path, op=CompareOperator.eq, value=str(value)) if path.sub_attr is None:
            name = path.attr.lower()
        case _:
            name, value = "", ""
    if name == "username":
        one = await asked.provisioning.find(value)
    elif name == "id":
        id_ = id_of(value)
        one = await asked.provisioning.get(id_) if id_ is not None else None
    else:
        async for account in asked.provisioning.all():
            yield account
        return
    if one is not None:
        yield one


def _check_length(given: Mapping[str, Any]) -> None:
    """Before it is parsed. Raises InvalidFilterException."""
    if len(str(given.get("filter") or "")) > _LONGEST_FILTER:
        raise InvalidFilterException(detail=f"A filter may have at most {_LONGEST_FILTER} characters.")


def _names_members(request: SearchRequest[Any]) -> bool:
    named = [str(path) for path in request.attributes or ()] + [str(request.filter or "")]
    return any("members" in each.lower() for each in named)


class _Tests(FilterVisitor[int]):
    """How many comparisons a filter makes."""

    def visit_comparison(self, node: Comparison) -> int:
        del node
        return 1

    def visit_present(self, node: Present) -> int:
        del node
        return 1

    def visit_not(self, node: Not) -> int:
        return self.visit(node.expr)

    def visit_logical_expr(self, node: LogicalExpr) -> int:
        return sum(self.visit(term) for term in node.terms)

    def visit_value_path(self, node: ValuePath) -> int:
        inner: FilterNode = node.val_filter
        return 1 + self.visit(inner)
