-- Addresses of a gateway with which a user has a subscription, by escaped localpart (empty: the
-- gateway itself). `standing` is numbered in `store::contacts`.
CREATE TABLE contact (
    user     INTEGER NOT NULL REFERENCES user (id),
    gateway  INTEGER NOT NULL REFERENCES gateway (id),
    local    TEXT    NOT NULL,
    standing INTEGER NOT NULL,
    PRIMARY KEY (user, gateway, local)
) STRICT;
