-- Questions of the app-server: their ids may be texts; an answer that comes again is known by its digest; lists have an index.
CREATE TABLE interactions_new (
    id            TEXT PRIMARY KEY,
    operation_id  TEXT REFERENCES operations (id),
    thread_id     TEXT,
    turn_id       TEXT,
    item_id       TEXT,
    generation    INTEGER NOT NULL,
    request       TEXT NOT NULL CHECK (json_valid(request)),
    method        TEXT NOT NULL,
    kind          TEXT NOT NULL,
    params        TEXT NOT NULL CHECK (json_valid(params)),
    response      TEXT CHECK (response IS NULL OR json_valid(response)),
    answer_digest TEXT,
    state         TEXT NOT NULL CHECK (json_valid(state)),
    tag           TEXT NOT NULL GENERATED ALWAYS AS (json_extract(state, '$.state')) STORED
        CHECK (tag IN ('pending', 'answering', 'settled')),
    wake_at       INTEGER,
    created_at    INTEGER NOT NULL,
    settled_at    INTEGER,
    UNIQUE (generation, request)
) STRICT;

INSERT INTO interactions_new
    (id, operation_id, thread_id, turn_id, item_id, generation, request, method, kind, params, response, state, wake_at, created_at, settled_at)
SELECT id, operation_id, thread_id, turn_id, item_id, generation, CAST(request AS TEXT), method, kind, params, response, state, wake_at,
    created_at, settled_at
FROM interactions;

DROP TABLE interactions;
ALTER TABLE interactions_new RENAME TO interactions;

CREATE INDEX interactions_open ON interactions (operation_id) WHERE tag <> 'settled';
CREATE INDEX interactions_wake ON interactions (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX interactions_operation ON interactions (operation_id);
CREATE INDEX interactions_created ON interactions (created_at);
