-- Nothing here is plaintext but counters, times and random ids: every `sealed` and `wrapped` is ciphertext that is
-- bound to its row, every `tag` and `rid` a keyed hash. Tables are STRICT, so that SQLite refuses what PostgreSQL would.

CREATE TABLE schema_migration (
    number     INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    digest     BLOB    NOT NULL,
    applied_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE generation (
    topic TEXT    NOT NULL PRIMARY KEY,
    n     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
    name       TEXT    NOT NULL PRIMARY KEY,
    holder     TEXT    NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE system_key (
    name    TEXT NOT NULL PRIMARY KEY,
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE patient_key (
    scope        INTEGER PRIMARY KEY,
    epoch        INTEGER NOT NULL,
    wrapped      BLOB,
    destroyed_ms INTEGER
) STRICT;

CREATE TABLE record (
    seq     INTEGER PRIMARY KEY,
    rid     BLOB    NOT NULL UNIQUE,
    scope   INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;

-- A rowid table: kilobytes of ciphertext are appended, and only the small key is sorted in.
CREATE TABLE record_version (
    scope   INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    version INTEGER NOT NULL,
    written INTEGER NOT NULL,
    sealed  BLOB    NOT NULL,
    PRIMARY KEY (scope, seq, version)
) STRICT;
CREATE INDEX record_version_written ON record_version (scope, written);

CREATE TABLE record_home (
    seq           INTEGER NOT NULL,
    until_version INTEGER NOT NULL,
    scope         INTEGER NOT NULL,
    PRIMARY KEY (seq, until_version)
) STRICT, WITHOUT ROWID;

CREATE TABLE tag (
    scope INTEGER NOT NULL,
    tag   INTEGER NOT NULL,
    seq   INTEGER NOT NULL,
    PRIMARY KEY (scope, tag, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    id        BLOB    NOT NULL PRIMARY KEY,
    login_tag BLOB    NOT NULL UNIQUE,
    revision  INTEGER NOT NULL,
    sealed    BLOB    NOT NULL
) STRICT;

CREATE TABLE access_token (
    hash       BLOB    NOT NULL PRIMARY KEY,
    account    BLOB    NOT NULL,
    expires_ms INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT;
CREATE INDEX access_token_account ON access_token (account);
CREATE INDEX access_token_expires_ms ON access_token (expires_ms);

CREATE TABLE break_glass (
    id         BLOB    NOT NULL PRIMARY KEY,
    holder     BLOB    NOT NULL,
    scope      INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT;
CREATE INDEX break_glass_holder_scope ON break_glass (holder, scope);

CREATE TABLE ledger_pending (
    entry_id BLOB NOT NULL PRIMARY KEY,
    leaf     BLOB NOT NULL
) STRICT;

CREATE TABLE ledger_entry (
    leaf_index INTEGER PRIMARY KEY,
    entry_id   BLOB NOT NULL UNIQUE,
    leaf       BLOB NOT NULL
) STRICT;

CREATE TABLE ledger_tile (
    level  INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB    NOT NULL,
    PRIMARY KEY (level, number)
) STRICT;

CREATE TABLE ledger_head (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    size       INTEGER NOT NULL,
    checkpoint TEXT    NOT NULL
) STRICT;
