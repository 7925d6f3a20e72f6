-- Every user, device and app is verified: what they prove themselves with, and what they were given. Secrets stand here
-- as digests of at least 128 random bits, identifiers as keyed digests; the rest is sealed. In the open are times,
-- counters and random ids.

CREATE TABLE passkey (
    id       BLOB    NOT NULL PRIMARY KEY,
    account  BLOB    NOT NULL,
    revision INTEGER NOT NULL,
    sealed   BLOB    NOT NULL
) STRICT;
CREATE INDEX passkey_account ON passkey (account);

CREATE TABLE attempt (
    subject  BLOB    NOT NULL PRIMARY KEY,
    failures INTEGER NOT NULL,
    last_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_last_ms ON attempt (last_ms);

CREATE TABLE browser_session (
    hash       BLOB    NOT NULL PRIMARY KEY,
    account    BLOB    NOT NULL,
    expires_ms INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT;
CREATE INDEX browser_session_account ON browser_session (account);
CREATE INDEX browser_session_expires_ms ON browser_session (expires_ms);

CREATE TABLE invitation (
    hash       BLOB    NOT NULL PRIMARY KEY,
    account    BLOB    NOT NULL,
    expires_ms INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT;
CREATE INDEX invitation_account ON invitation (account);
CREATE INDEX invitation_expires_ms ON invitation (expires_ms);

CREATE TABLE recovery (
    id         BLOB    NOT NULL PRIMARY KEY,
    account    BLOB    NOT NULL,
    expires_ms INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT;
CREATE INDEX recovery_account ON recovery (account);
CREATE INDEX recovery_expires_ms ON recovery (expires_ms);

CREATE TABLE notice (
    account BLOB    NOT NULL,
    number  INTEGER NOT NULL,
    sealed  BLOB    NOT NULL,
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE app_client (
    id       BLOB    NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    sealed   BLOB    NOT NULL
) STRICT;

CREATE TABLE app_grant (
    id         BLOB    NOT NULL PRIMARY KEY,
    account    BLOB    NOT NULL,
    client     BLOB    NOT NULL,
    expires_ms INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT;
CREATE INDEX app_grant_account ON app_grant (account);
CREATE INDEX app_grant_client ON app_grant (client);
CREATE INDEX app_grant_expires_ms ON app_grant (expires_ms);

CREATE TABLE authorization_code (
    hash       BLOB    NOT NULL PRIMARY KEY,
    expires_ms INTEGER NOT NULL,
    app_grant  BLOB,
    sealed     BLOB    NOT NULL
) STRICT;
CREATE INDEX authorization_code_expires_ms ON authorization_code (expires_ms);

CREATE TABLE pushed_request (
    hash       BLOB    NOT NULL PRIMARY KEY,
    expires_ms INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT;
CREATE INDEX pushed_request_expires_ms ON pushed_request (expires_ms);

CREATE TABLE launch (
    hash       BLOB    NOT NULL PRIMARY KEY,
    expires_ms INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT;
CREATE INDEX launch_expires_ms ON launch (expires_ms);

CREATE TABLE seen (
    digest     BLOB    NOT NULL PRIMARY KEY,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_expires_ms ON seen (expires_ms);

CREATE TABLE signing_key (
    id         BLOB    NOT NULL PRIMARY KEY,
    created_ms INTEGER NOT NULL,
    retired_ms INTEGER,
    sealed     BLOB    NOT NULL
) STRICT;

CREATE TABLE device (
    id       BLOB    NOT NULL PRIMARY KEY,
    key_tag  BLOB    NOT NULL UNIQUE,
    account  BLOB    NOT NULL,
    revision INTEGER NOT NULL,
    sealed   BLOB    NOT NULL
) STRICT;
CREATE INDEX device_account ON device (account);

CREATE TABLE identity_link (
    tag     BLOB NOT NULL PRIMARY KEY,
    account BLOB NOT NULL,
    sealed  BLOB NOT NULL
) STRICT;
CREATE INDEX identity_link_account ON identity_link (account);

-- The grant or the session that a token came from: it ends with them.
ALTER TABLE access_token ADD COLUMN parent BLOB;
CREATE INDEX access_token_parent ON access_token (parent);
