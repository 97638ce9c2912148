-- Pools, rate limits, and pauses that end by themselves.

ALTER TABLE progress ADD COLUMN resume_at INTEGER;
CREATE INDEX progress_resume_at ON progress (resume_at) WHERE resume_at IS NOT NULL;

-- The pool for a place of which a run waits, while it does.
ALTER TABLE runs ADD COLUMN pool TEXT;
CREATE INDEX runs_parked ON runs (pool, priority DESC, due_at, run_id) WHERE waiting_for = 'pool';
-- The pool of the policies, where an index finds it.
ALTER TABLE entries ADD COLUMN pool TEXT;
CREATE INDEX entries_pool ON entries (pool) WHERE pool IS NOT NULL;

-- A run that waits for its rate limit comes by itself, as a retry does.
DROP INDEX runs_claimable;
CREATE INDEX runs_claimable ON runs (executor, priority DESC, due_at, run_id) WHERE state = 'waiting'
    AND token IS NULL AND (waiting_for IS NULL OR waiting_for = 'retry' OR waiting_for = 'rate');
DROP INDEX runs_next;
CREATE INDEX runs_next ON runs (due_at) WHERE state = 'waiting'
    AND token IS NULL AND (waiting_for IS NULL OR waiting_for = 'retry' OR waiting_for = 'rate');

-- The latest starts of tasks with a rate limit, one a claim; apart from the runs, which retention takes.
CREATE TABLE starts (
    task_id TEXT NOT NULL,
    token INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (task_id, token)
) STRICT, WITHOUT ROWID;
