-- Why a message waits, in the words of the last refusal.
ALTER TABLE job ADD COLUMN fault TEXT NOT NULL DEFAULT '';

-- When a copy came into its state; from when on it is tried again; in which attempt of its message
-- it was reported on last.
ALTER TABLE copy ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE copy ADD COLUMN due   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE copy ADD COLUMN tried INTEGER NOT NULL DEFAULT 0;

UPDATE copy SET since = (SELECT created FROM job WHERE job.id = copy.job);

-- Copies of which the next station may still tell something.
CREATE INDEX copy_accepted ON copy (since) WHERE state = 3;
