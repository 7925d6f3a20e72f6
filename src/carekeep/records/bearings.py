"""How the database names what is of a patient. A clinician's searches ask for the same patients all day."""

from dataclasses import dataclass
from functools import lru_cache

from carekeep.encryption import Keyring
from carekeep.records.blind_index import guest_tag

_REMEMBERED = 20_000  # as many as the keyring remembers keys of; some 8 MB


@dataclass(frozen=True, slots=True)
class Bearing:
    """Keyed digests of one patient's id.

    ``scope`` is that of their records, ``rid`` the name of their Patient record, ``guest`` the shared tag of what is
    theirs as well but belongs to another patient first.
    """

    scope: int
    rid: bytes
    guest: int


class Bearings:
    """The bearings of patients, those asked for lately from memory. They never change, and tell nothing of records."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._remembered = lru_cache(_REMEMBERED)(self._derived)

    def of(self, patient: str) -> Bearing:
        """The bearing of a patient, whether there is one of this id or not."""
        return self._remembered(patient)

    def _derived(self, patient: str) -> Bearing:
        keyring = self._keyring
        return Bearing(keyring.scope_of(patient), keyring.rid("Patient", patient), guest_tag(keyring, patient))
