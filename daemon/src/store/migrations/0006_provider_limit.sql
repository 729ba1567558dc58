-- One row: the usage limit of the provider's account. Never edited after release: a change is a new file.

CREATE TABLE provider_limit (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    -- When a window that is used up is reset, as the provider last said.
    resets_at  INTEGER,
    -- A turn was refused for it: nothing new starts until then.
    holds      INTEGER NOT NULL CHECK (holds IN (0, 1))
) STRICT;

INSERT INTO provider_limit (one, resets_at, holds) VALUES (1, NULL, 0);
