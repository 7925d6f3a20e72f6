-- What emergencies leave open: a question to whoever answers for the clinician, and a notice to the patient. What was
-- asked and found out is sealed with the patient's key (about); the rest with the key of rows. In the open are whom the
-- question is put to (random ids; empty: to all auditors), times and counters.

CREATE TABLE review (
    id        bytea   NOT NULL PRIMARY KEY,
    reviewer  bytea   NOT NULL,
    scope     bigint  NOT NULL,
    due_ms    bigint  NOT NULL,
    closed_ms bigint  NOT NULL,
    look_ms   bigint  NOT NULL,
    revision  bigint  NOT NULL,
    sealed    bytea   NOT NULL,
    about     bytea   NOT NULL
);
CREATE INDEX review_reviewer ON review (reviewer, due_ms);
CREATE INDEX review_due_ms ON review (due_ms);
CREATE INDEX review_look_ms ON review (look_ms);
