-- name: insight_levels
-- For how long so many attempts ran at a time since a moment, by pool and in all (''), and for how long so many
-- would have, had none waited: of the newest runs. A run of one attempt tells of it by itself.
WITH newest AS MATERIALIZED (
    SELECT r.run_id, r.task_id, r.attempt, r.state, r.scheduled_at, r.started_at, r.ended_at, r.waiting_for
    FROM runs AS r WHERE r.run_id > (SELECT seq FROM sqlite_sequence WHERE name = 'runs') - :sample
        AND (r.ended_at IS NULL OR r.ended_at > :since)),
spans AS MATERIALIZED (
    SELECT task_id, min(scheduled_at, started_at) AS wanted_at, started_at, coalesce(ended_at, :now) AS ended_at
    FROM newest WHERE started_at IS NOT NULL AND (state = 'running' OR ended_at IS NOT NULL AND attempt <= 1)
    UNION ALL
    SELECT n.task_id, iif(a.attempt = 1, min(n.scheduled_at, a.started_at), a.started_at), a.started_at, a.ended_at
    FROM newest AS n JOIN attempts AS a ON a.run_id = n.run_id
    WHERE (n.ended_at IS NULL OR n.attempt > 1) AND a.started_at IS NOT NULL AND a.ended_at > :since
    UNION ALL
    SELECT task_id, scheduled_at, NULL, :now FROM newest
    WHERE state = 'waiting' AND attempt = 0 AND scheduled_at <= :now AND (waiting_for IS NULL OR waiting_for = 'pool')),
placed AS MATERIALIZED (
    SELECT s.*, coalesce(e.pool, '') AS pool FROM spans AS s LEFT JOIN entries AS e ON e.task_id = s.task_id),
points AS (
    SELECT place.value AS pool, 'busy' AS what, max(started_at, :since) AS at, 1 AS step FROM placed,
        json_each(json_array('', pool)) AS place
        WHERE started_at IS NOT NULL AND (place.key = 0 OR pool <> '')
    UNION ALL SELECT place.value, 'busy', ended_at, -1 FROM placed, json_each(json_array('', pool)) AS place
        WHERE started_at IS NOT NULL AND (place.key = 0 OR pool <> '')
    UNION ALL SELECT place.value, 'wanted', max(wanted_at, :since), 1 FROM placed,
        json_each(json_array('', pool)) AS place WHERE place.key = 0 OR pool <> ''
    UNION ALL SELECT place.value, 'wanted', iif(started_at IS NULL, ended_at, wanted_at + ended_at - started_at), -1
        FROM placed, json_each(json_array('', pool)) AS place WHERE place.key = 0 OR pool <> ''),
levels AS (
    SELECT pool, what, sum(step) OVER line AS level, lead(at) OVER line - at AS lasted FROM points
    WINDOW line AS (PARTITION BY pool, what ORDER BY at, step ROWS UNBOUNDED PRECEDING))
SELECT json_group_array(json_array(pool, what, level, total)) FROM (
    SELECT pool, what, level, sum(lasted) AS total FROM levels WHERE lasted > 0 GROUP BY pool, what, level
    ORDER BY pool, what, level);

-- name: insight_reach
-- When the first of the newest runs was due, if there are more than are looked at; NULL: all are.
SELECT iif((SELECT seq FROM sqlite_sequence WHERE name = 'runs') > :sample, (
    SELECT scheduled_at FROM runs
    WHERE run_id > (SELECT seq FROM sqlite_sequence WHERE name = 'runs') - :sample ORDER BY run_id LIMIT 1), NULL);

-- name: insight_late
-- The tasks of which many of the newest scheduled runs began late: how many runs, how many late, and by how much
-- the median of those.
WITH firsts AS MATERIALIZED (
    SELECT r.task_id, r.started_at - r.scheduled_at AS late FROM runs AS r
    WHERE r.run_id > (SELECT seq FROM sqlite_sequence WHERE name = 'runs') - :sample AND r.origin = 'schedule'
        AND r.attempt = 1 AND r.started_at IS NOT NULL AND r.scheduled_at >= :since),
counted AS (SELECT task_id, count(*) AS runs, sum(late >= :least) AS late_runs FROM firsts GROUP BY task_id),
ranked AS (
    SELECT task_id, late, row_number() OVER (PARTITION BY task_id ORDER BY late) AS place,
        count(*) OVER (PARTITION BY task_id) AS total FROM firsts WHERE late >= :least)
SELECT json_group_array(json_array(task_id, runs, late_runs, late, pool)) FROM (
    SELECT c.task_id, c.runs, c.late_runs, r.late, e.pool FROM counted AS c
    JOIN ranked AS r ON r.task_id = c.task_id AND r.place = (r.total + 1) / 2
    JOIN entries AS e ON e.task_id = c.task_id
    WHERE c.late_runs >= :few AND c.late_runs >= :share * c.runs ORDER BY r.late DESC, c.task_id LIMIT :limit);

-- name: insight_slower
-- The tasks of a page that take far longer than they used to: the mean of the newest time against the time before it.
WITH halves AS (
    SELECT task_id, slot, succeeded + failed + timed_out + cancelled + lost AS runs, duration FROM rollups
    WHERE task_id > :after AND task_id <= :upto AND slot >= :since
    UNION ALL
    SELECT task_id, started_at / 1800000000, 1, max(0, ended_at - started_at) FROM (
        SELECT * FROM runs WHERE run_id > (SELECT run_id FROM counted)
        UNION ALL SELECT r.* FROM uncounted AS u CROSS JOIN runs AS r WHERE r.run_id = u.run_id)
    WHERE task_id > :after AND task_id <= :upto AND state NOT IN ('waiting', 'running', 'skipped') AND ended_at IS NOT NULL AND started_at / 1800000000 >= :since),
both AS (
    SELECT task_id, sum(iif(slot >= :recent, runs, 0)) AS new_runs, sum(iif(slot >= :recent, duration, 0)) AS new_total,
        sum(iif(slot < :recent, runs, 0)) AS old_runs, sum(iif(slot < :recent, duration, 0)) AS old_total
    FROM halves GROUP BY task_id)
SELECT json_group_array(json_array(task_id, old, new)) FROM (
    SELECT task_id, old_total * 1.0 / old_runs AS old, new_total * 1.0 / new_runs AS new FROM both
    WHERE new_runs >= :few AND old_runs >= 2 * :few AND new_total * 1.0 / new_runs >= :times * old_total / old_runs
        AND new_total * 1.0 / new_runs - old_total * 1.0 / old_runs >= :least
    ORDER BY new_total * 1.0 * old_runs / max(1, old_total) / new_runs DESC, task_id LIMIT :limit);

-- name: insight_failing
-- The tasks of a page that failed now and then, and went well more often; and how often they failed.
WITH halves AS (
    SELECT task_id, slot, succeeded, failed + timed_out + lost AS bad FROM rollups WHERE task_id > :after AND task_id <= :upto AND slot >= :since
    UNION ALL
    SELECT task_id, started_at / 1800000000, state = 'succeeded', state IN ('failed', 'timed_out', 'lost') FROM (
        SELECT * FROM runs WHERE run_id > (SELECT run_id FROM counted)
        UNION ALL SELECT r.* FROM uncounted AS u CROSS JOIN runs AS r WHERE r.run_id = u.run_id)
    WHERE task_id > :after AND task_id <= :upto AND state NOT IN ('waiting', 'running', 'skipped') AND started_at / 1800000000 >= :since)
SELECT json_group_array(json_array(task_id, failures)) FROM (
    SELECT task_id, sum(bad) AS failures FROM halves GROUP BY task_id
    HAVING sum(bad) >= :few AND sum(succeeded) > sum(bad) ORDER BY failures DESC, task_id LIMIT :limit);

-- name: insight_never_ran
-- Tasks that were added long ago, have a schedule and never ran: what they skipped, and when they are due.
SELECT json_group_array(json_array(task_id, added_at, skip_count, next_due_at)) FROM (
    SELECT e.task_id, e.added_at, p.skip_count, p.next_due_at
    FROM progress AS p JOIN entries AS e ON e.task_id = p.task_id
    WHERE p.run_count = 0 AND e.added_at < :before AND p.paused_at IS NULL AND p.is_resolved AND p.rule_error IS NULL
        AND e.rules <> '[]' AND (p.skip_count > 0 OR p.next_due_at IS NULL OR p.next_due_at > :far)
        AND NOT EXISTS (SELECT 1 FROM runs AS r WHERE r.task_id = e.task_id)
    ORDER BY p.skip_count DESC, e.task_id LIMIT :limit);

-- name: insight_collisions
-- The moments at which more tasks were due at once than can run, of the newest runs: how many there were, and of the
-- worst one when it was, how many were due, how late the last began, and the first of them.
WITH crowds AS MATERIALIZED (
    SELECT scheduled_at, count(*) AS tasks, max(started_at - scheduled_at) AS late FROM runs
    WHERE run_id > (SELECT seq FROM sqlite_sequence WHERE name = 'runs') - :sample AND origin = 'schedule'
        AND scheduled_at >= :since AND started_at IS NOT NULL AND attempt = 1
    GROUP BY scheduled_at HAVING count(*) > :workers AND max(started_at - scheduled_at) >= :least),
worst AS (SELECT * FROM crowds ORDER BY late DESC, scheduled_at LIMIT 1)
SELECT json_array((SELECT count(*) FROM crowds), scheduled_at, tasks, late, (
    SELECT json_group_array(task_id) FROM (SELECT r.task_id FROM runs AS r
        WHERE r.run_id > (SELECT seq FROM sqlite_sequence WHERE name = 'runs') - :sample
        AND r.origin = 'schedule' AND r.scheduled_at = worst.scheduled_at ORDER BY r.task_id LIMIT :limit)))
FROM worst;

-- name: insight_retried
-- The tasks of which many of the newest runs went well only when they were tried again.
SELECT json_group_array(json_array(task_id, runs, retried)) FROM (
    SELECT task_id, count(*) AS runs, sum(attempt > 1) AS retried FROM runs
    WHERE run_id > (SELECT seq FROM sqlite_sequence WHERE name = 'runs') - :sample AND state = 'succeeded'
        AND scheduled_at >= :since
    GROUP BY task_id HAVING sum(attempt > 1) >= :few AND sum(attempt > 1) >= :share * count(*)
    ORDER BY sum(attempt > 1) * 1.0 / count(*) DESC, task_id LIMIT :limit);

-- name: insight_near_limits
-- The tasks of which several of the newest runs went well and came near to their timeout, or to what they may have of
-- memory: which of both, how many runs, the most that was seen and the limit. A timeout that is not named is the usual one.
WITH newest AS MATERIALIZED (
    SELECT run_id, task_id, ended_at - started_at AS took FROM runs
    WHERE run_id > (SELECT seq FROM sqlite_sequence WHERE name = 'runs') - :sample AND state = 'succeeded'
        AND attempt = 1 AND scheduled_at >= :since),
used AS (
    SELECT n.task_id, 'timeout' AS what, n.took AS used, 1e6 * iif(json_type(e.policies, '$.timeout') IS NULL,
        :usual_timeout, e.policies ->> 'timeout') AS most
    FROM newest AS n JOIN entries AS e ON e.task_id = n.task_id
    UNION ALL
    SELECT n.task_id, 'memory', a.peak_memory_bytes, e.definition -> 'limits' ->> 'memory_bytes'
    FROM newest AS n JOIN entries AS e ON e.task_id = n.task_id AND e.definition -> 'limits' ->> 'memory_bytes' IS NOT NULL
    JOIN attempts AS a ON a.run_id = n.run_id AND a.peak_memory_bytes IS NOT NULL)
SELECT json_group_array(json_array(task_id, what, runs, used, most)) FROM (
    SELECT task_id, what, count(*) AS runs, max(used) AS used, most FROM used WHERE used >= :share * most
    GROUP BY task_id, what HAVING count(*) >= :few ORDER BY max(used) * 1.0 / most DESC, task_id LIMIT :limit);
