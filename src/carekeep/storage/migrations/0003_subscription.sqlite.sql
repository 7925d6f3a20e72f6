-- Who asked to be told of what, beside the Subscription record itself. `id` is the blind id of that record; `events`
-- counts what happened since its start, `delivered` is the last that was told. An event is a sealed reference to a
-- record version: no copy of it.

CREATE TABLE subscription (
    id        BLOB    NOT NULL PRIMARY KEY,
    account   BLOB    NOT NULL,
    revision  INTEGER NOT NULL,
    events    INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    sealed    BLOB    NOT NULL
) STRICT;
CREATE INDEX subscription_account ON subscription (account);

CREATE TABLE subscription_event (
    subscription BLOB    NOT NULL,
    number       INTEGER NOT NULL,
    sealed       BLOB    NOT NULL,
    PRIMARY KEY (subscription, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE subscription_binding (
    hash       BLOB    NOT NULL PRIMARY KEY,
    expires_ms INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT;
CREATE INDEX subscription_binding_expires_ms ON subscription_binding (expires_ms);

CREATE TABLE ledger_reader (
    name TEXT    NOT NULL PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
