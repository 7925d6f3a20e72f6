-- Exports and imports that run beside the requests. `key` wraps the key that everything else of a job is sealed with:
-- when the row goes, so does what its chunks say. A chunk of an export names record versions; it holds no copy of them.

CREATE TABLE bulk_job (
    id         BLOB    NOT NULL PRIMARY KEY,
    owner      BLOB    NOT NULL,
    state      INTEGER NOT NULL,
    step       INTEGER NOT NULL,
    holder     TEXT    NOT NULL,
    held_ms    INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    key        BLOB    NOT NULL,
    sealed     BLOB    NOT NULL,
    progress   BLOB    NOT NULL
) STRICT;
CREATE INDEX bulk_job_owner ON bulk_job (owner, state);
CREATE INDEX bulk_job_expires_ms ON bulk_job (expires_ms);

CREATE TABLE bulk_chunk (
    job    BLOB    NOT NULL,
    file   INTEGER NOT NULL,
    number INTEGER NOT NULL,
    sealed BLOB    NOT NULL,
    PRIMARY KEY (job, file, number)
) STRICT;
