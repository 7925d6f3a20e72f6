"""Which records of an entry about several patients are one patient's: the entry itself does not say."""

from carekeep.audit import Entry
from carekeep.audit.views import is_shared
from carekeep.encryption import KeyDestroyed, Tampered
from carekeep.records import Forgotten, NotFound, Vault

_MOST = 500  # records that are looked up for one answer


class Whose:
    """Looks records up for one answer, each once. Those that cannot be, are nobody's."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._known: dict[str, frozenset[str]] = {}

    async def own(self, entry: Entry, patient: str) -> frozenset[str]:
        """The references of a shared entry that are the patient's; of an entry about one patient none are needed."""
        if not is_shared(entry):
            return frozenset()
        references = (*(what.reference for what in entry.what), *entry.consents)
        return frozenset([each for each in references if patient in await self._patients_of(each)])

    async def _patients_of(self, reference: str) -> frozenset[str]:
        if reference in self._known:
            return self._known[reference]
        if len(self._known) >= _MOST:
            return frozenset()
        type_, _, id_ = reference.partition("/")
        try:
            self._known[reference] = frozenset((await self._vault.read(type_, id_)).patients)
        except (NotFound, Forgotten, KeyDestroyed, Tampered):
            self._known[reference] = frozenset()
        return self._known[reference]
