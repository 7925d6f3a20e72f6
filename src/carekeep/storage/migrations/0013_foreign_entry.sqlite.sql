-- Which lines of other systems' logs were taken over: a keyed digest of each, so that none is taken over twice.

CREATE TABLE foreign_entry (
    digest BLOB  NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
