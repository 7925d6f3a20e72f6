"""Whether a legal hold keeps a patient's records: asked by everything that would destroy them.

The rows themselves are ``disposal.holds``'. A hold counts by its open columns alone: one that was tampered with still
holds, since its lifting would not open (see ``is_held``).
"""

from carekeep.encryption import KeyDestroyed, Keyring, KeyUnknown, Tampered, associated_data
from carekeep.storage import Change, Database

HOLD_TABLE = "legal_hold"
HOLD_COLUMNS = ("id", "scope", "lifted_ms", "revision", "sealed")

_OF_SCOPE = "SELECT id, scope, lifted_ms, revision, sealed FROM legal_hold WHERE scope = $1"
# Changes nothing, but counts: one row that is found is one more than expected, a conflict.
_UNLESS = "UPDATE legal_hold SET revision = revision WHERE scope = $1 AND lifted_ms = 0"
# A hold that is placed while the key is being destroyed waits for that, and then meets no key: a conflict.
_WHILE_LIVING = "UPDATE patient_key SET epoch = epoch WHERE scope = $1 AND wrapped IS NOT NULL"


class Held(Exception):
    """A legal hold keeps the patient's records. The text names nobody."""

    def __init__(self) -> None:
        super().__init__("A legal hold keeps these records: they cannot be destroyed before it is lifted.")


def hold_place(id_: bytes, scope: int, lifted_ms: int, revision: int) -> bytes:
    """What a hold's row is bound to."""
    return associated_data(HOLD_TABLE, id_, scope, lifted_ms, revision)


async def is_held(database: Database, keyring: Keyring, scope: int) -> bool:
    """Whether any hold of a patient is in force: not lifted, or said to be lifted by a row that does not open."""
    for id_, _, lifted_ms, revision, sealed in await database.fetch(_OF_SCOPE, (scope,)):
        if lifted_ms == 0:
            return True
        try:
            keys = await keyring.scope(scope)
            keys.cipher.open(sealed, hold_place(id_, scope, lifted_ms, revision))
        except Tampered:
            return True
        except (KeyDestroyed, KeyUnknown):
            return False
    return False


async def refuse_if_held(database: Database, keyring: Keyring, scope: int) -> None:
    """Raises Held."""
    if await is_held(database, keyring, scope):
        raise Held


def unless_held(scope: int) -> Change:
    """The step that makes a unit fail when a hold was placed meanwhile. It stands after the key's own change."""
    return Change(_UNLESS, ((scope,),), expect=0)


def while_living(scope: int) -> Change:
    """The step that makes a unit fail when the patient was forgotten meanwhile."""
    return Change(_WHILE_LIVING, ((scope,),), expect=1)
