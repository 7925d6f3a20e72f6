-- What emergencies leave open: a question to whoever answers for the clinician, and a notice to the patient. What was
-- asked and found out is sealed with the patient's key (about); the rest with the key of rows. In the open are whom the
-- question is put to (random ids; empty: to all auditors), times and counters.

CREATE TABLE review (
    id        BLOB    NOT NULL PRIMARY KEY,
    reviewer  BLOB    NOT NULL,
    scope     INTEGER NOT NULL,
    due_ms    INTEGER NOT NULL,
    closed_ms INTEGER NOT NULL,
    look_ms   INTEGER NOT NULL,
    revision  INTEGER NOT NULL,
    sealed    BLOB    NOT NULL,
    about     BLOB    NOT NULL
) STRICT;
CREATE INDEX review_reviewer ON review (reviewer, due_ms);
CREATE INDEX review_due_ms ON review (due_ms);
CREATE INDEX review_look_ms ON review (look_ms);
