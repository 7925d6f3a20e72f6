"""The encrypted FHIR store: versions, blind-index search, transactions.

Invariants:

* A record version is written once, under the key of the patient it belongs to, and is bound to its place
  (record, version, patient), so that a row copied elsewhere does not open.
* The database learns neither the type nor the id nor the content of a record; it sees a blind id, a scope and tags.
* The index may return too much, never too little; every record is matched exactly after it is decrypted.
* Nothing is committed here: changes are prepared, and the ledger commits them together with their entry.
"""

from carekeep.records.candidates import Position
from carekeep.records.drafting import Draft
from carekeep.records.envelope import Place, Stored
from carekeep.records.guarding import Guards
from carekeep.records.histories import Moment, Window
from carekeep.records.pinned import pinned_rows
from carekeep.records.searching import Page
from carekeep.records.vault import Forgotten, NotFound, RecordError, Vault
from carekeep.records.verification import verify_records
from carekeep.records.walking import Found, Pointer, Stretch, Walker

__all__ = [
    "Draft",
    "Forgotten",
    "Found",
    "Guards",
    "Moment",
    "NotFound",
    "Page",
    "Place",
    "Pointer",
    "Position",
    "RecordError",
    "Stored",
    "Stretch",
    "Vault",
    "Walker",
    "Window",
    "pinned_rows",
    "verify_records",
]
