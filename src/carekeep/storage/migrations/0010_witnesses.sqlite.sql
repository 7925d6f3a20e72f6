-- Witnesses: our checkpoints as they cosigned them (public, and each speaks for itself), how far each witness is, what
-- was last seen of other logs, and proofs that a log showed two pasts. Of the last three the contents are sealed.

CREATE TABLE ledger_cosigned (
    size      INTEGER NOT NULL PRIMARY KEY,
    signed_ms INTEGER NOT NULL,
    note      TEXT    NOT NULL
) STRICT;

CREATE TABLE ledger_witness (
    id     BLOB NOT NULL PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE ledger_seen (
    id     BLOB NOT NULL PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE split_view (
    id       BLOB    NOT NULL PRIMARY KEY,
    found_ms INTEGER NOT NULL,
    sealed   BLOB    NOT NULL
) STRICT;
