-- What leaves for people outside: links that patients hand on, and guests who read one patient's records for a time. All
-- that these say is sealed with the patient's key, so it is forgotten with the patient; secrets stand here as digests of
-- 256 random bits. In the open are times, counters and random ids.

CREATE TABLE shared_link (
    id         BLOB    NOT NULL PRIMARY KEY,
    hash       BLOB    NOT NULL UNIQUE,
    scope      INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    opened     INTEGER NOT NULL,
    wrong      INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT;
CREATE INDEX shared_link_scope ON shared_link (scope);
CREATE INDEX shared_link_expires_ms ON shared_link (expires_ms);

CREATE TABLE shared_file (
    link     BLOB    NOT NULL,
    number   INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    sealed   BLOB    NOT NULL,
    PRIMARY KEY (link, number)
) STRICT;

CREATE TABLE guest (
    id         BLOB    NOT NULL PRIMARY KEY,
    hash       BLOB    NOT NULL UNIQUE,
    scope      INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    wrong      INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT;
CREATE INDEX guest_scope ON guest (scope);
CREATE INDEX guest_expires_ms ON guest (expires_ms);

-- Domains where somebody proved who they are: another one, or one that looks like them, is asked about.
CREATE TABLE known_recipient (
    tag    BLOB    NOT NULL PRIMARY KEY,
    sealed BLOB    NOT NULL
) STRICT;
