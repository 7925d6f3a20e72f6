-- Exports and imports that run beside the requests. `key` wraps the key that everything else of a job is sealed with:
-- when the row goes, so does what its chunks say. A chunk of an export names record versions; it holds no copy of them.

CREATE TABLE bulk_job (
    id         BYTEA   NOT NULL PRIMARY KEY,
    owner      BYTEA   NOT NULL,
    state      BIGINT  NOT NULL,
    step       BIGINT  NOT NULL,
    holder     TEXT    NOT NULL,
    held_ms    BIGINT  NOT NULL,
    expires_ms BIGINT  NOT NULL,
    key        BYTEA   NOT NULL,
    sealed     BYTEA   NOT NULL,
    progress   BYTEA   NOT NULL
);
CREATE INDEX bulk_job_owner ON bulk_job (owner, state);
CREATE INDEX bulk_job_expires_ms ON bulk_job (expires_ms);

CREATE TABLE bulk_chunk (
    job    BYTEA   NOT NULL,
    file   BIGINT  NOT NULL,
    number BIGINT  NOT NULL,
    sealed BYTEA   NOT NULL,
    PRIMARY KEY (job, file, number)
);
