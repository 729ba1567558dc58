-- The moment that a caller named gets a column and an index of its own, and messages get row ids: without them a text of
-- more than a kilobyte takes a page beside its row. Never edited after release: a change is a new file.

-- The new column is checked against what was asked for, and no stored row may break that while it is still empty.
CREATE TEMP TABLE moments AS SELECT id, spec FROM operations WHERE spec ->> '$.not_before' IS NOT NULL;
UPDATE operations SET spec = json_set(spec, '$.not_before', NULL) WHERE id IN (SELECT id FROM moments);
ALTER TABLE operations ADD COLUMN starts_at INTEGER CHECK (starts_at IS spec ->> '$.not_before');
UPDATE operations SET spec = moments.spec, starts_at = moments.spec ->> '$.not_before' FROM moments WHERE operations.id = moments.id;
DROP TABLE moments;

-- Holds all that the schedule asks of the queue.
DROP INDEX operations_queue;
CREATE INDEX operations_queue
    ON operations (accepted, tag, rank, id, thread_id, wake_at, starts_at, project_key, agent_id, cost, project_turn, agent_turn,
        writes)
    WHERE tag = 'queued';
CREATE INDEX operations_next_turn ON operations (project_key, project_turn) WHERE tag = 'queued';
CREATE INDEX operations_moment ON operations (starts_at) WHERE tag = 'queued' AND starts_at IS NOT NULL;

CREATE TABLE texts (
    turn_id       TEXT NOT NULL,
    item_id       TEXT NOT NULL,
    ordinal       INTEGER NOT NULL,
    text          TEXT NOT NULL,
    at            INTEGER NOT NULL,
    PRIMARY KEY (turn_id, item_id)
) STRICT;
INSERT INTO texts (turn_id, item_id, ordinal, text, at) SELECT turn_id, item_id, ordinal, text, at FROM messages;
DROP TABLE messages;
ALTER TABLE texts RENAME TO messages;
