"""The bundle in force and the one on trial, in the decider of this process, a moment after any process changed them."""

import asyncio
import logging
from importlib import resources

from carekeep.access.bundles.bundle import Bundle, BundleRefused
from carekeep.access.bundles.canaries import failed_canaries
from carekeep.access.bundles.cases import CaseRefused, read_cases, run
from carekeep.access.bundles.folder import policies_of
from carekeep.access.bundles.table import TOPIC, PolicyBundles, Role
from carekeep.access.decider import Decider
from carekeep.access.policy_text import PolicyFile, PolicyRefused, bundled_policies
from carekeep.access.rules import Rules
from carekeep.encryption import EncryptionError
from carekeep.storage import StorageError

POLICIES_TOPIC = TOPIC
_LOCKDOWN = "lockdown.cedar"
_log = logging.getLogger("carekeep.access")


class PolicyKeeper:
    """Keeps a decider at the bundles of the database.

    ``problem`` says why it could not, and is "" while all is well. A bundle that cannot be used leaves the old one in
    force. A process that never had one (it was just started) cannot know what the bundle forbids: it permits only
    emergencies and what puts it right, until there is a bundle that can be used.
    """

    def __init__(self, decider: Decider, bundles: PolicyBundles) -> None:
        self.decider = decider
        self.bundles = bundles
        self.problem = ""
        self._used: dict[Role, int] | None = None
        self._turn = asyncio.Lock()
        self.looking: asyncio.Task[None] | None = None
        self._again = False

    @staticmethod
    def check(decider: Decider, bundle: Bundle | None) -> Rules:
        """The policies of a bundle, checked in full: they validate, no canary dies, its own cases are as expected.

        Raises PolicyRefused with a line "file, line N: reason" for each problem, and BundleRefused.
        """
        rules = decider.read(policies_of(bundle))
        try:
            own = [result for result in run(read_cases(bundle.cases if bundle else ()), rules) if not result.passed]
        except CaseRefused as refused:
            raise PolicyRefused(str(refused)) from None
        failed = (*failed_canaries(rules), *(result.sentence for result in own))
        if failed:
            raise PolicyRefused("\n".join(failed))
        return rules

    def changed(self) -> None:
        """To be called when generation "policies" changes: looks them up soon."""
        if self.looking is not None and not self.looking.done():
            self._again = True
            return
        self.looking = asyncio.get_running_loop().create_task(self._refresh_until_quiet(), name="policies")

    async def _refresh_until_quiet(self) -> None:
        self._again = True
        while self._again:
            self._again = False
            await self.refresh()

    async def refresh(self) -> None:
        """Look the bundles up, and use them if they are others than before. Never raises for a bundle."""
        async with self._turn:
            try:
                await self._refresh()
            except (StorageError, EncryptionError, PolicyRefused, BundleRefused) as error:
                self._keep_safe(error)

    async def _refresh(self) -> None:
        numbers = await self.bundles.newest_numbers()
        if numbers == self._used and not self.problem:
            return
        row = await self.bundles.current(Role.IN_FORCE)
        rules = self.decider.read(policies_of(row.bundle if row else None))
        self.decider.use(rules, await self._on_trial())
        self._used, self.problem = numbers, ""
        _log.info("Policies in force: %s", row.title if row else "those that come with Carekeep")

    async def _on_trial(self) -> Rules | None:
        """The policies on trial. Whatever is wrong with them is told, and changes nothing."""
        try:
            row = await self.bundles.current(Role.ON_TRIAL)
            return None if row is None or row.bundle is None else self.decider.read(policies_of(row.bundle))
        except (EncryptionError, PolicyRefused, BundleRefused) as error:
            _log.error("The policies on trial cannot be used, so nothing is tried: %s", error)
            return None

    def _keep_safe(self, error: Exception) -> None:
        problem = str(error)
        if problem == self.problem:
            return
        self.problem = problem
        if self._used is not None:
            _log.error("The policy bundle in the database cannot be used; the old policies stay in force. %s", problem)
            return
        _log.error("The policy bundle in the database cannot be used; only emergencies are permitted. %s", problem)
        text = (resources.files("carekeep.access") / "policies" / _LOCKDOWN).read_text("utf-8")
        self.decider.reload([*bundled_policies(), PolicyFile(_LOCKDOWN, text)])
