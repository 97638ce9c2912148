-- name: settle_attempts
-- One row an attempt, written once; only the holder of the run's token may write it.
INSERT OR IGNORE INTO attempts (run_id, attempt, token, outcome, started_at, ended_at, error, exit_code, output_path,
    cpu_seconds, peak_memory_bytes, read_bytes, written_bytes)
WITH j(run_id, token, attempt, outcome, started_at, ended_at, error, exit_code, output_path, cpu, memory, read, written) AS
(VALUES (:run_id, :token, :attempt, :outcome, :started_at, :ended_at, :error, :exit_code, :output_path, :cpu, :memory, :read, :written))
SELECT runs.run_id, j.attempt, runs.token, j.outcome, j.started_at, j.ended_at, j.error, j.exit_code, j.output_path,
    j.cpu, j.memory, j.read, j.written
FROM j CROSS JOIN runs WHERE runs.run_id = j.run_id AND runs.token = j.token;

-- name: settle_runs
-- The run's next state: terminal, or waiting for a retry. The token is given up with it.
-- A retry of a paused or code-less task waits for that to end.
UPDATE runs SET state = j.state, attempt = j.attempt, waiting_for = CASE j.waiting_for
        WHEN 'retry' THEN coalesce((SELECT CASE WHEN NOT p.is_resolved THEN 'code'
            WHEN p.paused_at IS NOT NULL AND runs.origin = 'schedule' THEN 'pause' END
            FROM progress AS p WHERE p.task_id = runs.task_id), 'retry')
        ELSE j.waiting_for END,
    due_at = coalesce(j.due_at, runs.due_at), started_at = coalesce(j.started_at, runs.started_at),
    ended_at = j.ended_at, error = j.error, recoveries = j.recoveries, token = NULL, slot = NULL,
    reason = CASE j.state WHEN 'cancelled' THEN reason END, cancel_reason = NULL
FROM (WITH j(run_id, token, state, attempt, waiting_for, due_at, started_at, ended_at, error, recoveries) AS
    (VALUES (:run_id, :token, :state, :attempt, :waiting_for, :due_at, :started_at, :ended_at, :error, :recoveries)) SELECT * FROM j) AS j
WHERE runs.run_id = j.run_id AND runs.token = j.token AND runs.state IN ('waiting', 'running');

-- name: settle_progress
-- The tallies of each task, summed over the batch before they come here.
UPDATE progress SET run_count = run_count + j.runs, success_count = success_count + j.successes,
    failure_count = failure_count + j.failures, duration_total = duration_total + j.total,
    duration_max = max(duration_max, j.longest), duration_last = coalesce(j.last, duration_last),
    last_run_at = coalesce(j.started_at, last_run_at), last_error = coalesce(j.error, last_error),
    last_failure_run_id = coalesce(j.failure_run_id, last_failure_run_id)
FROM (WITH j(task_id, runs, successes, failures, total, longest, last, started_at, error, failure_run_id) AS
    (VALUES (:task_id, :runs, :successes, :failures, :total, :longest, :last, :started_at, :error, :failure_run_id)) SELECT * FROM j) AS j
WHERE progress.task_id = j.task_id;

-- name: succeed_attempts
-- As `settle_attempts`, of functions that succeeded: there is less to record of them.
INSERT OR IGNORE INTO attempts (run_id, attempt, token, outcome, started_at, ended_at)
WITH j(run_id, token, attempt, started_at, ended_at) AS (VALUES (:run_id, :token, :attempt, :started_at, :ended_at))
SELECT runs.run_id, j.attempt, runs.token, 'succeeded', j.started_at, j.ended_at
FROM j CROSS JOIN runs WHERE runs.run_id = j.run_id AND runs.token = j.token;

-- name: succeed_runs
-- As `settle_runs`, of functions that succeeded.
UPDATE runs SET state = 'succeeded', attempt = j.attempt, waiting_for = NULL, started_at = j.started_at,
    ended_at = j.ended_at, error = NULL, token = NULL, slot = NULL, reason = NULL, cancel_reason = NULL
FROM (WITH j(run_id, token, attempt, started_at, ended_at) AS
    (VALUES (:run_id, :token, :attempt, :started_at, :ended_at)) SELECT * FROM j) AS j
WHERE runs.run_id = j.run_id AND runs.token = j.token
    AND runs.state IN ('waiting', 'running');

-- name: succeed_progress
-- As `settle_progress`, of functions that succeeded.
UPDATE progress SET run_count = run_count + j.runs, success_count = success_count + j.runs,
    duration_total = duration_total + j.total, duration_max = max(duration_max, j.longest),
    duration_last = j.last, last_run_at = j.started_at
FROM (WITH j(task_id, runs, total, longest, last, started_at) AS
    (VALUES (:task_id, :runs, :total, :longest, :last, :started_at)) SELECT * FROM j) AS j
WHERE progress.task_id = j.task_id;

-- name: count_cancelled
-- Runs that had begun and were cancelled while they waited for their next attempt: no settlement counts them.
UPDATE progress SET run_count = run_count + (SELECT count(*) FROM json_each(:rows) AS j JOIN runs AS r
    ON r.run_id = j.value WHERE r.task_id = progress.task_id AND r.state = 'cancelled' AND r.attempt > 0)
WHERE task_id IN (SELECT r.task_id FROM json_each(:rows) AS j JOIN runs AS r ON r.run_id = j.value);

-- name: mark_running
-- A start outlived its tick: from now on the ledger shows it as running.
UPDATE runs SET state = 'running', started_at = j.started_at
FROM (WITH j(run_id, token, started_at) AS
    (VALUES (:run_id, :token, :started_at)) SELECT * FROM j) AS j
WHERE runs.run_id = j.run_id AND runs.token = j.token AND runs.state = 'waiting';

-- name: held_runs
-- Which of these runs are still in the hands of these tokens.
SELECT json_group_array(runs.run_id) FROM json_each(:rows) AS j
JOIN runs ON runs.run_id = j.value ->> 0 AND runs.token = j.value ->> 1;

-- name: claims_now
-- The claims of all, with what was promised about them and whether their task is still there.
SELECT json_group_array(json_array(run_id, token, cancel_reason, reason, EXISTS (
    SELECT 1 FROM progress AS p WHERE p.task_id = runs.task_id))) FROM runs WHERE token IS NOT NULL;

-- name: end_of_thread
-- The thread of a timed-out function has ended at last: its retry may come.
UPDATE runs SET waiting_for = coalesce((SELECT CASE WHEN NOT p.is_resolved THEN 'code'
        WHEN p.paused_at IS NOT NULL AND runs.origin = 'schedule' THEN 'pause' END
        FROM progress AS p WHERE p.task_id = runs.task_id), 'retry')
WHERE waiting_for = 'thread' AND run_id IN (SELECT value FROM json_each(:rows));

-- name: hand_back
-- An unstarted claim is given up, uncounted. That of a paused or code-less task waits for that to end.
-- It may be shown as running: that was written when a worker took it, and a crash came before its start.
UPDATE runs SET state = 'waiting', started_at = CASE state WHEN 'waiting' THEN started_at END, token = NULL,
    slot = NULL, waiting_for = (SELECT CASE WHEN NOT p.is_resolved THEN 'code'
        WHEN p.paused_at IS NOT NULL AND runs.origin = 'schedule' THEN 'pause' END
        FROM progress AS p WHERE p.task_id = runs.task_id)
FROM json_each(:rows) AS j
WHERE runs.run_id = j.value ->> 0 AND runs.token = j.value ->> 1 AND runs.state IN ('waiting', 'running');

-- name: queued_tasks
-- The tasks that have a run waiting for its predecessor.
SELECT json_group_array(DISTINCT task_id) FROM runs WHERE waiting_for = 'overlap';

-- name: release_queued
-- In each of these tasks the oldest runs that wait for a seat may come, as many as there are seats: those that
-- the policy gives, less those of living runs and of threads that nobody can stop (given with the task).
UPDATE runs SET waiting_for = (SELECT CASE WHEN NOT p.is_resolved THEN 'code'
        WHEN p.paused_at IS NOT NULL AND runs.origin = 'schedule' THEN 'pause' END
        FROM progress AS p WHERE p.task_id = runs.task_id)
WHERE run_id IN (
    SELECT run_id FROM (
        SELECT q.run_id, row_number() OVER (PARTITION BY q.task_id ORDER BY q.run_id) AS position,
            CASE WHEN e.policies ->> 'overlap' IS NOT 'allow' THEN 1
                WHEN e.policies ->> 'overlap_limit' > 0 THEN e.policies ->> 'overlap_limit'
                ELSE 1000000000 END - (t.value ->> 1)
            - (SELECT count(*) FROM runs AS living WHERE living.task_id = q.task_id
                AND living.state IN ('waiting', 'running')
                AND coalesce(living.waiting_for, '') NOT IN ('overlap', 'thread')) AS seats
        FROM json_each(:tasks) AS t JOIN runs AS q ON q.task_id = t.value ->> 0 AND q.waiting_for = 'overlap'
        LEFT JOIN entries AS e ON e.task_id = q.task_id)
    WHERE position <= seats);

-- name: due_entries
-- Entries to be looked at now, with the seats of their tasks. The seat of a run that waits for its own
-- thread is counted by who knows the threads.
SELECT json_group_array(json_array(task_id, revision, next_due_at, anchor, taken, queued, blocker, cursor,
    lap)) FROM (
    SELECT p.task_id, p.revision, p.next_due_at, p.anchor, p.cursor, p.lap,
        (SELECT count(*) FROM runs AS r WHERE r.task_id = p.task_id AND r.state IN ('waiting', 'running')
            AND coalesce(r.waiting_for, '') NOT IN ('overlap', 'thread')) AS taken,
        (SELECT count(*) FROM runs AS r WHERE r.task_id = p.task_id AND r.waiting_for = 'overlap') AS queued,
        (SELECT min(r.run_id) FROM runs AS r WHERE r.task_id = p.task_id AND r.state IN ('waiting', 'running'))
            AS blocker
    FROM progress AS p WHERE p.plan_at IS NOT NULL AND p.plan_at <= :now ORDER BY p.plan_at LIMIT :limit);

-- name: known_entries
-- Entries that are due, their parts as texts: those that many entries share are read once.
SELECT json_group_array(json_array(e.task_id, e.name, e.kind, e.executor, e.origin, e.is_code_bound, p.revision,
    p.anchor, e.definition, e.rules, e.policies))
FROM entries AS e JOIN progress AS p ON p.task_id = e.task_id
WHERE e.task_id IN (SELECT value FROM json_each(:ids));

-- name: delayed_tasks
-- The entries that count from the end of their last run.
SELECT json_group_array(task_id) FROM entries WHERE anchoring = 3;

-- name: unarmed_delays
-- Of these entries, those that have run, have no next moment, and of which no run is unfinished; with the moment
-- from which they count: the end of the newest run, or now where a moment after it was skipped.
SELECT json_group_array(json_array(p.task_id, p.revision, CASE WHEN r.ended_at >= p.cursor
    THEN min(r.ended_at, :now) ELSE :now END))
FROM json_each(:ids) AS t JOIN progress AS p ON p.task_id = t.value JOIN entries AS e ON e.task_id = t.value
LEFT JOIN runs AS r ON r.run_id = (SELECT run_id FROM runs WHERE task_id = t.value AND ended_at IS NOT NULL
    ORDER BY run_id DESC LIMIT 1)
WHERE e.anchoring = 3 AND p.next_due_at IS NULL AND p.cursor IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM runs AS u WHERE u.task_id = t.value AND u.state IN ('waiting', 'running'));

-- name: arm_delays
-- The next moment counts from the end of the last run.
UPDATE progress SET anchor = j.value ->> 1, next_due_at = j.value ->> 2,
    plan_at = CASE WHEN paused_at IS NULL AND is_resolved THEN j.value ->> 3 END
FROM json_each(:rows) AS j WHERE progress.task_id = j.value ->> 0;

-- name: insert_runs
-- The identity (task_id, key) is unique: what is planned already is left alone.
INSERT OR IGNORE INTO runs (run_id, task_id, key, origin, state, scheduled_at, due_at, waiting_for, priority,
    executor, token, slot, reason)
WITH j(run_id, task_id, key, origin, state, scheduled_at, due_at, waiting_for, priority, executor, token, slot, reason) AS
(VALUES (:run_id, :task_id, :key, :origin, :state, :at, :due_at, :waiting_for, :priority, :executor, :token, :slot, :reason))
SELECT * FROM j WHERE run_id IS NOT NULL;

-- name: present_runs
-- Which of these runs were really inserted.
SELECT json_group_array(run_id) FROM runs WHERE run_id IN (SELECT value FROM json_each(:rows));

-- name: move_cursors
-- In the transaction of `insert_runs`: a cursor never moves without its run or its skip.
UPDATE progress SET cursor = coalesce(j.cursor, progress.cursor), next_due_at = j.next_due_at,
    plan_at = CASE WHEN paused_at IS NULL THEN j.plan_at END, rule_error = j.rule_error
FROM (WITH j(task_id, cursor, next_due_at, plan_at, rule_error) AS
    (VALUES (:task_id, :cursor, :next_due_at, :plan_at, :rule_error)) SELECT * FROM j) AS j
WHERE progress.task_id = j.task_id;

-- name: open_skips
-- The first moment of the newest range that each of these runs kept out, where nothing came after it.
SELECT json_group_object(j.value ->> 0, s.first_at) FROM json_each(:rows) AS j JOIN skips AS s
ON s.skip_id = (SELECT skip_id FROM skips WHERE blocker_run_id = j.value ->> 0 ORDER BY first_at DESC LIMIT 1)
AND s.last_at = j.value ->> 1;

-- name: insert_skips
-- A range of occurrences without an attempt, and why; it goes on where the same run began it.
INSERT INTO skips (task_id, reason, first_at, last_at, count, blocker_run_id, at)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
FROM json_each(:rows) WHERE true
ON CONFLICT (blocker_run_id, first_at) WHERE blocker_run_id IS NOT NULL
DO UPDATE SET last_at = max(last_at, excluded.last_at), count = count + excluded.count;

-- name: count_skips
-- The tally of skips of each task.
UPDATE progress SET skip_count = skip_count + (j.value ->> 1)
FROM json_each(:rows) AS j WHERE progress.task_id = j.value ->> 0;

-- name: claimable_runs
-- Due runs that nobody has, the most important first; none of a task whose code is not here. Each executor's
-- by itself: a backlog of one is not read again and again on the way to the other's.
SELECT json_group_array(json_array(run_id, task_id, key, scheduled_at, due_at, attempt, priority, executor,
    recoveries, revision, waiting_for, origin)) FROM (
    SELECT r.*, found.revision FROM (
        SELECT * FROM (
        SELECT r.run_id, p.revision FROM runs AS r JOIN progress AS p ON p.task_id = r.task_id
        WHERE r.executor = 'thread' AND r.state = 'waiting' AND r.token IS NULL
            AND (r.waiting_for IS NULL OR r.waiting_for = 'retry' OR r.waiting_for = 'rate') AND r.due_at <= :horizon AND p.is_resolved
            AND (p.paused_at IS NULL OR r.origin <> 'schedule')
            AND r.task_id NOT IN (SELECT value FROM json_each(:occupied))
        ORDER BY r.priority DESC, r.due_at, r.run_id LIMIT :thread_room)
        UNION ALL SELECT * FROM (
        SELECT r.run_id, p.revision FROM runs AS r JOIN progress AS p ON p.task_id = r.task_id
        WHERE r.executor = 'process' AND r.state = 'waiting' AND r.token IS NULL
            AND (r.waiting_for IS NULL OR r.waiting_for = 'retry' OR r.waiting_for = 'rate') AND r.due_at <= :horizon AND p.is_resolved
            AND (p.paused_at IS NULL OR r.origin <> 'schedule')
            AND r.task_id NOT IN (SELECT value FROM json_each(:occupied))
        ORDER BY r.priority DESC, r.due_at, r.run_id LIMIT :process_room)
    ) AS found JOIN runs AS r ON r.run_id = found.run_id
    ORDER BY r.priority DESC, r.due_at, r.run_id LIMIT :limit);

-- name: claim_runs
-- The reservation, durable before anything starts; by the executor and in the pool that the entry has now.
UPDATE runs SET token = j.token, slot = j.slot, executor = j.executor, pool = j.pool
FROM (WITH j(run_id, token, slot, executor, pool) AS
    (VALUES (:run_id, :token, :slot, :executor, :pool)) SELECT * FROM j) AS j
WHERE runs.run_id = j.run_id AND runs.state = 'waiting' AND runs.token IS NULL;

-- name: wake_at
-- The next moments at which a cursor, a waiting run or a pause wants to be looked at, and whether any run waits
-- for a seat.
SELECT json_array(
    (SELECT min(plan_at) FROM progress WHERE plan_at IS NOT NULL),
    (SELECT min(due_at) FROM runs
     WHERE state = 'waiting' AND token IS NULL
         AND (waiting_for IS NULL OR waiting_for = 'retry' OR waiting_for = 'rate')),
    (SELECT min(resume_at) FROM progress WHERE resume_at IS NOT NULL),
    EXISTS (SELECT 1 FROM runs WHERE waiting_for = 'overlap' AND task_id >= ''));

-- name: skip_runs
-- Waiting runs that will never start (again), with the reason.
UPDATE runs SET state = CASE attempt WHEN 0 THEN 'skipped' ELSE 'cancelled' END, reason = j.value ->> 1,
    ended_at = j.value ->> 2, waiting_for = NULL, token = NULL, slot = NULL
FROM json_each(:rows) AS j WHERE runs.run_id = j.value ->> 0 AND runs.state = 'waiting';

-- name: prune_candidates
-- A small batch in order of age: finished, counted for the charts, older than the limit, and not a task's last
-- failure.
SELECT json_array(max(run_id), json_group_array(CASE WHEN is_old THEN run_id END)) FROM (
    SELECT r.run_id, r.state NOT IN ('waiting', 'running') AND coalesce(r.ended_at, r.due_at) < :before
        AND r.run_id IS NOT p.last_failure_run_id AND r.run_id <= (SELECT run_id FROM counted)
        AND r.run_id NOT IN (SELECT run_id FROM uncounted) AS is_old
    FROM runs AS r LEFT JOIN progress AS p ON p.task_id = r.task_id
    WHERE r.run_id > :after ORDER BY r.run_id LIMIT :limit);

-- name: prune_surplus
-- The finished runs of one task beyond the number to keep, but never its last failure.
SELECT json_group_array(run_id) FROM (
    SELECT run_id FROM runs WHERE task_id = :task_id AND run_id <= (
        SELECT run_id FROM runs WHERE task_id = :task_id ORDER BY run_id DESC LIMIT 1 OFFSET :keep)
    AND state NOT IN ('waiting', 'running')
    AND run_id IS NOT (SELECT last_failure_run_id FROM progress WHERE task_id = :task_id)
    AND run_id <= (SELECT run_id FROM counted) AND run_id NOT IN (SELECT run_id FROM uncounted)
    ORDER BY run_id LIMIT :limit);

-- name: next_tasks
-- The last of a page of tasks, and those of the page that may have more runs than are kept.
SELECT json_array(max(task_id), json_group_array(task_id) FILTER (WHERE total > :keep)) FROM (
    SELECT task_id, run_count + skip_count AS total FROM progress WHERE task_id > :after
    ORDER BY task_id LIMIT :limit);

-- name: delete_attempts
-- With their runs.
DELETE FROM attempts WHERE run_id IN (SELECT value FROM json_each(:rows));

-- name: delete_runs
-- What retention gave up.
DELETE FROM runs WHERE run_id IN (SELECT value FROM json_each(:rows));

-- name: prune_skips
-- Old skips, a small batch in order of age.
DELETE FROM skips WHERE skip_id IN (SELECT skip_id FROM skips ORDER BY skip_id LIMIT :limit) AND at < :before;

-- name: prune_surplus_skips
--- The skips of one task beyond the number to keep.
DELETE FROM skips WHERE skip_id IN (SELECT skip_id FROM skips WHERE task_id = :task_id AND skip_id <= (
    SELECT skip_id FROM skips WHERE task_id = :task_id ORDER BY skip_id DESC LIMIT 1 OFFSET :keep)
    ORDER BY skip_id LIMIT :limit);

-- name: runs_given_up
--- Of these ids, those of runs that once were: no greater than the last, and not there any more. None of a ledger
-- that is held: what is unknown to it ran after it.
SELECT json_group_array(i.value) FROM json_each(:rows) AS i
WHERE i.value <= (SELECT seq FROM sqlite_sequence WHERE name = 'runs') AND (SELECT held_at FROM ledger) IS NULL
    AND NOT EXISTS (SELECT 1 FROM runs AS r WHERE r.run_id = i.value);
