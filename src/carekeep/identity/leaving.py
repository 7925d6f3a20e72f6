"""Leaving: everything of an account ends in one commit, or everything that was signed in on a device that is lost.

The rows of sessions go, so that nothing comes back when the account is enabled again. What is issued in the moment of
the commit is good for nothing either: a token is refused when its account is disabled or its device is not enrolled.
"""

from dataclasses import replace
from typing import Any, TypeVar

from carekeep.identity.account import Account, Kind
from carekeep.identity.accounts import Accounts
from carekeep.identity.apps.ending import prepare_end_session
from carekeep.identity.apps.grants import Grants
from carekeep.identity.browser_session_rows import BrowserSession
from carekeep.identity.browser_sessions import BrowserSessions
from carekeep.identity.device_rows import Device, DeviceState
from carekeep.identity.devices import Devices
from carekeep.identity.invitations import Invitations
from carekeep.identity.outside import Links
from carekeep.identity.tokens import Tokens
from carekeep.storage import Prepared

T = TypeVar("T")


class Leaving:
    """Puts the ends together. A conflict at commit means that something ended or changed meanwhile: prepare anew."""

    def __init__(
        self,
        accounts: Accounts,
        *,
        tokens: Tokens,
        devices: Devices,
        invitations: Invitations,
        browser_sessions: BrowserSessions,
        grants: Grants,
        links: Links,
    ) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._devices = devices
        self._invitations = invitations
        self._browser_sessions = browser_sessions
        self._grants = grants
        self._links = links

    async def prepare_sign_out(self, session: BrowserSession) -> Prepared[None]:
        """The end of one browser's sessions at all our sites, and of the tokens and grants that came from them."""
        id_ = bytes.fromhex(session.first)
        ended = (
            await self._browser_sessions.prepare_end(session),
            await self._tokens.prepare_revoke_under(id_),
            await prepare_end_session(self._grants, self._tokens, session.account.id, id_),
        )
        return joined(None, *ended)

    async def prepare_sign_out_everywhere(self, account_id: bytes) -> Prepared[int]:
        """The end of every token, browser's session and grant of an account; the value says how many there were."""
        ended = (
            await self._tokens.prepare_revoke_all(account_id),
            await self._browser_sessions.prepare_end_all(account_id),
            self._grants.prepare_end(await self._grants.of_account(account_id)),
        )
        return joined(sum(each.value for each in ended), *ended)

    async def prepare_disable(self, account: Account) -> Prepared[Account]:
        """The account is disabled, and what was signed in ends. Its devices stay, for when it is enabled again."""
        changed = self._accounts.prepare_change(replace(account, disabled=True))
        return joined(
            changed.value,
            changed,
            await self.prepare_sign_out_everywhere(account.id),
            await self._invitations.prepare_withdraw(account.id),
        )

    async def prepare_leaving(self, account: Account) -> Prepared[Account]:
        """Somebody leaves for good, never to be enabled again; devices are retired. Passkeys stay, and open nothing."""
        disabled = await self.prepare_disable(replace(account, disabled=True, left=True))
        return joined(
            disabled.value,
            disabled,
            await self._devices.prepare_retire_all(account.id),
            await self._links.prepare_remove_all(account),
        )

    async def prepare_lost(self, device: Device, owner: Account) -> Prepared[Device]:
        """A device is lost. Raises DeviceRefused.

        A person's sessions all end, since a browser on it may hold some that are bound to nothing. An app's end only
        where they are on this device: it runs on others, too.
        """
        changed = self._devices.prepare_state(device, DeviceState.LOST)
        if owner.kind is Kind.APP:
            return joined(changed.value, changed, *await self._ends_on(device))
        return joined(changed.value, changed, await self.prepare_sign_out_everywhere(owner.id))

    async def prepare_retired(self, device: Device) -> Prepared[Device]:
        """A device goes out of use: the sessions on it end, and no others. Raises DeviceRefused."""
        changed = self._devices.prepare_state(device, DeviceState.RETIRED)
        return joined(changed.value, changed, *await self._ends_on(device))

    async def _ends_on(self, device: Device) -> list[Prepared[Any]]:
        """Browsers' sessions and grants on a device, and the tokens that are on it or came of those."""
        id_, owner = device.id.hex(), device.account
        browsers = [each for each in await self._browser_sessions.of_account(owner) if each.device == id_]
        parents = {bytes.fromhex(each.id) for each in browsers}
        grants = [
            grant
            for grant in await self._grants.of_account(owner)
            if grant.device == id_ or grant.binding == device.key or grant.session in parents
        ]
        parents.update(grant.id for grant in grants)
        on_it = [
            each
            for each in await self._tokens.sessions(owner)
            if each.device == id_ or each.binding == device.key or each.parent in parents
        ]
        return [
            await self._browser_sessions.prepare_end(*browsers),
            self._grants.prepare_end(grants),
            *[await self._tokens.prepare_revoke(each.session) for each in on_it],
        ]


def joined(value: T, *prepared: Prepared[Any]) -> Prepared[T]:
    """Several changes as one."""
    steps = tuple(step for each in prepared for step in each.steps)
    return Prepared(value, steps, tuple(pin for each in prepared for pin in each.pins))
