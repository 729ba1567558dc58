-- Plan workflows, and every plan that codex wrote down. Never edited after release: a change is a new file.

CREATE TABLE workflows (
    id              TEXT PRIMARY KEY,
    request_key     TEXT NOT NULL UNIQUE,
    request_digest  TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (json_valid(state)),
    tag             TEXT NOT NULL GENERATED ALWAYS AS (state ->> '$.phase') STORED
        CHECK (tag IN ('planning', 'planned', 'not_planned', 'executing', 'ended')),
    -- The newest planning turn, and the execution.
    plan_operation  TEXT NOT NULL REFERENCES operations (id),
    execution       TEXT REFERENCES operations (id),
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    ended_at        INTEGER
) STRICT;

-- A plan belongs to a workflow as one of its versions, or to nobody: one of a turn that was not asked for by a workflow.
CREATE TABLE plans (
    turn_id      TEXT NOT NULL,
    item_id      TEXT NOT NULL,
    thread_id    TEXT NOT NULL,
    text         TEXT NOT NULL,
    hash         TEXT NOT NULL,
    quality      TEXT NOT NULL CHECK (json_valid(quality)),
    workflow_id  TEXT REFERENCES workflows (id),
    version      INTEGER,
    at           INTEGER NOT NULL,
    PRIMARY KEY (turn_id, item_id),
    UNIQUE (workflow_id, version),
    CHECK ((workflow_id IS NULL) = (version IS NULL))
) STRICT;

CREATE INDEX plans_thread ON plans (thread_id);
