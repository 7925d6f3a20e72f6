-- The policy bundles that were in force and on trial, in order: the newest of a role counts. A bundle is sealed with who
-- loaded it and how; in the open are a counter and the role (1 in force, 2 on trial). Rows are added and never changed.

CREATE TABLE policy_bundle (
    number bigint NOT NULL PRIMARY KEY,
    role   bigint NOT NULL,
    sealed bytea  NOT NULL
);
CREATE INDEX policy_bundle_role ON policy_bundle (role, number);
