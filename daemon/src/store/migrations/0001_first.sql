-- The first shape. Never edited after release: a change is a new file.
-- States are JSON, with their tag checked against it or generated from it, so the two cannot disagree. Of operations it
-- is checked: SQLite reads whole rows wherever a generated column is asked for, and the queue is read with each commit.

CREATE TABLE operations (
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
        CHECK (tag IN ('queued', 'creating_thread', 'starting_turn', 'accepted', 'running', 'unresolved', 'ended')),
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
    turn_id         TEXT,
    generation      INTEGER,
    wake_at         INTEGER,
    attempts        INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    started_at      INTEGER,
    ended_at        INTEGER,
    -- At the end: it can be long, and whoever reads what stands behind it reads through it.
    prompt          TEXT
) STRICT;

-- Small ones, of what lives: a commit must cost the same however long the queue is and however much has ended. The tag is
-- in them because SQLite would look it up in the table otherwise, row by row.
CREATE INDEX operations_live ON operations (accepted, tag) WHERE tag <> 'ended';
CREATE INDEX operations_active ON operations (accepted, tag) WHERE tag NOT IN ('ended', 'queued');
-- Holds all that the schedule asks of the queue.
CREATE INDEX operations_queue
    ON operations (accepted, tag, rank, id, thread_id, wake_at, project_key, agent_id, cost, project_turn, agent_turn, writes)
    WHERE tag = 'queued';
-- The last places in the rows of a project and of its agents.
CREATE INDEX operations_project_turn ON operations (project_key, rank, project_turn) WHERE tag <> 'ended';
CREATE INDEX operations_agent_turn ON operations (project_key, agent_id, rank, agent_turn) WHERE tag <> 'ended';
-- Which of its agents a project serves next.
CREATE INDEX operations_agents ON operations (project_key, rank, agent_turn) WHERE tag = 'queued';
CREATE INDEX operations_start ON operations (wake_at) WHERE tag = 'queued';
CREATE INDEX operations_limit ON operations (wake_at) WHERE tag = 'running';
CREATE INDEX operations_same_prompt ON operations (project_key, prompt_form) WHERE tag <> 'ended';
CREATE INDEX operations_thread ON operations (thread_id) WHERE thread_id IS NOT NULL;
CREATE INDEX operations_turn ON operations (turn_id) WHERE turn_id IS NOT NULL;
-- The second guard of "one turn at a time on a thread".
CREATE UNIQUE INDEX operations_one_turn ON operations (thread_id)
    WHERE tag IN ('starting_turn', 'accepted', 'running', 'unresolved');

CREATE TABLE turns (
    id            TEXT PRIMARY KEY,
    thread_id     TEXT NOT NULL,
    operation_id  TEXT NOT NULL REFERENCES operations (id),
    generation    INTEGER NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'interrupted', 'unknown_after_app_server_exit')),
    error         TEXT,
    started_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    heard_at      INTEGER NOT NULL,
    stalled_at    INTEGER,
    tokens        TEXT CHECK (tokens IS NULL OR json_valid(tokens))
) STRICT;

CREATE INDEX turns_operation ON turns (operation_id);
CREATE INDEX turns_running ON turns (heard_at) WHERE status = 'running';

CREATE TABLE messages (
    turn_id       TEXT NOT NULL,
    item_id       TEXT NOT NULL,
    ordinal       INTEGER NOT NULL,
    text          TEXT NOT NULL,
    at            INTEGER NOT NULL,
    PRIMARY KEY (turn_id, item_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE interactions (
    id            TEXT PRIMARY KEY,
    operation_id  TEXT REFERENCES operations (id),
    thread_id     TEXT,
    turn_id       TEXT,
    item_id       TEXT,
    generation    INTEGER NOT NULL,
    request       INTEGER NOT NULL,
    method        TEXT NOT NULL,
    kind          TEXT NOT NULL,
    params        TEXT NOT NULL CHECK (json_valid(params)),
    response      TEXT CHECK (response IS NULL OR json_valid(response)),
    state         TEXT NOT NULL CHECK (json_valid(state)),
    tag           TEXT NOT NULL GENERATED ALWAYS AS (json_extract(state, '$.state')) STORED
        CHECK (tag IN ('pending', 'answering', 'settled')),
    wake_at       INTEGER,
    created_at    INTEGER NOT NULL,
    settled_at    INTEGER,
    UNIQUE (generation, request)
) STRICT;

CREATE INDEX interactions_open ON interactions (operation_id) WHERE tag <> 'settled';
CREATE INDEX interactions_wake ON interactions (wake_at) WHERE wake_at IS NOT NULL;

CREATE TABLE effects (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    operation_id  TEXT REFERENCES operations (id),
    body          TEXT NOT NULL CHECK (json_valid(body)),
    due_at        INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX effects_operation ON effects (operation_id);

CREATE TABLE events (
    cursor          INTEGER PRIMARY KEY,
    at              INTEGER NOT NULL,
    kind            TEXT NOT NULL,
    category        TEXT,
    operation_id    TEXT,
    thread_id       TEXT,
    turn_id         TEXT,
    interaction_id  TEXT,
    actor           TEXT NOT NULL,
    body            TEXT NOT NULL CHECK (json_valid(body))
) STRICT;

CREATE INDEX events_operation ON events (operation_id, cursor) WHERE operation_id IS NOT NULL;

-- What must complete first. The row goes when it has.
CREATE TABLE operation_firsts (
    operation_id  TEXT NOT NULL REFERENCES operations (id),
    first_id      TEXT NOT NULL REFERENCES operations (id),
    PRIMARY KEY (operation_id, first_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX operation_firsts_first ON operation_firsts (first_id);

-- Where nothing new may start: the key of a project, or nothing for everywhere.
CREATE TABLE pauses (
    project_key  TEXT PRIMARY KEY,
    since        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: the place that was served last. New work gets its place behind it.
CREATE TABLE schedule (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    served  INTEGER NOT NULL
) STRICT;

INSERT INTO schedule (one, served) VALUES (1, 0);

-- One row: the app-server process that is ours, so that the next daemon can find it again.
CREATE TABLE app_server (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    state       TEXT NOT NULL CHECK (json_valid(state)),
    process     TEXT CHECK (process IS NULL OR json_valid(process)),
    generation  INTEGER NOT NULL
) STRICT;

INSERT INTO app_server (one, state, process, generation) VALUES (1, '{"state":"stopped"}', NULL, 0);
