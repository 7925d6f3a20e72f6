"""The witnesses of our log, as one value: policy, keys of the log, how each witness stands, proofs that are kept."""

from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from carekeep.audit.ledger import Ledger
from carekeep.audit.note import VerifierKey
from carekeep.audit.witnessing.cosignatures import Cosigner, CosignerKey
from carekeep.audit.witnessing.evidence import SplitViews
from carekeep.audit.witnessing.policy import Policy
from carekeep.audit.witnessing.running import Witnessing
from carekeep.audit.witnessing.standings import SealedTexts, Standings, WitnessKeys
from carekeep.audit.witnessing.submitting import Submit, Submitting
from carekeep.audit.witnessing.watching import Fetch, Watching
from carekeep.storage import Clock, Database


class LogKeys(WitnessKeys, Protocol):
    """What of the keyring is needed here."""

    @property
    def post_quantum_checkpoint_key(self) -> MLDSA44PrivateKey:
        """The key that signs checkpoints for the long run."""
        ...


@dataclass(frozen=True, slots=True)
class Witnesses:
    """``policy`` is None where none is set: then nobody is asked, and every checkpoint counts as it is.

    ``keys`` are those of our log: Ed25519 and ML-DSA-44.
    """

    policy: Policy | None
    keys: tuple[VerifierKey, CosignerKey]
    standings: Standings
    split_views: SplitViews
    database: Database
    keyring: LogKeys
    clock: Clock

    @classmethod
    def over(
        cls, database: Database, keyring: LogKeys, key: VerifierKey, policy: Policy | None, clock: Clock
    ) -> "Witnesses":
        """The witnesses of the log with this key."""
        return cls(
            policy=policy,
            keys=(key, Cosigner(key.name, keyring.post_quantum_checkpoint_key).key),
            standings=Standings(database, keyring),
            split_views=SplitViews(database, keyring.rows, clock),
            database=database,
            keyring=keyring,
            clock=clock,
        )

    def witnessing(self, ledger: Ledger, submit: Submit, fetch: Fetch) -> Witnessing:
        """The task that keeps the log witnessed; ``submit`` and ``fetch`` reach others."""
        policy = self.policy or Policy()
        private = self.keyring.post_quantum_checkpoint_key
        seen = SealedTexts(self.database, self.keyring, "ledger_seen")
        return Witnessing(
            Submitting(ledger, self.database, self.standings, policy, submit, self.keys[0], private, self.clock),
            Watching(self.database, ledger, seen, self.split_views, policy, fetch, self.keys, self.clock),
        )
