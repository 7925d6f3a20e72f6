-- Every user, device and app is verified: what they prove themselves with, and what they were given. Secrets stand here
-- as digests of at least 128 random bits, identifiers as keyed digests; the rest is sealed. In the open are times,
-- counters and random ids.

CREATE TABLE passkey (
    id       bytea  NOT NULL PRIMARY KEY,
    account  bytea  NOT NULL,
    revision bigint NOT NULL,
    sealed   bytea  NOT NULL
);
CREATE INDEX passkey_account ON passkey (account);

CREATE TABLE attempt (
    subject  bytea  NOT NULL PRIMARY KEY,
    failures bigint NOT NULL,
    last_ms  bigint NOT NULL
);
CREATE INDEX attempt_last_ms ON attempt (last_ms);

CREATE TABLE browser_session (
    hash       bytea  NOT NULL PRIMARY KEY,
    account    bytea  NOT NULL,
    expires_ms bigint NOT NULL,
    revision   bigint NOT NULL,
    sealed     bytea  NOT NULL
);
CREATE INDEX browser_session_account ON browser_session (account);
CREATE INDEX browser_session_expires_ms ON browser_session (expires_ms);

CREATE TABLE invitation (
    hash       bytea  NOT NULL PRIMARY KEY,
    account    bytea  NOT NULL,
    expires_ms bigint NOT NULL,
    sealed     bytea  NOT NULL
);
CREATE INDEX invitation_account ON invitation (account);
CREATE INDEX invitation_expires_ms ON invitation (expires_ms);

CREATE TABLE recovery (
    id         bytea  NOT NULL PRIMARY KEY,
    account    bytea  NOT NULL,
    expires_ms bigint NOT NULL,
    revision   bigint NOT NULL,
    sealed     bytea  NOT NULL
);
CREATE INDEX recovery_account ON recovery (account);
CREATE INDEX recovery_expires_ms ON recovery (expires_ms);

CREATE TABLE notice (
    account bytea  NOT NULL,
    number  bigint NOT NULL,
    sealed  bytea  NOT NULL,
    PRIMARY KEY (account, number)
);

CREATE TABLE app_client (
    id       bytea  NOT NULL PRIMARY KEY,
    revision bigint NOT NULL,
    sealed   bytea  NOT NULL
);

CREATE TABLE app_grant (
    id         bytea  NOT NULL PRIMARY KEY,
    account    bytea  NOT NULL,
    client     bytea  NOT NULL,
    expires_ms bigint NOT NULL,
    revision   bigint NOT NULL,
    sealed     bytea  NOT NULL
);
CREATE INDEX app_grant_account ON app_grant (account);
CREATE INDEX app_grant_client ON app_grant (client);
CREATE INDEX app_grant_expires_ms ON app_grant (expires_ms);

CREATE TABLE authorization_code (
    hash       bytea  NOT NULL PRIMARY KEY,
    expires_ms bigint NOT NULL,
    app_grant  bytea,
    sealed     bytea  NOT NULL
);
CREATE INDEX authorization_code_expires_ms ON authorization_code (expires_ms);

CREATE TABLE pushed_request (
    hash       bytea  NOT NULL PRIMARY KEY,
    expires_ms bigint NOT NULL,
    sealed     bytea  NOT NULL
);
CREATE INDEX pushed_request_expires_ms ON pushed_request (expires_ms);

CREATE TABLE launch (
    hash       bytea  NOT NULL PRIMARY KEY,
    expires_ms bigint NOT NULL,
    sealed     bytea  NOT NULL
);
CREATE INDEX launch_expires_ms ON launch (expires_ms);

CREATE TABLE seen (
    digest     bytea  NOT NULL PRIMARY KEY,
    expires_ms bigint NOT NULL
);
CREATE INDEX seen_expires_ms ON seen (expires_ms);

CREATE TABLE signing_key (
    id         bytea  NOT NULL PRIMARY KEY,
    created_ms bigint NOT NULL,
    retired_ms bigint,
    sealed     bytea  NOT NULL
);

CREATE TABLE device (
    id       bytea  NOT NULL PRIMARY KEY,
    key_tag  bytea  NOT NULL UNIQUE,
    account  bytea  NOT NULL,
    revision bigint NOT NULL,
    sealed   bytea  NOT NULL
);
CREATE INDEX device_account ON device (account);

CREATE TABLE identity_link (
    tag     bytea NOT NULL PRIMARY KEY,
    account bytea NOT NULL,
    sealed  bytea NOT NULL
);
CREATE INDEX identity_link_account ON identity_link (account);

-- The grant or the session that a token came from: it ends with them.
ALTER TABLE access_token ADD COLUMN parent bytea;
CREATE INDEX access_token_parent ON access_token (parent);
