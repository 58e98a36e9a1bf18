-- What waits for a component's stream to come back.
CREATE TABLE lane (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE spool (
    lane   INTEGER NOT NULL REFERENCES lane (id),
    number INTEGER NOT NULL,
    blob   BLOB    NOT NULL,
    PRIMARY KEY (lane, number)
) STRICT;

-- Settings and state, by name.
CREATE TABLE kept (
    user    INTEGER NOT NULL REFERENCES user (id),
    gateway INTEGER NOT NULL REFERENCES gateway (id),
    name    TEXT NOT NULL,
    value   BLOB NOT NULL,
    PRIMARY KEY (user, gateway, name)
) STRICT;

-- Secrets: 12 bytes of nonce, the ciphertext, 16 bytes of tag.
CREATE TABLE sealed (
    user    INTEGER NOT NULL REFERENCES user (id),
    gateway INTEGER NOT NULL REFERENCES gateway (id),
    name    TEXT NOT NULL,
    box     BLOB NOT NULL,
    PRIMARY KEY (user, gateway, name)
) STRICT;

-- "What was said since" must not walk a whole archive while writers wait.
CREATE INDEX message_at ON message (conversation, at, number);
