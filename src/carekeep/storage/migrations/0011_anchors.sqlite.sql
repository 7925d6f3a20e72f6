-- Checkpoints that were anchored outside, with their receipts: in the open are the size and the time.

CREATE TABLE ledger_anchor (
    size        INTEGER NOT NULL PRIMARY KEY,
    anchored_ms INTEGER NOT NULL,
    sealed      BLOB    NOT NULL
) STRICT;
