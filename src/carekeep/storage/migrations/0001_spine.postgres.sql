-- Nothing here is plaintext but counters, times and random ids: every `sealed` and `wrapped` is ciphertext that is
-- bound to its row, every `tag` and `rid` a keyed hash. Text keys sort by bytes, as they do in SQLite.

CREATE TABLE schema_migration (
    number     bigint PRIMARY KEY,
    name       text   NOT NULL,
    digest     bytea  NOT NULL,
    applied_ms bigint NOT NULL
);

CREATE TABLE generation (
    topic text COLLATE "C" PRIMARY KEY,
    n     bigint NOT NULL
);

CREATE TABLE lease (
    name       text COLLATE "C" PRIMARY KEY,
    holder     text   NOT NULL,
    expires_ms bigint NOT NULL
);

CREATE TABLE system_key (
    name    text COLLATE "C" PRIMARY KEY,
    wrapped bytea NOT NULL
);

CREATE TABLE patient_key (
    scope        bigint PRIMARY KEY,
    epoch        bigint NOT NULL,
    wrapped      bytea,
    destroyed_ms bigint
);

CREATE TABLE record (
    seq     bigint PRIMARY KEY,
    rid     bytea  NOT NULL UNIQUE,
    scope   bigint NOT NULL,
    version bigint NOT NULL
);

CREATE TABLE record_version (
    scope   bigint NOT NULL,
    seq     bigint NOT NULL,
    version bigint NOT NULL,
    written bigint NOT NULL,
    sealed  bytea  NOT NULL,
    PRIMARY KEY (scope, seq, version)
);
CREATE INDEX record_version_written ON record_version (scope, written);

CREATE TABLE record_home (
    seq           bigint NOT NULL,
    until_version bigint NOT NULL,
    scope         bigint NOT NULL,
    PRIMARY KEY (seq, until_version)
);

CREATE TABLE tag (
    scope bigint NOT NULL,
    tag   bigint NOT NULL,
    seq   bigint NOT NULL,
    PRIMARY KEY (scope, tag, seq)
);

CREATE TABLE account (
    id        bytea  PRIMARY KEY,
    login_tag bytea  NOT NULL UNIQUE,
    revision  bigint NOT NULL,
    sealed    bytea  NOT NULL
);

CREATE TABLE access_token (
    hash       bytea  PRIMARY KEY,
    account    bytea  NOT NULL,
    expires_ms bigint NOT NULL,
    sealed     bytea  NOT NULL
);
CREATE INDEX access_token_account ON access_token (account);
CREATE INDEX access_token_expires_ms ON access_token (expires_ms);

CREATE TABLE break_glass (
    id         bytea  PRIMARY KEY,
    holder     bytea  NOT NULL,
    scope      bigint NOT NULL,
    expires_ms bigint NOT NULL,
    sealed     bytea  NOT NULL
);
CREATE INDEX break_glass_holder_scope ON break_glass (holder, scope);

CREATE TABLE ledger_pending (
    entry_id bytea PRIMARY KEY,
    leaf     bytea NOT NULL
);

CREATE TABLE ledger_entry (
    leaf_index bigint PRIMARY KEY,
    entry_id   bytea  NOT NULL UNIQUE,
    leaf       bytea  NOT NULL
);

CREATE TABLE ledger_tile (
    level  bigint NOT NULL,
    number bigint NOT NULL,
    hashes bytea  NOT NULL,
    PRIMARY KEY (level, number)
);

CREATE TABLE ledger_head (
    id         bigint PRIMARY KEY CHECK (id = 1),
    size       bigint NOT NULL,
    checkpoint text   NOT NULL
);

-- Ciphertext does not compress: do not let the server try.
ALTER TABLE record_version ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE account ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE ledger_pending ALTER COLUMN leaf SET STORAGE EXTERNAL;
ALTER TABLE ledger_entry ALTER COLUMN leaf SET STORAGE EXTERNAL;
ALTER TABLE ledger_tile ALTER COLUMN hashes SET STORAGE EXTERNAL;
