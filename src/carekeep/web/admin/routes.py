"""Which change a method and a path mean."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from carekeep.access import Action
from carekeep.access.bundles import Role
from carekeep.web.admin import accounts, clients, devices, disposals, policies, recoveries
from carekeep.web.admin.asking import Asked, ask, named
from carekeep.web.http import Receive, Response, Scope, Send
from carekeep.web.passage import Passage
from carekeep.web.plain_json import serve
from carekeep.web.problems import problem
from carekeep.web.services import Services

_ON_ALL: Mapping[tuple[str, str], Callable[[Asked], Awaitable[Response]]] = MappingProxyType(
    {
        ("GET", "accounts"): accounts.list_accounts,
        ("POST", "accounts"): accounts.create_account,
        ("GET", "devices"): devices.list_devices,
        ("GET", "recoveries"): recoveries.list_recoveries,
        ("POST", "recoveries"): recoveries.open_recovery,
        ("GET", "clients"): clients.list_clients,
        ("GET", "holds"): disposals.list_holds,
        ("POST", "holds"): disposals.place_hold,
        ("GET", "disposals"): disposals.list_disposals,
        ("POST", "disposals"): disposals.propose,
    }
)
_ON_ONE: Mapping[tuple[str, str], Callable[[Asked, bytes], Awaitable[Response]]] = MappingProxyType(
    {
        ("accounts", "invite"): accounts.invite,
        ("accounts", "disable"): accounts.disable,
        ("accounts", "enable"): accounts.enable,
        ("accounts", "leave"): accounts.leave,
        ("accounts", "supervisor"): accounts.supervise,
        ("devices", "lost"): devices.lose,
        ("devices", "retire"): devices.retire,
        ("devices", "manage"): devices.manage,
        ("recoveries", "approve"): recoveries.approve,
        ("recoveries", "reject"): recoveries.reject,
        ("clients", "approve"): clients.approve,
        ("clients", "disable"): clients.disable,
        ("holds", "lift"): disposals.lift_hold,
        ("disposals", "approve"): disposals.approve,
        ("disposals", "reject"): disposals.reject,
    }
)
_ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "accounts": Action.ACCOUNT_MANAGE,
        "devices": Action.DEVICE_MANAGE,
        "recoveries": Action.ACCOUNT_RECOVER,
        "clients": Action.CLIENT_MANAGE,
        "holds": Action.DISPOSAL_MANAGE,
        "disposals": Action.DISPOSAL_MANAGE,
    }
)


class AdminRoutes:
    """The ASGI application at ``/admin``: ``GET`` and ``POST /admin/{what}``, ``POST /admin/{what}/{id}/{change}``."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response."""
        await serve(self._services, scope, receive, send, _route)


async def _route(passage: Passage) -> Response:
    method = passage.request.method
    match passage.request.segments[1:]:
        case (what,) if (on_all := _ON_ALL.get((method, what))) is not None:
            return await on_all(await ask(passage, _ACTIONS[what]))
        case ("devices", "codes") if method == "POST":
            return await devices.make_code(await ask(passage, Action.DEVICE_MANAGE))
        case ("disposals", id_) if method == "GET":
            return await disposals.show(await ask(passage, Action.DISPOSAL_MANAGE), named(id_))
        case ("policies",) if method == "GET":
            return await policies.list_policies(await ask(passage, Action.POLICY_READ))
        case ("policies",) if method == "POST":
            return await policies.load(passage, Role.IN_FORCE)
        case ("policies", "trial") if method == "POST":
            return await policies.load(passage, Role.ON_TRIAL)
        case ("accounts", id_) if method == "GET":
            return await accounts.get_account(await ask(passage, Action.ACCOUNT_MANAGE), named(id_))
        case (what, id_, change) if method == "POST" and (on_one := _ON_ONE.get((what, change))) is not None:
            return await on_one(await ask(passage, _ACTIONS[what]), named(id_))
    raise problem(404, "not-found", "There is nothing at this URL.")
