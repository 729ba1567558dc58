-- Goals that workflows set on their threads. Never edited after release: a change is a new file.

CREATE TABLE goals (
    workflow_id  TEXT PRIMARY KEY REFERENCES workflows (id),
    wanted       TEXT NOT NULL CHECK (json_valid(wanted)),
    state        TEXT NOT NULL CHECK (json_valid(state)),
    thread_id    TEXT,
    synced_at    INTEGER
) STRICT, WITHOUT ROWID;
