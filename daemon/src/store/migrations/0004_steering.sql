-- More kinds of work on a thread: what goes into a turn of another operation, and what moves a thread. The check of the
-- tag names the new states, so the table is made anew; nothing in it changes. Never edited after release: a change is a
-- new file.

CREATE TABLE operations_next (
    accepted        INTEGER PRIMARY KEY,
    id              TEXT NOT NULL UNIQUE,
    request_key     TEXT NOT NULL UNIQUE,
    request_digest  TEXT NOT NULL,
    spec            TEXT NOT NULL CHECK (json_valid(spec)),
    prompt_digest   TEXT NOT NULL,
    prompt_chars    INTEGER NOT NULL,
    prompt_form     TEXT NOT NULL,
    project_key     TEXT NOT NULL,
    client_message  TEXT NOT NULL UNIQUE,
    state           TEXT NOT NULL CHECK (json_valid(state)),
    tag             TEXT NOT NULL CHECK (tag = state ->> '$.state')
        CHECK (tag IN ('queued', 'creating_thread', 'moving_thread', 'starting_turn', 'accepted', 'running', 'unresolved',
            'steering', 'steer_unresolved', 'following', 'ended')),
    -- Order of the priorities.
    rank            INTEGER NOT NULL CHECK (rank = CASE spec ->> '$.priority' WHEN 'high' THEN 0 WHEN 'normal' THEN 1 ELSE 2 END),
    -- What the schedule asks for besides, all of it in the index of the queue.
    cost            TEXT NOT NULL CHECK (cost = spec ->> '$.cost'),
    agent_id        TEXT CHECK (agent_id IS spec ->> '$.agent_id'),
    project_turn    INTEGER NOT NULL,
    agent_turn      INTEGER NOT NULL,
    -- The paths it writes, as a JSON array.
    writes          TEXT NOT NULL CHECK (json_valid(writes)),
    thread_id       TEXT,
    -- Its own turn, or the one that its message goes into.
    turn_id         TEXT,
    generation      INTEGER,
    wake_at         INTEGER,
    starts_at       INTEGER CHECK (starts_at IS spec ->> '$.not_before'),
    -- The turn of another operation that its message goes into.
    target_turn     TEXT CHECK (target_turn IS spec ->> '$.target.turn.turn'),
    -- The newest turn of its thread before a review or a compaction was asked for; empty where there was none.
    after_turn      TEXT,
    attempts        INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    started_at      INTEGER,
    ended_at        INTEGER,
    -- At the end: it can be long, and whoever reads what stands behind it reads through it.
    prompt          TEXT
) STRICT;

INSERT INTO operations_next (accepted, id, request_key, request_digest, spec, prompt_digest, prompt_chars, prompt_form, project_key,
    client_message, state, tag, rank, cost, agent_id, project_turn, agent_turn, writes, thread_id, turn_id, generation, wake_at,
    starts_at, attempts, created_at, updated_at, started_at, ended_at, prompt)
SELECT accepted, id, request_key, request_digest, spec, prompt_digest, prompt_chars, prompt_form, project_key,
    client_message, state, tag, rank, cost, agent_id, project_turn, agent_turn, writes, thread_id, turn_id, generation, wake_at,
    starts_at, attempts, created_at, updated_at, started_at, ended_at, prompt FROM operations;
DROP TABLE operations;
ALTER TABLE operations_next RENAME TO operations;

-- Small ones, of what lives: a commit must cost the same however long the queue is and however much has ended. The tag is
-- in them because SQLite would look it up in the table otherwise, row by row.
CREATE INDEX operations_live ON operations (accepted, tag) WHERE tag <> 'ended';
-- What holds a slot.
CREATE INDEX operations_active ON operations (accepted, tag)
    WHERE tag IN ('creating_thread', 'starting_turn', 'accepted', 'running', 'unresolved');
-- What holds a thread and no slot.
CREATE INDEX operations_moving ON operations (accepted, tag) WHERE tag = 'moving_thread';
-- Holds all that the schedule asks of the queue.
CREATE INDEX operations_queue
    ON operations (accepted, tag, rank, id, thread_id, wake_at, starts_at, project_key, agent_id, cost, project_turn, agent_turn,
        writes)
    WHERE tag = 'queued';
-- The last places in the rows of a project and of its agents.
CREATE INDEX operations_project_turn ON operations (project_key, rank, project_turn) WHERE tag <> 'ended';
CREATE INDEX operations_agent_turn ON operations (project_key, agent_id, rank, agent_turn) WHERE tag <> 'ended';
-- Which of its agents a project serves next.
CREATE INDEX operations_agents ON operations (project_key, rank, agent_turn) WHERE tag = 'queued';
CREATE INDEX operations_next_turn ON operations (project_key, project_turn) WHERE tag = 'queued';
CREATE INDEX operations_start ON operations (wake_at) WHERE tag = 'queued';
CREATE INDEX operations_moment ON operations (starts_at) WHERE tag = 'queued' AND starts_at IS NOT NULL;
CREATE INDEX operations_limit ON operations (wake_at) WHERE tag = 'running';
CREATE INDEX operations_same_prompt ON operations (project_key, prompt_form) WHERE tag <> 'ended';
CREATE INDEX operations_thread ON operations (thread_id) WHERE thread_id IS NOT NULL;
CREATE INDEX operations_turn ON operations (turn_id) WHERE turn_id IS NOT NULL;
-- Messages on their way into a turn, or in it.
CREATE INDEX operations_steers ON operations (target_turn) WHERE target_turn IS NOT NULL AND tag <> 'ended';
-- The second guard of "one turn at a time on a thread".
CREATE UNIQUE INDEX operations_one_turn ON operations (thread_id)
    WHERE tag IN ('moving_thread', 'starting_turn', 'accepted', 'running', 'unresolved');

-- What ran on a thread.
CREATE INDEX turns_thread ON turns (thread_id);
