-- A million entries, ten million runs: nothing that happens often reads all of them.

-- The function that an entry needs in the scheduler's own process; NULL where it needs none.
ALTER TABLE entries ADD COLUMN function TEXT;
UPDATE entries SET function = definition ->> 'function'
WHERE kind = 'function' AND executor = 'thread' AND NOT is_code_bound;

-- What a start looks for among all entries: each of these is a part of them, most often a small one.
CREATE INDEX entries_function ON entries (function) WHERE function IS NOT NULL;
CREATE INDEX entries_code_bound ON entries (task_id) WHERE is_code_bound;
CREATE INDEX entries_delayed ON entries (task_id) WHERE anchoring = 3;
CREATE INDEX entries_declared ON entries (origin, task_id) WHERE origin <> 'api';
CREATE INDEX entries_at_boot ON entries (task_id) WHERE instr(lower(rules), '@reboot');
CREATE INDEX progress_unresolved ON progress (task_id) WHERE NOT is_resolved;

-- The runs that somebody looks for: few among those that succeeded. (Every insert and update of a run works the
-- condition out, and a list of more than two in IN takes it three microseconds a run; a query has to say the same.)
CREATE INDEX runs_unusual ON runs (state, run_id)
    WHERE state <> 'succeeded' AND state <> 'waiting' AND state <> 'running';
CREATE INDEX runs_unusual_of_task ON runs (task_id, state, run_id)
    WHERE state <> 'succeeded' AND state <> 'waiting' AND state <> 'running';

-- How many runs of a task ended how, by the half hour in which they began (half hours since the Unix epoch, of
-- UTC), and how long they took together; of all tasks under the id ''. They outlive the runs.
CREATE TABLE rollups (
    task_id TEXT NOT NULL,
    slot INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    timed_out INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    duration INTEGER NOT NULL,
    PRIMARY KEY (task_id, slot)
) STRICT, WITHOUT ROWID;

-- Up to which run all are counted that are over, but for those of `uncounted`, which were not. One row.
CREATE TABLE counted (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    run_id INTEGER NOT NULL
) STRICT;
INSERT INTO counted (one, run_id) VALUES (1, 0);
CREATE TABLE uncounted (run_id INTEGER NOT NULL PRIMARY KEY) STRICT;
