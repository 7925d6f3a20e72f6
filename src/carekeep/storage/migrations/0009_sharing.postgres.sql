-- What leaves for people outside: links that patients hand on, and guests who read one patient's records for a time. All
-- that these say is sealed with the patient's key, so it is forgotten with the patient; secrets stand here as digests of
-- 256 random bits. In the open are times, counters and random ids.

CREATE TABLE shared_link (
    id         bytea  NOT NULL PRIMARY KEY,
    hash       bytea  NOT NULL UNIQUE,
    scope      bigint NOT NULL,
    expires_ms bigint NOT NULL,
    revision   bigint NOT NULL,
    opened     bigint NOT NULL,
    wrong      bigint NOT NULL,
    sealed     bytea  NOT NULL
);
CREATE INDEX shared_link_scope ON shared_link (scope);
CREATE INDEX shared_link_expires_ms ON shared_link (expires_ms);

CREATE TABLE shared_file (
    link     bytea  NOT NULL,
    number   bigint NOT NULL,
    revision bigint NOT NULL,
    sealed   bytea  NOT NULL,
    PRIMARY KEY (link, number)
);

CREATE TABLE guest (
    id         bytea  NOT NULL PRIMARY KEY,
    hash       bytea  NOT NULL UNIQUE,
    scope      bigint NOT NULL,
    expires_ms bigint NOT NULL,
    revision   bigint NOT NULL,
    wrong      bigint NOT NULL,
    sealed     bytea  NOT NULL
);
CREATE INDEX guest_scope ON guest (scope);
CREATE INDEX guest_expires_ms ON guest (expires_ms);

-- Domains where somebody proved who they are: another one, or one that looks like them, is asked about.
CREATE TABLE known_recipient (
    tag    bytea  NOT NULL PRIMARY KEY,
    sealed bytea  NOT NULL
);
