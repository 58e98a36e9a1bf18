-- Whether any copy of a message is still to be sent. Finished messages are kept for long: what
-- waits is found without looking at them, lane by lane, in the order in which it is due.
ALTER TABLE job ADD COLUMN open INTEGER NOT NULL DEFAULT 1;

UPDATE job SET open = 0
WHERE NOT EXISTS (SELECT 1 FROM copy WHERE copy.job = job.id AND copy.state <= 1);

CREATE INDEX job_open ON job (gateway, lane, due) WHERE open = 1;
