-- name: count_entries
-- How many entries there are.
SELECT count(*) FROM progress;

-- name: ledger_room
-- How many bytes the ledger takes, and how many of them are free.
SELECT json_object('size', (SELECT page_count FROM pragma_page_count) * page_size,
    'free', (SELECT freelist_count FROM pragma_freelist_count) * page_size) FROM pragma_page_size;

-- name: task_status
-- Where tasks stand: all after an id, a page at a time, or those named.
SELECT json_group_array(json_object(
    'task_id', task_id, 'name', name, 'kind', kind, 'origin', origin, 'rules', json(iif(json_valid(rules), rules, 'null')),
    'policies', json(iif(json_valid(policies), policies, 'null')),
    'definition', json(iif(json_valid(definition), definition, 'null')), 'is_resolved', is_resolved,
    'paused_at', paused_at, 'pause_reason', pause_reason, 'resume_at', resume_at, 'rule_error', rule_error, 'next_due_at', next_due_at,
    'run_count', run_count, 'success_count', success_count, 'failure_count', failure_count,
    'skip_count', skip_count, 'duration_total', duration_total, 'duration_max', duration_max,
    'duration_last', duration_last, 'last_run_at', last_run_at, 'last_error', last_error,
    'running', running, 'waiting_at', waiting_at, 'added_at', added_at)) FROM (
    SELECT e.*, p.is_resolved, p.paused_at, p.pause_reason, p.resume_at, p.rule_error, p.next_due_at, p.run_count,
        p.success_count, p.failure_count, p.skip_count, p.duration_total, p.duration_max, p.duration_last,
        p.last_run_at, p.last_error,
        (SELECT count(*) FROM runs AS r WHERE r.task_id = e.task_id AND r.state IN ('waiting', 'running')
            AND r.state = 'running') AS running,
        (SELECT min(r.due_at) FROM runs AS r WHERE r.task_id = e.task_id AND r.state IN ('waiting', 'running')
            AND r.state = 'waiting') AS waiting_at
    FROM entries AS e JOIN progress AS p ON p.task_id = e.task_id
    WHERE e.task_id IN (SELECT value FROM json_each(:ids) UNION ALL SELECT * FROM (
        SELECT task_id FROM entries WHERE :ids IS NULL AND task_id > :after ORDER BY task_id LIMIT :limit))
    ORDER BY e.task_id LIMIT :limit);

-- name: duration_quantile
-- That share of each named task's latest runs that have ended, or of those that ended in one state, took no longer.
SELECT json_group_object(task_id, duration) FROM (
    SELECT task_id, duration, row_number() OVER (PARTITION BY task_id ORDER BY duration) AS position,
        count(*) OVER (PARTITION BY task_id) AS total
    FROM (
        SELECT r.task_id, r.ended_at - r.started_at AS duration
        FROM json_each(:ids) AS t JOIN runs AS r ON r.task_id = t.value AND r.run_id IN (
            SELECT latest.run_id FROM runs AS latest WHERE latest.task_id = t.value
            ORDER BY latest.run_id DESC LIMIT :sample)
        WHERE r.ended_at IS NOT NULL AND r.started_at IS NOT NULL AND (:state IS NULL OR r.state = :state)))
WHERE position = max(1, CAST(total * :share + 0.999999 AS INTEGER));

-- name: ids_from
-- The tasks that one kind of source declared, other than programs.
SELECT json_group_array(task_id) FROM entries WHERE origin <> 'api' AND origin = :origin;

-- name: count_running
-- The runs that run now.
SELECT count(*) FROM runs WHERE state IN ('waiting', 'running') AND state = 'running';

-- name: count_backlog
-- The runs that are due and that nobody has begun.
SELECT count(*) FROM runs WHERE state IN ('waiting', 'running') AND state = 'waiting' AND due_at <= :now;

-- name: standing_of_tasks
-- How tasks stand: those that are named, and as many more as there is room for; with the last success among their
-- latest runs.
SELECT json_group_array(json_array(p.task_id, p.next_due_at, p.paused_at IS NOT NULL, p.is_resolved = 0,
    (SELECT max(ended_at) FROM (SELECT r.state, r.ended_at FROM runs AS r INDEXED BY runs_of_task
        WHERE r.task_id = p.task_id ORDER BY r.run_id DESC LIMIT 20) WHERE state = 'succeeded')))
FROM progress AS p WHERE p.task_id IN (SELECT value FROM json_each(:ids) UNION ALL SELECT * FROM (
    SELECT task_id FROM progress WHERE task_id NOT IN (SELECT value FROM json_each(:ids)) ORDER BY task_id LIMIT :room));

-- name: find_runs
-- The newest runs, a page at a time; with a state only of those that most runs come to.
SELECT json_group_array(run_id) FROM (SELECT run_id FROM runs WHERE run_id < :before
    AND (:state IS NULL OR state = :state) ORDER BY run_id DESC LIMIT :limit);

-- name: find_runs_of_task
-- The same of one task.
SELECT json_group_array(run_id) FROM (SELECT run_id FROM runs INDEXED BY runs_of_task WHERE task_id = :task_id AND run_id < :before
    AND (:state IS NULL OR state = :state) ORDER BY run_id DESC LIMIT :limit);

-- name: find_unusual_runs
-- The newest runs that ended otherwise than most do, by an index of them alone. Told which: in the order of ids
-- SQLite would rather walk through all that went well.
SELECT json_group_array(run_id) FROM (SELECT run_id FROM runs INDEXED BY runs_unusual
    WHERE state <> 'succeeded' AND state <> 'waiting' AND state <> 'running' AND state = :state AND run_id < :before
    ORDER BY run_id DESC LIMIT :limit);

-- name: find_unusual_runs_of_task
-- The same of one task.
SELECT json_group_array(run_id) FROM (SELECT run_id FROM runs INDEXED BY runs_unusual_of_task
    WHERE state <> 'succeeded' AND state <> 'waiting' AND state <> 'running' AND state = :state AND task_id = :task_id
    AND run_id < :before ORDER BY run_id DESC LIMIT :limit);

-- name: find_unfinished_runs
-- The newest runs that wait or run, of one task or of all.
SELECT json_group_array(run_id) FROM (SELECT run_id FROM runs INDEXED BY runs_unfinished
    WHERE state IN ('waiting', 'running') AND state = :state
    AND run_id < :before AND (:task_id IS NULL OR task_id = :task_id) ORDER BY run_id DESC LIMIT :limit);

-- name: list_runs
-- Runs by id, the newest first.
SELECT json_group_array(json_object('run_id', run_id, 'task_id', task_id, 'key', key, 'origin', origin,
    'state', state, 'scheduled_at', scheduled_at, 'due_at', due_at, 'waiting_for', waiting_for,
    'attempt', attempt, 'started_at', started_at, 'ended_at', ended_at, 'error', error, 'reason', reason)) FROM (
    SELECT * FROM runs WHERE run_id IN (SELECT value FROM json_each(:ids)) ORDER BY run_id DESC);

-- name: show_run
-- One run.
SELECT json_object('run_id', run_id, 'task_id', task_id, 'key', key, 'origin', origin,
    'state', state, 'scheduled_at', scheduled_at, 'due_at', due_at, 'waiting_for', waiting_for,
    'attempt', attempt, 'started_at', started_at, 'ended_at', ended_at, 'error', error, 'reason', reason)
FROM runs WHERE run_id = :run_id;

-- name: usage_of_runs
-- What runs used, by all of their attempts: the most memory, and the sums of the rest; of those that were measured.
SELECT json_group_object(run_id, json_array(memory, cpu, bytes_read, bytes_written)) FROM (
    SELECT run_id, max(peak_memory_bytes) AS memory, sum(cpu_seconds) AS cpu, sum(read_bytes) AS bytes_read,
        sum(written_bytes) AS bytes_written FROM attempts
    WHERE run_id IN (SELECT value FROM json_each(:ids)) AND cpu_seconds IS NOT NULL GROUP BY run_id);

-- name: list_attempts
-- The attempts of one run, oldest first.
SELECT json_group_array(json_object('attempt', attempt, 'token', token, 'outcome', outcome,
    'started_at', started_at, 'ended_at', ended_at, 'error', error, 'exit_code', exit_code,
    'output_path', output_path, 'cpu_seconds', cpu_seconds, 'peak_memory_bytes', peak_memory_bytes,
    'read_bytes', read_bytes, 'written_bytes', written_bytes)) FROM (
    SELECT * FROM attempts WHERE run_id = :run_id ORDER BY token);

-- name: list_skips
-- The newest skips.
SELECT json_group_array(json_object('skip_id', skip_id, 'task_id', task_id, 'reason', reason,
    'first_at', first_at, 'last_at', last_at, 'count', count, 'blocker_run_id', blocker_run_id, 'at', at)) FROM (
    SELECT * FROM skips WHERE skip_id < :before
    ORDER BY skip_id DESC LIMIT :limit);

-- name: list_skips_of_task
-- The newest skips of one task.
SELECT json_group_array(json_object('skip_id', skip_id, 'task_id', task_id, 'reason', reason,
    'first_at', first_at, 'last_at', last_at, 'count', count, 'blocker_run_id', blocker_run_id, 'at', at)) FROM (
    SELECT * FROM skips WHERE task_id = :task_id AND skip_id < :before
    ORDER BY skip_id DESC LIMIT :limit);

-- name: last_runs
-- The newest run that has ended, of each named task: how it stands now.
SELECT json_group_array(json(run)) FROM (SELECT (
    SELECT json_object('run_id', run_id, 'task_id', task_id, 'key', key, 'origin', origin, 'state', state,
        'scheduled_at', scheduled_at, 'due_at', due_at, 'waiting_for', waiting_for, 'attempt', attempt,
        'started_at', started_at, 'ended_at', ended_at, 'error', error, 'reason', reason)
    FROM runs WHERE task_id = t.value AND state IN ('succeeded', 'failed', 'timed_out', 'cancelled', 'lost')
    ORDER BY run_id DESC LIMIT 1) AS run FROM json_each(:ids) AS t) WHERE run IS NOT NULL;

-- name: find_tasks
-- A page of ids, of the tasks in whose id or name a text stands.
SELECT json_group_array(task_id) FROM (SELECT task_id FROM entries WHERE task_id > :after
    AND (:search IS NULL OR instr(lower(task_id || ' ' || name), :search)) ORDER BY task_id LIMIT :limit);
