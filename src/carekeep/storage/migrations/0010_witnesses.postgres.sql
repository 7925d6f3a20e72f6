-- Witnesses: our checkpoints as they cosigned them (public, and each speaks for itself), how far each witness is, what
-- was last seen of other logs, and proofs that a log showed two pasts. Of the last three the contents are sealed.

CREATE TABLE ledger_cosigned (
    size      bigint NOT NULL PRIMARY KEY,
    signed_ms bigint NOT NULL,
    note      text   NOT NULL
);

CREATE TABLE ledger_witness (
    id     bytea NOT NULL PRIMARY KEY,
    sealed bytea NOT NULL
);

CREATE TABLE ledger_seen (
    id     bytea NOT NULL PRIMARY KEY,
    sealed bytea NOT NULL
);

CREATE TABLE split_view (
    id       bytea  NOT NULL PRIMARY KEY,
    found_ms bigint NOT NULL,
    sealed   bytea  NOT NULL
);
