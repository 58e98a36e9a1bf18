-- Numbers under which gateways know users; the same in every run.
CREATE TABLE user_number (
    number INTEGER PRIMARY KEY,
    user   INTEGER NOT NULL UNIQUE REFERENCES user (id)
) STRICT;

-- Messages to foreign networks. A number is never given twice: it is an idempotency key there.
CREATE TABLE job (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    user      INTEGER NOT NULL REFERENCES user (id),
    gateway   INTEGER NOT NULL REFERENCES gateway (id),
    stanza_id TEXT    NOT NULL,
    lane      TEXT    NOT NULL,
    origin    BLOB    NOT NULL,
    message   BLOB    NOT NULL,
    attempt   INTEGER NOT NULL DEFAULT 0,
    due       INTEGER NOT NULL,
    created   INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    kept      BLOB
) STRICT;

CREATE INDEX job_stanza ON job (gateway, user, stanza_id);

-- One recipient's copy. The states are numbered in `store::jobs`; `told` is what its sender has
-- been told of it.
CREATE TABLE copy (
    job     INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    number  INTEGER NOT NULL,
    address TEXT    NOT NULL,
    state   INTEGER NOT NULL,
    told    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job, number)
) STRICT;

-- Copies that are still to be sent: the only ones looked for by state.
CREATE INDEX copy_open ON copy (job) WHERE state <= 1;

-- Foreign ids, and what they refer to.
CREATE TABLE reference (
    gateway INTEGER NOT NULL REFERENCES gateway (id),
    key     TEXT    NOT NULL,
    user    INTEGER NOT NULL REFERENCES user (id),
    stanza  TEXT    NOT NULL,
    job     INTEGER,
    copy    INTEGER NOT NULL,
    part    INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    PRIMARY KEY (gateway, key)
) STRICT;

CREATE INDEX reference_until ON reference (until);

-- What a gateway keeps for a user and a peer.
CREATE TABLE peer_kept (
    user  INTEGER NOT NULL REFERENCES user (id),
    peer  INTEGER NOT NULL REFERENCES peer (id),
    value BLOB    NOT NULL,
    PRIMARY KEY (user, peer)
) STRICT;

-- Stanzas for users, until the XMPP server has proven to have them.
CREATE TABLE inbound (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    gateway INTEGER NOT NULL REFERENCES gateway (id),
    stanza  BLOB    NOT NULL
) STRICT;

-- Foreign messages that have been taken, so that one handed over twice is taken once.
CREATE TABLE taken (
    gateway INTEGER NOT NULL REFERENCES gateway (id),
    user    INTEGER NOT NULL REFERENCES user (id),
    dedup   TEXT    NOT NULL,
    until   INTEGER NOT NULL,
    PRIMARY KEY (gateway, user, dedup)
) STRICT;

CREATE INDEX taken_until ON taken (until);
