-- name: seat_usage
-- For how long the newest runs held a seat, by task, and between which moments: what an examination looks at.
WITH newest AS MATERIALIZED (
    SELECT task_id, started_at, ended_at FROM runs
    WHERE run_id > (SELECT seq FROM sqlite_sequence WHERE name = 'runs') - :sample
        AND started_at IS NOT NULL AND ended_at IS NOT NULL)
SELECT json_object('first_at', (SELECT min(started_at) FROM newest), 'last_at', (SELECT max(ended_at) FROM newest),
    'tasks', (SELECT json_group_array(json_array(task_id, runs, total, longest)) FROM (
        SELECT task_id, count(*) AS runs, sum(ended_at - started_at) AS total, max(ended_at - started_at) AS longest
        FROM newest GROUP BY task_id ORDER BY total DESC LIMIT :limit)));

-- name: overlap_skips
-- The tasks that were skipped most since a moment because their last run still lived, of the newest skips.
SELECT json_group_array(json_array(task_id, total)) FROM (
    SELECT task_id, sum(coalesce(count, 1)) AS total FROM skips
    WHERE skip_id > (SELECT max(skip_id) FROM skips) - :sample AND reason = 'overlap' AND last_at >= :since
    GROUP BY task_id ORDER BY total DESC LIMIT :limit);

-- name: running_functions
-- The tasks of which a function runs in a thread of the scheduler now.
SELECT json_group_array(DISTINCT task_id) FROM runs
WHERE state IN ('waiting', 'running') AND state = 'running' AND executor = 'thread';

-- name: unresolved_tasks
-- How many tasks no process has the code of, and the first of them.
SELECT json_array((SELECT count(*) FROM progress WHERE NOT is_resolved), (
    SELECT json_group_array(task_id) FROM (
        SELECT task_id FROM progress WHERE NOT is_resolved ORDER BY task_id LIMIT :limit)));
