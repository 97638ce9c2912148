-- name: put_declared
-- What the configuration says of tasks from now on: the row here stands for many, which go in as values.
INSERT INTO declared (task_id, entry, applied_at) VALUES (:each_task_id, :each_entry, :each_applied_at)
ON CONFLICT (task_id) DO UPDATE SET entry = excluded.entry, applied_at = excluded.applied_at, archived_at = NULL,
    progress = NULL, is_removed = 0;

-- name: archive_declared
-- Tasks of the configuration are about to be removed: where they stand is kept, beside what they were. Up to now all
-- is told that was due (a cursor that is NULL stays so).
INSERT INTO declared (task_id, entry, applied_at, archived_at, is_removed, progress)
SELECT e.task_id, json_object('name', e.name, 'kind', e.kind, 'definition', json(e.definition), 'rules', json(e.rules),
        'policies', json(e.policies), 'origin', e.origin), e.updated_at, :now, 1,
    json_object('anchor', p.anchor, 'cursor', max(p.cursor, :now), 'added_at', e.added_at, 'paused_at', p.paused_at,
        'pause_reason', p.pause_reason, 'resume_at', p.resume_at, 'run_count', p.run_count,
        'success_count', p.success_count, 'failure_count', p.failure_count, 'skip_count', p.skip_count,
        'duration_total', p.duration_total, 'duration_max', p.duration_max, 'duration_last', p.duration_last,
        'last_run_at', p.last_run_at, 'last_error', p.last_error, 'last_failure_run_id', p.last_failure_run_id,
        'lap', p.lap, 'open', (SELECT json_group_array(run_id) FROM runs AS r
            WHERE r.task_id = e.task_id AND r.state IN ('waiting', 'running')))
FROM entries AS e JOIN progress AS p ON p.task_id = e.task_id
WHERE e.task_id IN (SELECT value FROM json_each(:ids)) AND (e.origin = 'config' OR e.task_id IN (SELECT task_id FROM declared))
    AND json_valid(e.definition) AND json_valid(e.rules) AND json_valid(e.policies)
ON CONFLICT (task_id) DO UPDATE SET archived_at = excluded.archived_at, progress = excluded.progress,
    is_removed = 1;

-- name: note_undeclared
-- It was the configuration that removed these.
UPDATE declared SET is_removed = 0 WHERE task_id IN (SELECT value FROM json_each(:ids));

-- name: archived_ids
-- Which of these tasks are archived.
SELECT json_group_array(task_id) FROM declared
WHERE archived_at IS NOT NULL AND task_id IN (SELECT value FROM json_each(:ids));

-- name: restore_entries
-- The definitions of archived tasks that are declared again, as they were; the new ones come over them.
INSERT INTO entries (task_id, name, kind, executor, definition, rules, policies, origin, is_code_bound, added_at,
    updated_at)
SELECT d.task_id, d.entry ->> 'name', j.value ->> 1, j.value ->> 2, d.entry -> 'definition', d.entry -> 'rules',
    d.entry -> 'policies', 'config', 0, d.progress ->> 'added_at', :now
FROM json_each(:rows) AS j JOIN declared AS d ON d.task_id = j.value ->> 0;

-- name: restore_progress
-- Where they stood, for a change to look at: they have no next moment yet. What lived when they were archived, and
-- has ended since, was counted by nobody.
INSERT INTO progress (task_id, revision, is_resolved, anchor, cursor, paused_at, pause_reason, resume_at, run_count,
    success_count, failure_count, skip_count, duration_total, duration_max, duration_last, last_run_at, last_error,
    last_failure_run_id, lap)
SELECT d.task_id, 1, 0, d.progress ->> 'anchor', d.progress ->> 'cursor', d.progress ->> 'paused_at',
    d.progress ->> 'pause_reason', d.progress ->> 'resume_at',
    (d.progress ->> 'run_count') + coalesce(r.runs, 0), (d.progress ->> 'success_count') + coalesce(r.successes, 0),
    (d.progress ->> 'failure_count') + coalesce(r.failures, 0), d.progress ->> 'skip_count',
    (d.progress ->> 'duration_total') + coalesce(r.total, 0),
    max(d.progress ->> 'duration_max', coalesce(r.longest, 0)), coalesce(r.longest, d.progress ->> 'duration_last'),
    max(coalesce(d.progress ->> 'last_run_at', r.last_at), coalesce(r.last_at, d.progress ->> 'last_run_at')),
    d.progress ->> 'last_error', d.progress ->> 'last_failure_run_id', d.progress ->> 'lap'
FROM json_each(:ids) AS j JOIN declared AS d ON d.task_id = j.value
LEFT JOIN (SELECT runs.task_id, count(*) AS runs, sum(state = 'succeeded') AS successes,
        sum(state IN ('failed', 'timed_out', 'lost')) AS failures, sum(ended_at - started_at) AS total,
        max(ended_at - started_at) AS longest, max(started_at) AS last_at
    FROM json_each(:ids) AS i JOIN declared AS a ON a.task_id = i.value JOIN json_each(a.progress, '$.open') AS o
    JOIN runs ON runs.run_id = o.value
    WHERE runs.state IN ('succeeded', 'failed', 'timed_out', 'lost')
        OR (runs.state = 'cancelled' AND runs.attempt > 0)
    GROUP BY runs.task_id) AS r ON r.task_id = d.task_id;

-- name: list_declared
-- What the configuration said last of its tasks, and when those were archived that it says nothing of any more.
SELECT json_group_array(json_array(task_id, json(entry), applied_at, archived_at, is_removed))
FROM (SELECT * FROM declared WHERE task_id > :after ORDER BY task_id LIMIT :limit);

-- name: archived_moment
-- When a task was archived that is not there any more.
SELECT archived_at FROM declared WHERE task_id = :task_id;
