-- Who asked to be told of what, beside the Subscription record itself. `id` is the blind id of that record; `events`
-- counts what happened since its start, `delivered` is the last that was told. An event is a sealed reference to a
-- record version: no copy of it.

CREATE TABLE subscription (
    id        bytea  NOT NULL PRIMARY KEY,
    account   bytea  NOT NULL,
    revision  bigint NOT NULL,
    events    bigint NOT NULL,
    delivered bigint NOT NULL,
    sealed    bytea  NOT NULL
);
CREATE INDEX subscription_account ON subscription (account);

CREATE TABLE subscription_event (
    subscription bytea  NOT NULL,
    number       bigint NOT NULL,
    sealed       bytea  NOT NULL,
    PRIMARY KEY (subscription, number)
);

CREATE TABLE subscription_binding (
    hash       bytea  NOT NULL PRIMARY KEY,
    expires_ms bigint NOT NULL,
    sealed     bytea  NOT NULL
);
CREATE INDEX subscription_binding_expires_ms ON subscription_binding (expires_ms);

CREATE TABLE ledger_reader (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    next bigint NOT NULL
);
