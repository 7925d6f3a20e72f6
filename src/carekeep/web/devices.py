"""``/devices``: machines get a key of their own here, and say how they are.

A device has no token of its own. It proves that it holds its key: by a DPoP proof (RFC 9449) made for this request, or
by the certificate of its connection. A device that fails a check can still report, or it could never be healthy again.
"""

from typing import Any

from carekeep.access import Action, Target
from carekeep.audit import Agent
from carekeep.identity.device_rows import Device, DeviceRefused
from carekeep.identity.invitations import InvitationKind
from carekeep.identity.posture import Posture
from carekeep.web.devices_mdm import report_of_management
from carekeep.web.devices_proven import Holder, prove_key
from carekeep.web.http import Receive, Response, Scope, Send
from carekeep.web.passage import Passage
from carekeep.web.plain_json import Given, id_of, read_object, retried, serve, told
from carekeep.web.problems import problem
from carekeep.web.services import Services

ENROLLED = "device.enrolled"
"""The kind of the notice that an account is given."""


class DeviceRoutes:
    """The ASGI application at ``/devices``.

    ``POST /devices`` enrols the key that one's own token is bound to, ``POST /devices/enrol`` any key by a code,
    ``POST /devices/{id}/report`` is for the device itself, ``POST /devices/mdm`` for device management.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response."""
        await serve(self._services, scope, receive, send, _route)


async def _route(passage: Passage) -> Response:
    match (passage.request.method, passage.request.segments[1:]):
        case ("POST", () | ("",)):
            return await _enrol_own(passage)
        case ("POST", ("enrol",)):
            return await _enrol_by_code(passage)
        case ("POST", ("mdm",)):
            return await report_of_management(passage)
        case ("POST", (id_, "report")):
            return await _report(passage, id_)
    raise problem(404, "not-found", "There is nothing at this URL.")


async def _enrol_own(passage: Passage) -> Response:
    """The key that the token is bound to becomes a device of whoever signed in."""
    principal = await passage.authenticate(Action.DEVICE_ENROL)
    decision = await passage.demand(Action.DEVICE_ENROL, Target())
    if principal.binding is None:
        raise DeviceRefused("The access token is bound to no key. Ask for one with a DPoP proof or a certificate.")
    given, key, owner = await read_object(passage.request), principal.binding, bytes.fromhex(principal.account_id)

    async def enrol() -> Response:
        services = passage.services
        name, platform = _named(given)
        device = await services.devices.prepare_enrol(owner, key, name=name, platform=platform)
        notice = await services.notices.prepare_add(owner, ENROLLED, {"device": name})
        await passage.record(Action.DEVICE_ENROL, "permitted", device, notice, decision=decision)
        return told(facts(device.value), 201)

    return await retried(enrol)


async def _enrol_by_code(passage: Passage) -> Response:
    """A key becomes a device of the account for which an administrator made the code."""
    holder = await prove_key(passage, Action.DEVICE_ENROL)
    given = await read_object(passage.request)
    name, platform = _named(given)
    services = passage.services

    async def enrol() -> Response:
        invitation = await services.invitations.find(given.text("code", 100), InvitationKind.DEVICE)
        account = None if invitation is None else await services.accounts.get(invitation.account)
        if invitation is None or account is None or account.disabled:
            await passage.record(Action.DEVICE_ENROL, "denied", reason="no such enrolment code, or it was used")
            raise problem(403, "forbidden", "The enrolment code is not good: used, too old, or never made.")
        device = await services.devices.prepare_enrol(account.id, holder.key, name=name, platform=platform)
        used = services.invitations.prepare_use(invitation)
        notice = await services.notices.prepare_add(account.id, ENROLLED, {"device": name})
        _speak_as(passage, device.value)
        reason = f"enrolled by a code of {invitation.by}"
        await holder.record(passage, Action.DEVICE_ENROL, device, used, notice, reason=reason)
        return _with_nonce(told(facts(device.value), 201), holder)

    return await retried(enrol)


async def _report(passage: Passage, text: str) -> Response:
    """A device says how it is, and hears what is not enough."""
    holder = await prove_key(passage, Action.DEVICE_REPORT)
    given = await read_object(passage.request)
    posture = Posture.read(given.members)

    async def report() -> Response:
        device = await passage.services.devices.of_binding(holder.key)
        if device is None or device.id != id_of(text):
            await passage.record(
                Action.DEVICE_REPORT, "denied", reason="the key is of no enrolled device, or another's"
            )
            raise problem(403, "forbidden", "The key is not that of this device, or the device is lost or retired.")
        _speak_as(passage, device)
        prepared = passage.services.devices.prepare_report(device, posture)
        verdict = "; ".join(prepared.value.failing) or "healthy"
        await holder.record(passage, Action.DEVICE_REPORT, prepared, reason=verdict)
        if prepared.value.standing != device.standing:
            passage.services.generations.changed("accounts")
        return _with_nonce(told(facts(prepared.value)), holder)

    return await retried(report)


def facts(device: Device) -> dict[str, Any]:
    """What the device itself, its owner and administrators are told of it."""
    return {
        "id": device.id.hex(),
        "account": device.account.hex(),
        "name": device.name,
        "platform": device.platform,
        "serial": device.serial,
        "key": {device.key.kind.value: device.key.thumbprint},
        "state": device.state,
        "managed": device.managed,
        "posture": device.posture.facts() if device.posture else None,
        "failing": device.failing,
        "enrolled_ms": device.enrolled_ms,
        "reported_ms": device.reported_ms,
        "healthy_until_ms": device.healthy_until_ms,
    }


def _named(given: Given) -> tuple[str, str]:
    return given.text("name", 200), given.text("platform", 200)


def _speak_as(passage: Passage, device: Device) -> None:
    account, id_ = device.account.hex(), device.id.hex()
    passage.agent = Agent(account=account, role="device", device=id_, address=passage.request.address)


def _with_nonce(response: Response, holder: Holder) -> Response:
    return Response(response.status, response.body, response.content_type, holder.headers)
