"""Devices: enrolled with a key of their own, heard of by reports, and let go of when they are lost."""

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from carekeep.encryption import Keyring, Tampered
from carekeep.identity.account import ID_LENGTH
from carekeep.identity.accounts import TOPIC
from carekeep.identity.device_rows import (
    TABLE,
    Device,
    DeviceRefused,
    DeviceState,
    key_tag,
    open_device,
    pin_of,
    seal_device,
)
from carekeep.identity.posture import Minimums, Posture, judge
from carekeep.identity.principal import Binding, DeviceStanding
from carekeep.storage import Change, Clock, Database, Finding, Insert, Prepared, Row, Step, bump, system_clock

MOST_OF_ONE_ACCOUNT = 1_000
_SEEN_MS = 60_000  # a report that says nothing new is kept once a minute
_REMEMBERED = 10_000

_ROWS = "SELECT id, key_tag, account, revision, sealed FROM device"
_BY_ID = f"{_ROWS} WHERE id = $1"
_BY_KEY = f"{_ROWS} WHERE key_tag = $1"
_OF_ACCOUNT = f"{_ROWS} WHERE account = $1 LIMIT $2"
_CHANGE = "UPDATE device SET revision = $1, sealed = $2 WHERE id = $3 AND revision = $4"


class Devices:
    """Every device, by id and by key.

    Changes are prepared; a conflict at commit means that the key is enrolled already, or that the device was changed
    meanwhile. ``standing`` is cached until ``forget_cached`` (generation "accounts").
    """

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        minimums: Minimums,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._minimums = minimums
        self._clock = clock
        self._random = random
        self._standings: dict[str, DeviceStanding | None] = {}
        self._generation = 0

    async def of_binding(self, binding: Binding) -> Device | None:
        """The enrolled device whose key a token is bound to; None where there is none. Raises Tampered.

        Who issues a token asks this, and gives the device's id (hex) to ``Tokens.prepare_issue(device=…)``.
        """
        row = await self._database.fetch_one(_BY_KEY, (key_tag(self._keyring, binding),))
        device = None if row is None else self._open(row)
        return device if device is not None and device.state is DeviceState.ENROLLED else None

    async def standing(self, id_: str) -> DeviceStanding | None:
        """What decisions see of the device with this id (hex); None for one that is not enrolled. Raises Tampered."""
        if id_ in self._standings:
            return self._standings[id_]
        generation = self._generation
        device = await self.get(_id(id_))
        found = device.standing if device is not None and device.state is DeviceState.ENROLLED else None
        if generation == self._generation:
            if len(self._standings) >= _REMEMBERED:
                del self._standings[next(iter(self._standings))]
            self._standings[id_] = found
        return found

    async def get(self, id_: bytes) -> Device | None:
        """The device with this id, in whatever state. Raises Tampered."""
        row = await self._database.fetch_one(_BY_ID, (id_,))
        return None if row is None else self._open(row)

    async def of_account(self, account_id: bytes) -> tuple[Device, ...]:
        """The devices of an account, in whatever state, newest first; at most 1,000. Raises Tampered."""
        rows = await self._database.fetch(_OF_ACCOUNT, (account_id, MOST_OF_ONE_ACCOUNT))
        return tuple(sorted(map(self._open, rows), key=lambda device: device.enrolled_ms, reverse=True))

    async def all(self) -> AsyncIterator[Device]:
        """Every device, in no particular order. Raises Tampered."""
        async for batch in self._database.stream(_ROWS):
            for row in batch:
                yield self._open(row)

    async def prepare_enrol(
        self, account_id: bytes, key: Binding, *, name: str, platform: str, serial: str = ""
    ) -> Prepared[Device]:
        """A new device of an account. The caller has seen it prove that it holds the key. Raises DeviceRefused.

        A key is enrolled once and for ever: that of a lost device cannot come back under another name.
        """
        if len(await self.of_account(account_id)) >= MOST_OF_ONE_ACCOUNT:
            raise DeviceRefused(f"An account has at most {MOST_OF_ONE_ACCOUNT} devices.")
        if await self._database.fetch_one(_BY_KEY, (key_tag(self._keyring, key),)):
            raise DeviceRefused("This key is, or was, that of a device. Make a new one.")
        id_, now = self._random(ID_LENGTH), self._clock()
        device = Device(id_, account_id, key, name=name, platform=platform, enrolled_ms=now, serial=serial)
        tag = key_tag(self._keyring, key)
        sealed = seal_device(device, tag, self._keyring.rows)
        row = (device.id, tag, account_id, device.revision, sealed)
        insert = Insert(TABLE, ("id", "key_tag", "account", "revision", "sealed"), (row,))
        return Prepared(device, (insert,), (pin_of(device.id, sealed),))

    def prepare_report(self, device: Device, posture: Posture, *, managed: bool | None = None) -> Prepared[Device]:
        """What a device, or MDM for it, reports. ``managed``: from MDM alone. Raises DeviceRefused.

        No steps when there is nothing new and the last report is less than a minute old. Other processes hear of it
        when the verdict changes, and when half of the time is gone for which they believe the last one: a good report
        holds for that time (``report_hours``), and at least for half of it.
        """
        _require_enrolled(device)
        now = self._clock()
        reasons = judge(posture, self._minimums).reasons
        until = self._until(device, now) if not reasons else 0
        changed = replace(
            device,
            posture=posture,
            reported_ms=now,
            failing=reasons,
            healthy_until_ms=until,
            managed=device.managed if managed is None else managed,
        )
        if changed.standing != device.standing:
            return self._prepare(changed, bump(TOPIC))
        if replace(changed, reported_ms=device.reported_ms) == device and now - device.reported_ms < _SEEN_MS:
            return Prepared(device, ())
        return self._prepare(changed)

    def prepare_manage(self, device: Device, *, managed: bool, serial: str | None = None) -> Prepared[Device]:
        """Whether the organization manages the device, and by which number, as an administrator or MDM says.

        Raises DeviceRefused.
        """
        _require_enrolled(device)
        kept = device.serial if serial is None else serial
        return self._prepare(replace(device, managed=managed, serial=kept), bump(TOPIC))

    def prepare_state(self, device: Device, state: DeviceState) -> Prepared[Device]:
        """Lost or retired. What was signed in on it is ended by ``Leaving``. Raises DeviceRefused."""
        _require_enrolled(device)
        if state is DeviceState.ENROLLED:
            raise DeviceRefused("A device is enrolled once.")
        return self._prepare(replace(device, state=state), bump(TOPIC))

    async def prepare_retire_all(self, account_id: bytes) -> Prepared[int]:
        """All devices of an account that leaves; the value says how many."""
        devices = [each for each in await self.of_account(account_id) if each.state is DeviceState.ENROLLED]
        retired = [self.prepare_state(device, DeviceState.RETIRED) for device in devices]
        steps = tuple(step for each in retired for step in each.steps)
        return Prepared(len(retired), steps, tuple(pin for each in retired for pin in each.pins))

    def forget_cached(self) -> None:
        """To be called when generation "accounts" changes."""
        self._generation += 1
        self._standings.clear()

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and its sealed content."""
        async for batch in self._database.stream("SELECT id, sealed FROM device"):
            for id_, sealed in batch:
                yield id_.hex(), sealed

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open, or that are filed under another key than their own."""
        async for batch in self._database.stream(_ROWS):
            for row in batch:
                where = f"{TABLE}/{row[0].hex()}"
                try:
                    device = self._open(row)
                except Tampered as error:
                    yield Finding(where, str(error))
                else:
                    if row[1] != key_tag(self._keyring, device.key):
                        yield Finding(where, "The row is filed under another key than its own.")

    def _until(self, device: Device, now: int) -> int:
        """Until when a good report holds. Moved only when half of it is gone, so that caches are seldom dropped."""
        holds = self._minimums.report_ms
        left = device.healthy_until_ms - now
        return device.healthy_until_ms if holds // 2 < left <= holds else now + holds

    def _prepare(self, changed: Device, *more: Step) -> Prepared[Device]:
        device = replace(changed, revision=changed.revision + 1)
        sealed = seal_device(device, key_tag(self._keyring, device.key), self._keyring.rows)
        row = (device.revision, sealed, device.id, changed.revision)
        return Prepared(device, (Change(_CHANGE, (row,), expect=1), *more), (pin_of(device.id, sealed),))

    def _open(self, row: Row) -> Device:
        id_, tag, account, revision, sealed = row
        return open_device((id_, tag, account, revision, sealed), self._keyring.rows)


def _require_enrolled(device: Device) -> None:
    if device.state is not DeviceState.ENROLLED:
        raise DeviceRefused(f"The device is {device.state}. Enrol it anew, with a new key.")


def _id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
