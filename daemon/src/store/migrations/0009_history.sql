-- History that ends: what was cleared of operations that ended long ago, and of whom only a small row stays. Never edited
-- after release: a change is a new file.
ALTER TABLE operations ADD COLUMN report_hash TEXT;
ALTER TABLE operations ADD COLUMN cleared_at INTEGER;

-- What is to be cleared next.
CREATE INDEX operations_kept ON operations (ended_at) WHERE tag = 'ended' AND cleared_at IS NULL;
CREATE INDEX operations_texts ON operations (ended_at) WHERE tag = 'ended' AND prompt IS NOT NULL;
-- Of no operation: those of the app-server and of pauses.
CREATE INDEX events_of_nobody ON events (cursor) WHERE operation_id IS NULL;

-- One row: up to this cursor events may be missing from the feed.
CREATE TABLE history (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    cut  INTEGER NOT NULL
) STRICT;

INSERT INTO history (one, cut) VALUES (1, 0);
