-- Which ledger this is, how far it came, and whether it is held. One row.
CREATE TABLE ledger (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    -- Given by the first process that holds it; its copies have it too.
    ledger_id TEXT,
    -- The greatest token of a claim; what lies beside the database may tell of a greater one.
    last_token INTEGER NOT NULL,
    -- In a backup alone: when it was made.
    backed_up_at INTEGER,
    -- Nothing starts from here on until the operator names the point from which it goes on.
    held_at INTEGER,
    held_reason TEXT,
    -- What it knew last when it was held: the newest sign of life, the greatest token and run. Runs above that
    -- one were asked for since.
    held_moment INTEGER,
    held_token INTEGER,
    held_run_id INTEGER
) STRICT;

-- Nobody noted the tokens of the epochs so far: the last one that they can have had.
INSERT INTO ledger (one, last_token) SELECT 1, ((coalesce(max(epoch), 0) + 1) << 32) - 1 FROM epochs;
