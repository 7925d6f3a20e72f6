-- Where in the ledger the entries about a patient, or of an agent, are: for each the first, the second, … by itself. Both
-- columns are keyed, so that rows of the same patient, and rows of the same entry, look like any others.

CREATE TABLE ledger_view (
    tag   bytea  NOT NULL PRIMARY KEY,
    place bigint NOT NULL
);
