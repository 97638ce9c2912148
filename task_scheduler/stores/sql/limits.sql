-- name: put_pools
-- The pools of new and changed entries, where the index finds them.
UPDATE entries SET pool = policies ->> 'pool'
WHERE task_id IN (SELECT value FROM json_each(:ids)) AND pool IS NOT policies ->> 'pool';

-- name: parked_pools
-- The pools for whose places runs wait, found by leaps however many runs those are.
WITH RECURSIVE names(pool) AS (
    SELECT (SELECT min(pool) FROM runs WHERE waiting_for = 'pool')
    UNION ALL
    SELECT (SELECT min(r.pool) FROM runs AS r WHERE r.waiting_for = 'pool' AND r.pool > names.pool)
    FROM names WHERE names.pool IS NOT NULL)
SELECT json_group_array(pool) FROM names WHERE pool IS NOT NULL;

-- name: park_runs
-- The due runs of full pools stand aside: what is claimable stays short.
UPDATE runs SET waiting_for = 'pool', pool = e.pool
FROM json_each(:pools) AS full JOIN entries AS e ON e.pool = full.value
WHERE runs.task_id = e.task_id AND runs.state IN ('waiting', 'running') AND runs.state = 'waiting'
    AND runs.token IS NULL AND runs.due_at <= :horizon
    AND (runs.waiting_for IS NULL OR runs.waiting_for = 'retry' OR runs.waiting_for = 'rate');

-- name: release_parked
-- The most important runs that wait for a place of a pool may come, as many as there are places.
UPDATE runs SET pool = NULL, waiting_for = (SELECT CASE WHEN NOT p.is_resolved THEN 'code'
        WHEN p.paused_at IS NOT NULL AND runs.origin = 'schedule' THEN 'pause' END
        FROM progress AS p WHERE p.task_id = runs.task_id)
WHERE run_id IN (
    SELECT run_id FROM runs WHERE waiting_for = 'pool' AND pool = :pool
        AND task_id NOT IN (SELECT value FROM json_each(:occupied))
    ORDER BY priority DESC, due_at, run_id LIMIT :places);

-- name: free_limited
-- A changed task may have another pool or rate: its runs come to be decided anew.
UPDATE runs SET pool = NULL, due_at = CASE waiting_for WHEN 'rate' THEN min(due_at, :now) ELSE due_at END,
    waiting_for = (SELECT CASE WHEN NOT p.is_resolved THEN 'code'
        WHEN p.paused_at IS NOT NULL AND runs.origin = 'schedule' THEN 'pause' END
        FROM progress AS p WHERE p.task_id = runs.task_id)
WHERE state IN ('waiting', 'running') AND state = 'waiting' AND waiting_for IN ('pool', 'rate')
AND task_id IN (SELECT value FROM json_each(:ids));

-- name: recent_starts
-- When tasks with a rate limit started last.
SELECT json_group_object(task_id, json(moments)) FROM (
    SELECT s.task_id, json_group_array(s.at) AS moments FROM json_each(:ids) AS t
    JOIN starts AS s ON s.task_id = t.value GROUP BY s.task_id);

-- name: note_starts
-- One row a claim; the moment of the start takes the place of that of the claim, which it never lies before:
-- of an attempt that was lost only its due moment may be known, long before it began.
INSERT INTO starts (task_id, token, at)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:rows) WHERE true
ON CONFLICT (task_id, token) DO UPDATE SET at = max(at, excluded.at);

-- name: forget_starts
-- Claims that came back without a start.
DELETE FROM starts WHERE (task_id, token) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:rows));

-- name: prune_starts
-- What no rate counts any more, and what was noted before the clock was set back.
DELETE FROM starts WHERE task_id IN (SELECT value ->> 0 FROM json_each(:rows))
AND (at > :after OR at <= (SELECT value ->> 1 FROM json_each(:rows) WHERE value ->> 0 = starts.task_id));

-- name: delay_runs
-- The due runs of a task at its rate wait, each for the moment at which another start will be allowed.
UPDATE runs SET waiting_for = 'rate', due_at = found.at FROM (
    SELECT run_id, (moments ->> (position % json_array_length(moments)))
        + period * (position / json_array_length(moments)) AS at FROM (
        SELECT r.run_id, j.value -> 2 AS moments, j.value ->> 1 AS period,
            row_number() OVER (PARTITION BY r.task_id ORDER BY r.priority DESC, r.run_id) - 1 AS position
        FROM json_each(:rows) AS j JOIN runs AS r ON r.task_id = j.value ->> 0
        WHERE r.state IN ('waiting', 'running') AND r.state = 'waiting' AND r.token IS NULL
            AND (r.waiting_for = 'rate'
                OR ((r.waiting_for IS NULL OR r.waiting_for = 'retry') AND r.due_at <= :horizon)))) AS found
WHERE runs.run_id = found.run_id;
