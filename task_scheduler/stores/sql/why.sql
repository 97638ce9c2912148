-- name: why_run
-- The newest run of a task that was meant for a stretch of time.
SELECT json_object('run_id', run_id, 'origin', origin, 'state', state, 'scheduled_at', scheduled_at, 'due_at', due_at,
    'waiting_for', waiting_for, 'attempt', attempt, 'started_at', started_at, 'ended_at', ended_at,
    'error', error, 'reason', reason)
FROM runs WHERE task_id = :task_id AND scheduled_at >= :first AND scheduled_at <= :last ORDER BY run_id DESC LIMIT 1;

-- name: why_latest
-- The moment to speak of where none was named: of an unfinished run, else of the newest run or skip.
SELECT coalesce(
    (SELECT min(scheduled_at) FROM runs WHERE task_id = :task_id AND state IN ('waiting', 'running')),
    max(coalesce((SELECT scheduled_at FROM runs WHERE task_id = :task_id ORDER BY run_id DESC LIMIT 1), 0),
        coalesce((SELECT last_at FROM skips WHERE task_id = :task_id ORDER BY skip_id DESC LIMIT 1), 0)));

-- name: why_skip
-- The newest range of skipped occurrences that covers a part of a stretch of time.
SELECT json_object('reason', reason, 'first_at', first_at, 'last_at', last_at, 'count', count,
    'blocker_run_id', blocker_run_id, 'at', at)
FROM skips WHERE task_id = :task_id AND first_at <= :last AND last_at >= :first ORDER BY skip_id DESC LIMIT 1;

-- name: why_blocker
-- The oldest run of a task that lives beside another one.
SELECT min(run_id) FROM runs WHERE task_id = :task_id AND state IN ('waiting', 'running') AND run_id <> :run_id;

-- name: why_start
-- When a process took the ledger, first between two moments.
SELECT min(started_at) FROM epochs WHERE started_at > :first AND started_at <= :last;

-- name: why_pool
-- Who has the places of a pool.
SELECT json_group_array(json_array(r.run_id, r.task_id)) FROM runs AS r
WHERE r.token IS NOT NULL AND r.task_id IN (SELECT task_id FROM entries WHERE pool = :pool);
