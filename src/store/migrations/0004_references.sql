-- A message of the archive may have a foreign id.
ALTER TABLE message ADD COLUMN key TEXT;

-- Two users may know one foreign message: its id refers to a stanza of each. `peer` is the
-- conversation's address and `mine` says that the user wrote it, where it passed a live session.
CREATE TABLE reference_of (
    gateway INTEGER NOT NULL REFERENCES gateway (id),
    key     TEXT    NOT NULL,
    user    INTEGER NOT NULL REFERENCES user (id),
    stanza  TEXT    NOT NULL,
    job     INTEGER,
    copy    INTEGER NOT NULL,
    part    INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    peer    TEXT    NOT NULL DEFAULT '',
    mine    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (gateway, key, user)
) STRICT;

INSERT INTO reference_of (gateway, key, user, stanza, job, copy, part, until)
SELECT gateway, key, user, stanza, job, copy, part, until FROM reference;

DROP TABLE reference;
ALTER TABLE reference_of RENAME TO reference;

CREATE INDEX reference_until ON reference (until);
CREATE INDEX reference_stanza ON reference (gateway, user, stanza);
