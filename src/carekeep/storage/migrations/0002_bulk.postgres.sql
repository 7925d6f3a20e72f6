-- Exports and imports that run beside the requests. `key` wraps the key that everything else of a job is sealed with:
-- when the row goes, so does what its chunks say. A chunk of an export names record versions; it holds no copy of them.

CREATE TABLE bulk_job (
    id         bytea  NOT NULL PRIMARY KEY,
    owner      bytea  NOT NULL,
    state      bigint NOT NULL,
    step       bigint NOT NULL,
    holder     text   NOT NULL,
    held_ms    bigint NOT NULL,
    expires_ms bigint NOT NULL,
    key        bytea  NOT NULL,
    sealed     bytea  NOT NULL,
    progress   bytea  NOT NULL
);
CREATE INDEX bulk_job_owner ON bulk_job (owner, state);
CREATE INDEX bulk_job_expires_ms ON bulk_job (expires_ms);

CREATE TABLE bulk_chunk (
    job    bytea  NOT NULL,
    file   bigint NOT NULL,
    number bigint NOT NULL,
    sealed bytea  NOT NULL,
    PRIMARY KEY (job, file, number)
);
