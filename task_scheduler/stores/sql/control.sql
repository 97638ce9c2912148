-- name: begin_epoch
-- The holder's row; its number is the upper half of every token it hands out.
INSERT INTO epochs (boot_id, pid, version, started_at) VALUES (:boot_id, :pid, :version, :at);

-- name: plan_boot_runs
-- In the transaction of `begin_epoch`: what is due at boot runs once, with the first process of the boot. It
-- waits for a seat as in a queue, until the engine looks whether there is one.
INSERT OR IGNORE INTO runs (task_id, key, origin, state, scheduled_at, due_at, waiting_for, priority, executor)
SELECT e.task_id, 'boot:' || :boot_id, 'schedule', 'waiting', :now, :now, 'overlap',
    coalesce(e.policies ->> 'priority', 0), e.executor
FROM entries AS e WHERE instr(lower(e.rules), '@reboot')
AND :boot_id IS NOT (SELECT boot_id FROM epochs ORDER BY epoch DESC LIMIT 1 OFFSET 1)
AND EXISTS (SELECT 1 FROM json_each(e.rules) AS rule WHERE lower(trim(rule.value ->> 'cron')) = '@reboot');

-- name: last_epoch
-- Who held the ledger last.
SELECT json_array(epoch, boot_id, pid, version, started_at) FROM epochs ORDER BY epoch DESC LIMIT 1;

-- name: last_run_id
-- The greatest id ever given to a run.
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'runs'), 0);

-- name: boot_of_epochs
-- The boot of every process that still has claims.
SELECT json_group_object(epoch, boot_id) FROM epochs
WHERE epoch IN (SELECT DISTINCT token >> 32 FROM runs WHERE token IS NOT NULL);

-- name: claimed_runs
-- What an earlier process had in its hands.
SELECT json_group_array(json_array(run_id, task_id, key, scheduled_at, due_at, attempt, priority, executor,
    recoveries, coalesce(revision, 0), waiting_for, origin, token, slot, state, started_at, cancel_reason, reason,
    pool))
FROM (SELECT r.*, p.revision FROM runs AS r LEFT JOIN progress AS p ON p.task_id = r.task_id
      WHERE r.token IS NOT NULL ORDER BY r.run_id);

-- name: unbind_all
-- At the start of a process no code is bound but that which it has just added; the other entries wait
-- until a live process adds them.
UPDATE progress SET is_resolved = 0, plan_at = NULL
WHERE task_id IN (SELECT task_id FROM entries WHERE is_code_bound) AND is_resolved
AND task_id NOT IN (SELECT value FROM json_each(:bound));

-- name: load_entries
-- Whole entries by id; what is no JSON, as a hand or a bad disk may have left it, is null.
SELECT json_group_array(json_array(e.task_id, e.name, e.kind, e.executor, 
    json(iif(json_valid(e.definition), e.definition, 'null')), json(iif(json_valid(e.rules), e.rules, 'null')),
    json(iif(json_valid(e.policies), e.policies, 'null')), e.origin, e.is_code_bound, p.revision, p.anchor, p.cursor, p.next_due_at, p.paused_at,
    p.is_resolved, p.rule_error))
FROM entries AS e JOIN progress AS p ON p.task_id = e.task_id
WHERE e.task_id IN (SELECT value FROM json_each(:ids));

-- name: has_entries
-- Whether there is any.
SELECT EXISTS (SELECT 1 FROM entries);

-- name: kinds_of
-- Which of these tasks there are, and their kinds.
SELECT json_group_object(task_id, kind) FROM entries WHERE task_id IN (SELECT value FROM json_each(:ids));

-- name: calendar_entries
-- Entries whose moments follow the calendar, and whose next one is yet to come or unknown.
SELECT json_group_array(json_array(p.task_id, p.revision, p.anchor, p.cursor, p.next_due_at))
FROM progress AS p JOIN entries AS e ON e.task_id = p.task_id
WHERE e.anchoring <> 1 AND p.is_resolved AND json_array_length(e.rules) > 0
AND (p.next_due_at IS NULL OR p.next_due_at > :now);

-- name: hold_unresolved
-- The waiting runs of tasks whose code is not here wait for it.
UPDATE runs SET waiting_for = 'code' WHERE state IN ('waiting', 'running') AND state = 'waiting' AND token IS NULL
AND (waiting_for IS NULL OR waiting_for IN ('retry', 'pool', 'rate'))
AND task_id IN (SELECT task_id FROM progress WHERE NOT is_resolved);

-- name: free_resolved
-- The waiting runs of tasks whose code is back; those of a paused one wait on.
UPDATE runs SET waiting_for = (SELECT CASE WHEN p.paused_at IS NOT NULL AND runs.origin = 'schedule' THEN 'pause' END
    FROM progress AS p WHERE p.task_id = runs.task_id)
WHERE state IN ('waiting', 'running') AND state = 'waiting' AND waiting_for = 'code'
AND EXISTS (SELECT 1 FROM progress AS p WHERE p.task_id = runs.task_id AND p.is_resolved);

-- name: forget_threads
-- A new process: whatever thread held a retry back is gone.
UPDATE runs SET waiting_for = 'retry' WHERE waiting_for = 'thread' AND state IN ('waiting', 'running');

-- name: function_references
-- The code that stored entries need, found by leaps: few functions, however many the entries.
WITH RECURSIVE names(function) AS (
    SELECT (SELECT min(function) FROM entries WHERE function IS NOT NULL)
    UNION ALL
    SELECT (SELECT min(e.function) FROM entries AS e WHERE e.function > names.function)
    FROM names WHERE names.function IS NOT NULL)
SELECT json_group_array(function) FROM names WHERE function IS NOT NULL;

-- name: resolve_functions
-- Entries whose code is gone stay visible and do not fire.
UPDATE progress SET is_resolved = 0, plan_at = NULL WHERE task_id IN (
    SELECT task_id FROM entries WHERE function IN (SELECT value FROM json_each(:gone)));

-- name: resolve_again
-- Importable entries whose code is back.
UPDATE progress SET is_resolved = 1, plan_at = CASE WHEN paused_at IS NULL THEN next_due_at END
WHERE NOT is_resolved AND (SELECT NOT e.is_code_bound
    AND coalesce(e.function, '') NOT IN (SELECT value FROM json_each(:gone))
    FROM entries AS e WHERE e.task_id = progress.task_id);

-- name: put_entries
-- The definition, new or changed.
INSERT INTO entries (task_id, name, kind, executor, definition, rules, policies, origin, is_code_bound, added_at,
    updated_at, anchoring)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value -> 4, value -> 5, value -> 6, value ->> 7,
    value ->> 8, value ->> 9, value ->> 9, coalesce(value ->> 10, 0) FROM json_each(:rows) WHERE true
ON CONFLICT (task_id) DO UPDATE SET name = excluded.name, executor = excluded.executor,
    definition = excluded.definition, rules = excluded.rules, policies = excluded.policies,
    origin = excluded.origin, is_code_bound = excluded.is_code_bound, updated_at = excluded.updated_at,
    anchoring = excluded.anchoring, skips_before = CASE
        WHEN rules = excluded.rules THEN skips_before ELSE coalesce((SELECT max(skip_id) FROM skips), 0) END;

-- name: put_progress
-- A new entry's cursor, or the moved one of a changed entry; its history stays.
INSERT INTO progress (task_id, revision, is_resolved, anchor, cursor, next_due_at, plan_at)
SELECT value ->> 0, value ->> 1, 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
FROM json_each(:rows) WHERE true
ON CONFLICT (task_id) DO UPDATE SET revision = excluded.revision, is_resolved = 1, anchor = excluded.anchor,
    cursor = excluded.cursor, next_due_at = excluded.next_due_at,
    plan_at = CASE WHEN paused_at IS NULL THEN excluded.plan_at END, rule_error = NULL;

-- name: remove_entries
-- The definition goes; the history stays until retention takes it.
DELETE FROM entries WHERE task_id IN (SELECT value FROM json_each(:ids));

-- name: remove_progress
-- With its definition.
DELETE FROM progress WHERE task_id IN (SELECT value FROM json_each(:ids));

-- name: waiting_runs
-- The unclaimed waiting runs of some tasks.
SELECT json_group_array(json_array(run_id, task_id, scheduled_at, waiting_for, attempt, origin)) FROM runs
WHERE state IN ('waiting', 'running') AND state = 'waiting' AND token IS NULL
AND task_id IN (SELECT value FROM json_each(:ids));

-- name: planned_ahead
-- The runs of some tasks that are still to come, and that nobody has claimed.
SELECT json_group_array(json_array(task_id, run_id, scheduled_at)) FROM runs
WHERE state IN ('waiting', 'running') AND state = 'waiting' AND token IS NULL AND attempt = 0
AND origin = 'schedule' AND scheduled_at > :now AND task_id IN (SELECT value FROM json_each(:ids));

-- name: forget_runs
-- Runs claimed ahead of their moment that an edit or a pause takes back before it came.
DELETE FROM runs WHERE run_id IN (SELECT value FROM json_each(:rows)) AND state = 'waiting' AND attempt = 0;

-- name: pause_entry
-- Nothing of it is planned until it is resumed.
UPDATE progress SET paused_at = :at, pause_reason = :reason, resume_at = :resume_at, plan_at = NULL
WHERE task_id = :task_id;

-- name: set_resume
-- A pause that ends by itself.
UPDATE progress SET resume_at = :at WHERE task_id = :task_id AND paused_at IS NOT NULL;

-- name: due_resumes
-- The pauses that are to end by now.
SELECT json_group_array(json_array(task_id, resume_at)) FROM progress
WHERE resume_at IS NOT NULL AND resume_at <= :now;

-- name: hold_runs
-- The waiting runs of a paused task wait with it.
UPDATE runs SET waiting_for = 'pause' WHERE task_id = :task_id AND state IN ('waiting', 'running')
AND state = 'waiting' AND token IS NULL AND (waiting_for IS NULL OR waiting_for IN ('retry', 'pool', 'rate'))
AND origin = 'schedule';

-- name: resume_entry
-- Planned again, from the moment that the planner chose.
UPDATE progress SET paused_at = NULL, pause_reason = NULL, resume_at = NULL, cursor = coalesce(:cursor, cursor),
    next_due_at = :next_due_at, plan_at = CASE WHEN is_resolved THEN :plan_at END WHERE task_id = :task_id;

-- name: free_runs
-- What waited for a pause to end, or for code to be bound, and has nothing else to wait for.
-- The plus keeps SQLite from preparing it anew at every call, in the hope of a partial index for that value.
UPDATE runs SET waiting_for = (SELECT CASE WHEN NOT p.is_resolved THEN 'code'
        WHEN p.paused_at IS NOT NULL AND runs.origin = 'schedule' THEN 'pause' END
        FROM progress AS p WHERE p.task_id = runs.task_id)
WHERE state IN ('waiting', 'running') AND +waiting_for = :waiting_for
AND task_id IN (SELECT value FROM json_each(:ids));

-- name: seats_of
-- The living and the queued runs of one task, and the oldest of them.
SELECT json_array(
    (SELECT count(*) FROM runs AS r WHERE r.task_id = :task_id AND r.state IN ('waiting', 'running')
        AND coalesce(r.waiting_for, '') NOT IN ('overlap', 'thread')),
    (SELECT count(*) FROM runs AS r WHERE r.task_id = :task_id AND r.waiting_for = 'overlap'),
    (SELECT min(r.run_id) FROM runs AS r WHERE r.task_id = :task_id AND r.state IN ('waiting', 'running')));

-- name: run_by_key
-- A request that came twice is one run.
SELECT run_id FROM runs WHERE task_id = :task_id AND key = :key;

-- name: run_by_id
-- Where one run stands.
SELECT json_array(run_id, task_id, state, token) FROM runs WHERE run_id = :run_id;

-- name: promise_cancel
-- A cancel of an attempt that began outlives the process that promised it.
UPDATE runs SET cancel_reason = j.value ->> 1, reason = j.value ->> 2
FROM json_each(:rows) AS j WHERE runs.run_id = j.value ->> 0 AND runs.token IS NOT NULL;

-- name: cancel_waiting
-- A run that nobody has, or whose claim (this token) was revoked, is cancelled by the ledger alone.
UPDATE runs SET state = 'cancelled', ended_at = :at, waiting_for = NULL, error = :error, token = NULL, slot = NULL
WHERE run_id = :run_id AND state = 'waiting' AND token IS :token;

-- name: all_task_ids
-- For a hint at the id that was meant.
SELECT json_group_array(task_id) FROM (SELECT task_id FROM progress ORDER BY task_id LIMIT :limit);

-- name: runs_between
-- What became of the occurrences of a range: their moments, and whether they were given up unstarted.
SELECT json_group_array(json_array(scheduled_at, state = 'skipped')) FROM runs WHERE task_id = :task_id
AND origin IN ('schedule', 'backfill') AND scheduled_at >= :first AND scheduled_at <= :last;

-- name: put_definitions
-- What entries are, new or changed: the row here stands for many, which go in as values (`stores.row_values`).
INSERT INTO entries (task_id, name, kind, executor, definition, rules, policies, origin, is_code_bound, added_at,
    updated_at, anchoring, pool, function, skips_before)
SELECT *, coalesce((SELECT max(skip_id) FROM skips), 0) FROM (
VALUES (:each_task_id, :each_name, :each_kind, :each_executor, :each_definition, :each_rules, :each_policies,
    :each_origin, :each_is_code_bound, :each_added_at, :each_updated_at, :each_anchoring, :each_pool, :each_function)
) WHERE true
ON CONFLICT (task_id) DO UPDATE SET name = excluded.name, executor = excluded.executor,
    definition = excluded.definition, rules = excluded.rules, policies = excluded.policies,
    origin = excluded.origin, is_code_bound = excluded.is_code_bound, updated_at = excluded.updated_at,
    anchoring = excluded.anchoring, pool = excluded.pool, function = excluded.function, skips_before = CASE
        WHEN rules = excluded.rules THEN skips_before ELSE coalesce((SELECT max(skip_id) FROM skips), 0) END;

-- name: new_progress
-- The cursors of new entries.
INSERT INTO progress (task_id, revision, is_resolved, anchor, next_due_at, plan_at)
VALUES (:each_task_id, 1, 1, :each_anchor, :each_next_due_at, :each_plan_at);
