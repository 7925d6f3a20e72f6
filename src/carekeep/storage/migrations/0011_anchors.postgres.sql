-- Checkpoints that were anchored outside, with their receipts: in the open are the size and the time.

CREATE TABLE ledger_anchor (
    size        bigint NOT NULL PRIMARY KEY,
    anchored_ms bigint NOT NULL,
    sealed      bytea  NOT NULL
);
