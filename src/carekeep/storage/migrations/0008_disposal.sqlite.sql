-- Records are kept as long as laws ask, held for courts, and disposed of by two people. What names a patient or says why
-- is sealed with the patient's own key (a hold's sealed, a disposal's about); who, when and the certificate with the key
-- of rows. In the open are scopes, times and counters.

CREATE TABLE legal_hold (
    id        BLOB    NOT NULL PRIMARY KEY,
    scope     INTEGER NOT NULL,
    lifted_ms INTEGER NOT NULL,
    revision  INTEGER NOT NULL,
    sealed    BLOB    NOT NULL
) STRICT;
CREATE INDEX legal_hold_scope ON legal_hold (scope);

CREATE TABLE disposal (
    id         BLOB    NOT NULL PRIMARY KEY,
    scope      INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    sealed     BLOB    NOT NULL,
    about      BLOB    NOT NULL
) STRICT;
CREATE INDEX disposal_scope ON disposal (scope);
CREATE INDEX disposal_expires_ms ON disposal (expires_ms);
