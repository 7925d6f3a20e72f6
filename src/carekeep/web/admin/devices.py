"""``/admin/devices``: codes by which they are enrolled, and their end."""

from carekeep.identity.device_rows import Device
from carekeep.identity.leaving import joined
from carekeep.web.admin.asking import Asked, Done, first
from carekeep.web.devices import facts
from carekeep.web.http import Response
from carekeep.web.problems import problem


async def list_devices(asked: Asked) -> Response:
    """All devices, at most 1,000."""
    found = await first(asked.services.devices.all())
    return await asked.show({"devices": [facts(each) for each in found]}, f"{len(found)} devices were listed")


async def make_code(asked: Asked) -> Response:
    """A code by which one device is enrolled for an account; it is in this answer and nowhere else."""

    async def work() -> Done:
        account = await asked.account(asked.given.id("account"))
        issued = await asked.services.invitations.prepare_device_code(account, asked.by)
        invitation = issued.value.invitation
        answer = {"code": issued.value.secret.reveal_text(), "expires_ms": invitation.expires_ms}
        return Done(issued, answer, f"a code for a device of account {account.id.hex()} was made", 201)

    return await asked.change(work)


async def lose(asked: Asked, id_: bytes) -> Response:
    """Lost: everything that its owner has signed in ends at once."""

    async def work() -> Done:
        device = await _device(asked, id_)
        lost = await asked.services.leaving.prepare_lost(device, await asked.account(device.account))
        notice = await asked.services.notices.prepare_add(device.account, "device.lost", {"device": device.name})
        return Done(joined(None, lost, notice), facts(lost.value), f"device {id_.hex()} was lost")

    return await asked.change(work)


async def retire(asked: Asked, id_: bytes) -> Response:
    """Out of use."""

    async def work() -> Done:
        device = await _device(asked, id_)
        retired = await asked.services.leaving.prepare_retired(device)
        notice = await asked.services.notices.prepare_add(device.account, "device.retired", {"device": device.name})
        return Done(joined(None, retired, notice), facts(retired.value), f"device {id_.hex()} was retired")

    return await asked.change(work)


async def manage(asked: Asked, id_: bytes) -> Response:
    """Whether the organization manages it, and by which serial number."""
    given = asked.given
    managed = given.flag("managed")
    serial = given.text("serial", 128) if "serial" in given.members else None

    async def work() -> Done:
        device = await _device(asked, id_)
        changed = asked.services.devices.prepare_manage(device, managed=managed, serial=serial)
        reason = f"device {id_.hex()} is {'' if managed else 'not '}managed"
        return Done(changed, facts(changed.value), reason)

    return await asked.change(work)


async def _device(asked: Asked, id_: bytes) -> Device:
    device = await asked.services.devices.get(id_)
    if device is None:
        raise problem(404, "not-found", "There is no device with this id.")
    return device
