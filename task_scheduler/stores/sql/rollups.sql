-- name: counted_to
-- Up to which run all are counted that are over.
SELECT run_id FROM counted;

-- name: count_runs
-- Into the half hours of their tasks, and of all: the next runs that are over, and those of a page of runs passed
-- over before that are by now.
WITH ended AS (
    SELECT * FROM runs WHERE run_id > :after AND run_id <= :upto AND state NOT IN ('waiting', 'running')
    UNION ALL
    SELECT r.* FROM (SELECT run_id FROM uncounted WHERE run_id > :since ORDER BY run_id LIMIT :limit) AS u
    CROSS JOIN runs AS r WHERE r.run_id = u.run_id AND r.state NOT IN ('waiting', 'running'))
INSERT INTO rollups (task_id, slot, succeeded, failed, timed_out, cancelled, lost, skipped, duration)
SELECT iif(whose.value, task_id, ''), coalesce(started_at, ended_at, due_at) / 1800000000,
    sum(state = 'succeeded'), sum(state = 'failed'), sum(state = 'timed_out'), sum(state = 'cancelled'),
    sum(state = 'lost'), sum(state = 'skipped'), sum(max(0, coalesce(ended_at - started_at, 0)))
FROM ended, json_each('[0, 1]') AS whose WHERE true GROUP BY 1, 2
ON CONFLICT (task_id, slot) DO UPDATE SET succeeded = succeeded + excluded.succeeded,
    failed = failed + excluded.failed, timed_out = timed_out + excluded.timed_out,
    cancelled = cancelled + excluded.cancelled, lost = lost + excluded.lost, skipped = skipped + excluded.skipped,
    duration = duration + excluded.duration;

-- name: forget_uncounted
-- In the transaction of `count_runs`: what of that page is counted now, or gone.
DELETE FROM uncounted WHERE run_id IN (
    SELECT u.run_id FROM (SELECT run_id FROM uncounted WHERE run_id > :since ORDER BY run_id LIMIT :limit) AS u
    WHERE NOT EXISTS (SELECT 1 FROM runs AS r WHERE r.run_id = u.run_id AND r.state IN ('waiting', 'running')));

-- name: pass_uncounted
-- In the transaction of `count_runs`: what is not over yet is counted when it is.
INSERT INTO uncounted (run_id) SELECT run_id FROM runs
WHERE run_id > :after AND run_id <= :upto AND state IN ('waiting', 'running');

-- name: move_counted
-- In the transaction of `count_runs`.
UPDATE counted SET run_id = :upto;

-- name: uncounted_page
-- The last of a page of runs that were passed over; null where the page is not full: the next look begins at the first.
SELECT iif(count(*) < :limit, NULL, max(run_id)) FROM (SELECT run_id FROM uncounted WHERE run_id > :since ORDER BY run_id LIMIT :limit);

-- name: activity
-- The half hours of a task, or of all under the id '', from one on: those that are counted, and what is over and not
-- counted yet. In one statement, for a run that is counted meanwhile would be in neither, or in both.
SELECT json_array((
    SELECT json_group_array(json_array(slot, succeeded, failed, timed_out, cancelled, lost, skipped, duration))
    FROM (SELECT * FROM rollups WHERE task_id = :task_id AND slot >= :since ORDER BY slot)), (
    SELECT json_group_array(json_array(slot, succeeded, failed, timed_out, cancelled, lost, skipped, duration)) FROM (
        SELECT coalesce(started_at, ended_at, due_at) / 1800000000 AS slot, sum(state = 'succeeded') AS succeeded,
            sum(state = 'failed') AS failed, sum(state = 'timed_out') AS timed_out, sum(state = 'cancelled') AS cancelled,
            sum(state = 'lost') AS lost, sum(state = 'skipped') AS skipped,
            sum(max(0, coalesce(ended_at - started_at, 0))) AS duration
        FROM (SELECT * FROM runs WHERE run_id > (SELECT run_id FROM counted)
            UNION ALL SELECT r.* FROM uncounted AS u CROSS JOIN runs AS r WHERE r.run_id = u.run_id)
        WHERE state NOT IN ('waiting', 'running') AND (:task_id = '' OR task_id = :task_id)
        GROUP BY 1 HAVING coalesce(started_at, ended_at, due_at) / 1800000000 >= :since)));

-- name: rollup_page
-- The last of a page of half hours, in the order of tasks.
SELECT json_array(task_id, slot) FROM (SELECT task_id, slot FROM rollups
    WHERE (task_id, slot) > (:task_id, :slot) ORDER BY task_id, slot LIMIT :limit)
ORDER BY task_id DESC, slot DESC LIMIT 1;

-- name: prune_rollups
-- Half hours of that page that are too old.
DELETE FROM rollups WHERE (task_id, slot) > (:task_id, :slot) AND (task_id, slot) <= (:last_id, :last_slot)
AND slot < :before;
