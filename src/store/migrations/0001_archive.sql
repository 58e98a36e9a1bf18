-- Who and where, once each; everything else refers to them by number.
CREATE TABLE user (
    id  INTEGER PRIMARY KEY,
    jid TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE gateway (
    id     INTEGER PRIMARY KEY,
    domain TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE peer (
    id      INTEGER PRIMARY KEY,
    gateway INTEGER NOT NULL REFERENCES gateway (id),
    address TEXT NOT NULL,
    UNIQUE (gateway, address)
) STRICT;

CREATE TABLE conversation (
    id   INTEGER PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES user (id),
    peer INTEGER NOT NULL REFERENCES peer (id),
    UNIQUE (user, peer)
) STRICT;

-- The archive. It keeps its rowid: WITHOUT ROWID writes several times slower here.
CREATE TABLE message (
    id           INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversation (id),
    number       INTEGER NOT NULL,
    stanza_id    TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    nick         TEXT    NOT NULL,
    stanza       BLOB    NOT NULL
) STRICT;

CREATE UNIQUE INDEX message_number ON message (conversation, number);
