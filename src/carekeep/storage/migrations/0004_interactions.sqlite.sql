-- Conditional writes meet here: who creates something because nothing matched a condition moves the condition's counter
-- in the same unit, and conflicts with everybody else who found nothing. Buckets are keyed hashes, and bounded.
CREATE TABLE condition_guard (
    bucket INTEGER NOT NULL PRIMARY KEY,
    n      INTEGER NOT NULL
) STRICT;

-- The history of the whole store, newest first, without sorting it.
CREATE INDEX record_version_order ON record_version (written, seq);
