"""``POST /devices/mdm``: what device management (MDM) knows of many devices at once.

    {"devices": [{"key": "…", "managed": true, "disk_encrypted": true, "os": "debian", "os_version": "12.4"}]}

A device is named by ``id``, by the thumbprint of its ``key``, or by the ``serial`` that an administrator gave it.
"""

from carekeep.access import Action, Target
from carekeep.identity import Binding, BindingKind
from carekeep.identity.device_rows import Device, DeviceState
from carekeep.identity.leaving import joined
from carekeep.identity.posture import Posture
from carekeep.storage import Prepared
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.plain_json import Given, read_object, retried, told

_MOST = 500
_LARGEST = 512 * 1024
_POSTURE = frozenset({"disk_encrypted", "screen_lock", "os", "os_version"})


async def report_of_management(passage: Passage) -> Response:
    """One report, in one commit. Devices that are not enrolled here are passed over, and told by their place."""
    await passage.authenticate(Action.DEVICE_REPORT)
    decision = await passage.demand(Action.DEVICE_REPORT, Target())
    reports = (await read_object(passage.request, _LARGEST)).objects("devices", _MOST)

    async def take() -> Response:
        serials = await _by_serial(passage, {each.text("serial", 128) for each in reports if "serial" in each.members})
        found: dict[bytes, Device] = {}
        unknown: list[int] = []
        changed: dict[bytes, Prepared[Device]] = {}
        for place, report in enumerate(reports):
            device = await _meant(passage, report, serials)
            if device is None or device.state is not DeviceState.ENROLLED:
                unknown.append(place)
                continue
            found[device.id] = device
            changed[device.id] = _prepared(passage, report, device)  # of two reports on one device the last counts
        every = joined(None, *changed.values())
        reason = f"{len(changed)} devices, {len(unknown)} unknown"
        await passage.record(Action.DEVICE_REPORT, "permitted", every, decision=decision, query=reason)
        if any(each.value.standing != found[id_].standing for id_, each in changed.items()):
            passage.services.generations.changed("accounts")
        return told({"reported": len(changed), "unknown": unknown})

    return await retried(take)


def _prepared(passage: Passage, report: Given, device: Device) -> Prepared[Device]:
    managed = report.flag("managed") if "managed" in report.members else device.managed
    if _POSTURE & report.members.keys():
        posture = Posture.read(report.members)
        return passage.services.devices.prepare_report(device, posture, managed=managed)
    return passage.services.devices.prepare_manage(device, managed=managed)


async def _meant(passage: Passage, report: Given, serials: dict[str, Device]) -> Device | None:
    """The device that a report is on; None where there is none, or more than one."""
    if "id" in report.members:
        return await passage.services.devices.get(report.id("id"))
    if "key" in report.members:
        thumbprint = report.text("key", 43)
        for kind in BindingKind:
            if (device := await passage.services.devices.of_binding(Binding(kind, thumbprint))) is not None:
                return device
        return None
    return serials.get(report.text("serial", 128))


async def _by_serial(passage: Passage, wanted: set[str]) -> dict[str, Device]:
    """Enrolled devices by their serial number. One that two devices have is none's."""
    found: dict[str, Device] = {}
    doubled: set[str] = set()
    if not wanted - {""}:
        return found
    async for device in passage.services.devices.all():
        if device.state is DeviceState.ENROLLED and device.serial and device.serial in wanted:
            if device.serial in found:
                doubled.add(device.serial)
            found[device.serial] = device
    return {serial: device for serial, device in found.items() if serial not in doubled}
