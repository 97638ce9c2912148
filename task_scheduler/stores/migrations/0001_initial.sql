-- The ledger: entries and their progress, runs, attempts, skips, and who held it when.
-- Moments are microseconds since the Unix epoch (UTC), durations microseconds.

-- Says that the file is ours ("TSKL"), whatever else calls itself version 1.
PRAGMA application_id = 1414744908;

CREATE TABLE entries (
    task_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    executor TEXT NOT NULL,
    definition TEXT NOT NULL,
    rules TEXT NOT NULL,
    policies TEXT NOT NULL,
    origin TEXT NOT NULL,
    is_code_bound INTEGER NOT NULL,
    added_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- Apart from `entries`, because this row changes at every run and that one hardly ever does:
-- a tick then writes a few narrow pages instead of every definition.
CREATE TABLE progress (
    task_id TEXT NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    is_resolved INTEGER NOT NULL,
    anchor INTEGER NOT NULL,
    cursor INTEGER,
    next_due_at INTEGER,
    plan_at INTEGER,
    paused_at INTEGER,
    pause_reason TEXT,
    rule_error TEXT,
    run_count INTEGER NOT NULL DEFAULT 0,
    success_count INTEGER NOT NULL DEFAULT 0,
    failure_count INTEGER NOT NULL DEFAULT 0,
    skip_count INTEGER NOT NULL DEFAULT 0,
    duration_total INTEGER NOT NULL DEFAULT 0,
    duration_max INTEGER NOT NULL DEFAULT 0,
    duration_last INTEGER,
    last_run_at INTEGER,
    last_error TEXT,
    last_failure_run_id INTEGER
) STRICT;

CREATE INDEX progress_plan_at ON progress (plan_at) WHERE plan_at IS NOT NULL;

-- AUTOINCREMENT: an id is never used again, not even after retention removed the newest runs;
-- output files and attempt folders are named after it.
CREATE TABLE runs (
    run_id INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id TEXT NOT NULL,
    key TEXT NOT NULL,
    origin TEXT NOT NULL,
    state TEXT NOT NULL,
    scheduled_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    waiting_for TEXT,
    priority INTEGER NOT NULL,
    executor TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    recoveries INTEGER NOT NULL DEFAULT 0,
    token INTEGER,
    slot INTEGER,
    started_at INTEGER,
    ended_at INTEGER,
    error TEXT,
    reason TEXT,
    cancel_reason TEXT,
    UNIQUE (task_id, key)
) STRICT;

CREATE INDEX runs_of_task ON runs (task_id);
CREATE INDEX runs_unfinished ON runs (task_id) WHERE state IN ('waiting', 'running');
CREATE INDEX runs_claimable ON runs (executor, priority DESC, due_at, run_id)
    WHERE state = 'waiting' AND token IS NULL AND (waiting_for IS NULL OR waiting_for = 'retry');
CREATE INDEX runs_next ON runs (due_at)
    WHERE state = 'waiting' AND token IS NULL AND (waiting_for IS NULL OR waiting_for = 'retry');
CREATE INDEX runs_queued ON runs (task_id, run_id) WHERE waiting_for = 'overlap';
CREATE INDEX runs_claimed ON runs (run_id) WHERE token IS NOT NULL;

CREATE TABLE attempts (
    run_id INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    token INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    started_at INTEGER,
    ended_at INTEGER NOT NULL,
    error TEXT,
    exit_code INTEGER,
    output_path TEXT,
    PRIMARY KEY (run_id, attempt, token)
) STRICT, WITHOUT ROWID;

CREATE TABLE skips (
    skip_id INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER,
    blocker_run_id INTEGER,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX skips_of_task ON skips (task_id, skip_id);
-- The occurrences that one living run kept out, one after another, are one range.
CREATE UNIQUE INDEX skips_blocker ON skips (blocker_run_id, first_at) WHERE blocker_run_id IS NOT NULL;

-- One row each time a process took the ledger; the upper half of every token is its epoch.
CREATE TABLE epochs (
    epoch INTEGER PRIMARY KEY AUTOINCREMENT,
    boot_id TEXT NOT NULL,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    started_at INTEGER NOT NULL
) STRICT;
