"""Devices as rows: what is kept, when others hear of it, and what tampering shows."""

from dataclasses import replace

import pytest

from carekeep.encryption import Tampered
from carekeep.identity import Account, Binding, BindingKind
from carekeep.identity.device_rows import Device, DeviceRefused, DeviceState
from carekeep.identity.devices import Devices
from carekeep.identity.posture import Minimums, Posture
from carekeep.storage import Change, Conflict, Prepared
from tests.identity.people import Office

HOUR_MS = 3600 * 1000
KEY = Binding(BindingKind.DPOP, "k" * 43)
GOOD = Posture(disk_encrypted=True, screen_lock=True, os="debian", os_version="12.4")
BAD = replace(GOOD, disk_encrypted=False)


@pytest.fixture
def devices(office: Office) -> Devices:
    return new_devices(office)


def new_devices(office: Office) -> Devices:
    return Devices(office.database, office.keyring, Minimums(), office.clock)


async def commit(office: Office, prepared: Prepared[Device]) -> Device:
    await office.database.commit(prepared.steps)
    return prepared.value


async def enrol(office: Office, devices: Devices, key: Binding = KEY, account: Account | None = None) -> Device:
    owner = account or await office.practitioner()
    return await commit(office, await devices.prepare_enrol(owner.id, key, name="Laptop", platform="linux"))


async def generation(office: Office) -> int:
    row = await office.database.fetch_one("SELECT n FROM generation WHERE topic = 'accounts'")
    return int(row[0]) if row else 0


async def test_a_device_is_found_by_its_key_and_by_nothing_like_it(office: Office, devices: Devices) -> None:
    device = await enrol(office, devices)
    assert await devices.of_binding(KEY) == device
    assert await devices.of_binding(Binding(BindingKind.CERTIFICATE, KEY.thumbprint)) is None
    assert await devices.of_binding(Binding(BindingKind.DPOP, "K" * 43)) is None
    assert await devices.get(device.id) == device
    assert await devices.of_account(device.account) == (device,)
    assert "Laptop" not in repr(device)


async def test_a_key_is_enrolled_once(office: Office, devices: Devices) -> None:
    owner = await office.practitioner()
    twins = [await devices.prepare_enrol(owner.id, KEY, name="x", platform="linux") for _ in range(2)]
    lost = devices.prepare_state(await commit(office, twins[0]), DeviceState.LOST)
    with pytest.raises(Conflict):
        await commit(office, twins[1])
    await commit(office, lost)
    with pytest.raises(DeviceRefused):
        await devices.prepare_enrol(owner.id, KEY, name="x", platform="linux")


async def test_a_verdict_is_told_at_once_and_a_good_report_seldom(office: Office, devices: Devices) -> None:
    device = await enrol(office, devices)
    device = await commit(office, devices.prepare_report(device, GOOD))
    assert (device.failing, device.healthy_until_ms) == ((), office.now + 24 * HOUR_MS)
    told, until = await generation(office), device.healthy_until_ms
    assert devices.prepare_report(device, GOOD).steps == ()  # nothing new within a minute
    for _ in range(11):
        office.now += HOUR_MS
        device = await commit(office, devices.prepare_report(device, GOOD))
        assert (device.reported_ms, device.healthy_until_ms) == (office.now, until)
    assert await generation(office) == told
    office.now += HOUR_MS
    device = await commit(office, devices.prepare_report(device, GOOD))
    assert device.healthy_until_ms == office.now + 24 * HOUR_MS
    assert await generation(office) == told + 1
    device = await commit(office, devices.prepare_report(device, BAD))
    assert (device.failing, device.healthy_until_ms) == (("The disk is not encrypted.",), 0)
    assert await generation(office) == told + 2


async def test_standing_is_cached_until_others_are_told(office: Office, devices: Devices) -> None:
    device = await enrol(office, devices)
    elsewhere = new_devices(office)
    for process in (devices, elsewhere):
        standing = await process.standing(device.id.hex())
        assert standing is not None
        assert (standing.managed, standing.failing, standing.healthy_until_ms) == (False, False, 0)
    await commit(office, devices.prepare_state(device, DeviceState.LOST))
    assert await elsewhere.standing(device.id.hex()) is not None
    elsewhere.forget_cached()
    assert await elsewhere.standing(device.id.hex()) is None
    assert await elsewhere.of_binding(KEY) is None
    assert await devices.standing("00") is None
    assert await devices.standing("no id") is None


async def test_what_is_lost_or_retired_stays_so(office: Office, devices: Devices) -> None:
    device = await commit(office, devices.prepare_state(await enrol(office, devices), DeviceState.RETIRED))
    with pytest.raises(DeviceRefused):
        devices.prepare_report(device, GOOD)
    with pytest.raises(DeviceRefused):
        devices.prepare_manage(device, managed=True)
    with pytest.raises(DeviceRefused):
        devices.prepare_state(device, DeviceState.LOST)


async def test_of_two_changes_at_once_one_is_a_conflict(office: Office, devices: Devices) -> None:
    device = await enrol(office, devices)
    lost, report = devices.prepare_state(device, DeviceState.LOST), devices.prepare_report(device, GOOD)
    await commit(office, lost)
    with pytest.raises(Conflict):  # a report that was on its way does not bring a lost device back
        await commit(office, report)


@pytest.mark.parametrize(
    ("name", "platform", "thumbprint"),
    [
        ("", "linux", "k" * 43),
        ("x" * 101, "linux", "k" * 43),
        ("a\nb", "x", "k" * 43),
        ("a", "", "k" * 43),
        ("a", "x", "k"),
    ],
)
async def test_what_is_no_device(office: Office, devices: Devices, name: str, platform: str, thumbprint: str) -> None:
    owner = await office.practitioner()
    with pytest.raises(DeviceRefused):
        await devices.prepare_enrol(owner.id, Binding(BindingKind.DPOP, thumbprint), name=name, platform=platform)


async def test_rows_that_were_exchanged_do_not_open(office: Office, devices: Devices) -> None:
    owner = await office.practitioner()
    one = await enrol(office, devices, account=owner)
    two = await enrol(office, devices, Binding(BindingKind.DPOP, "m" * 43), owner)
    assert [finding async for finding in devices.verify()] == []
    sql = "UPDATE device SET sealed = (SELECT sealed FROM device WHERE id = $1) WHERE id = $2"
    await office.database.commit([Change(sql, [(one.id, two.id)], expect=1)])
    with pytest.raises(Tampered):
        await devices.get(two.id)
    assert [finding.where async for finding in devices.verify()] == [f"device/{two.id.hex()}"]
