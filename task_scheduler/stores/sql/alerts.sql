-- name: put_alerts
-- Alerts as the desk remembers them now.
INSERT INTO alerts (alert_id, rule, kind, cause, opened_at, last_at, closed_at, count, is_over, memory)
SELECT j.value ->> 0, j.value ->> 1, j.value ->> 2, j.value ->> 3, j.value ->> 4, j.value ->> 5, j.value ->> 6,
    j.value ->> 7, j.value ->> 8, j.value ->> 9 FROM json_each(:rows) AS j WHERE true
ON CONFLICT (alert_id) DO UPDATE SET opened_at = excluded.opened_at, last_at = excluded.last_at,
    closed_at = excluded.closed_at, count = excluded.count, is_over = excluded.is_over, memory = excluded.memory;

-- name: put_alert_tasks
-- Tasks that joined an alert, or failed in it again.
INSERT INTO alert_tasks (alert_id, task_id, name, since, last_at, count, run_id)
SELECT j.value ->> 0, j.value ->> 1, j.value ->> 2, j.value ->> 3, j.value ->> 4, j.value ->> 5, j.value ->> 6
FROM json_each(:rows) AS j WHERE true
ON CONFLICT (alert_id, task_id) DO UPDATE SET since = excluded.since, last_at = excluded.last_at,
    count = excluded.count, run_id = excluded.run_id;

-- name: remove_alert_tasks
-- Tasks that recovered.
DELETE FROM alert_tasks WHERE (alert_id, task_id) IN (
    SELECT j.value ->> 0, j.value ->> 1 FROM json_each(:rows) AS j);

-- name: put_deliveries
-- Messages that are to be delivered, and what became of them; the text never changes.
INSERT INTO alert_deliveries (delivery_id, alert_id, channel, notice, state, created_at, not_before, attempts,
    tried_at, answer, message)
SELECT j.value ->> 0, j.value ->> 1, j.value ->> 2, j.value ->> 3, j.value ->> 4, j.value ->> 5, j.value ->> 6,
    j.value ->> 7, j.value ->> 8, j.value ->> 9, j.value ->> 10 FROM json_each(:rows) AS j WHERE true
ON CONFLICT (delivery_id) DO UPDATE SET state = excluded.state, not_before = excluded.not_before,
    attempts = excluded.attempts, tried_at = excluded.tried_at, answer = excluded.answer;

-- name: put_alert_cursor
-- How far the runs were followed.
INSERT INTO alert_cursor (one, seen_at) VALUES (1, :seen_at)
ON CONFLICT (one) DO UPDATE SET seen_at = max(seen_at, excluded.seen_at);

-- name: prune_deliveries
-- Old deliveries go with the history of the runs that they told of.
DELETE FROM alert_deliveries WHERE delivery_id IN (
    SELECT delivery_id FROM alert_deliveries WHERE created_at < :before AND state <> 'waiting' LIMIT 1000);

-- name: prune_alerts
-- So do alerts that are over.
DELETE FROM alerts WHERE alert_id IN (
    SELECT alert_id FROM alerts WHERE is_over AND closed_at < :before LIMIT 1000);

-- name: insert_silence
-- Somebody wants to hear nothing of these tasks for a while.
INSERT INTO silences (pattern, since, until, reason, actor) VALUES (:pattern, :now, :until, :reason, :actor);

-- name: end_silences
-- The silences of a pattern, or the one of a number, end now.
UPDATE silences SET until = :now WHERE until > :now AND (pattern = :pattern OR silence_id = :silence_id);

-- name: prune_silences
-- Those that ended long ago; the audit has them too.
DELETE FROM silences WHERE until < :before;

-- name: silences_now
-- What is silenced, the first to end first.
SELECT json_group_array(json_object('silence_id', silence_id, 'pattern', pattern, 'since', since, 'until', until,
    'reason', reason, 'actor', actor)) FROM (SELECT * FROM silences WHERE until > :now ORDER BY until, silence_id);

-- name: take_ping
-- What runs elsewhere says how it is.
INSERT INTO pings (check_id, at, kind, started_at, fine_at, text)
VALUES (:check_id, :now, :kind, iif(:kind = 'start', :now, NULL), :now, :text)
ON CONFLICT (check_id) DO UPDATE SET text = excluded.text,
    at = iif(excluded.kind = 'log', at, excluded.at), kind = iif(excluded.kind = 'log', kind, excluded.kind),
    started_at = iif(excluded.kind = 'log', started_at, excluded.started_at),
    fine_at = iif(excluded.kind = 'success', excluded.at, fine_at);

-- name: expect_pings
-- From now on signs of life are expected of these, if they are not yet.
INSERT OR IGNORE INTO pings (check_id, at, kind, fine_at)
SELECT value, :now, 'expected', :now FROM json_each(:ids);

-- name: pings_now
-- The last sign of life of each.
SELECT json_group_array(json_object('check_id', check_id, 'at', at, 'kind', kind, 'started_at', started_at,
    'fine_at', fine_at, 'text', text)) FROM (SELECT * FROM pings ORDER BY check_id);

-- name: alert_cursor
-- How far the runs were followed; NULL where they never were.
SELECT (SELECT seen_at FROM alert_cursor);

-- name: last_alert_ids
-- The greatest numbers given to an alert and to a delivery.
SELECT json_array(coalesce((SELECT max(alert_id) FROM alerts), 0),
    coalesce((SELECT max(delivery_id) FROM alert_deliveries), 0));

-- name: alerts_alive
-- The alerts of which there may be something to tell.
SELECT json_group_array(json_array(alert_id, rule, kind, cause, opened_at, last_at, closed_at, count, is_over,
    memory)) FROM alerts WHERE NOT is_over;

-- name: alert_tasks_alive
-- Their tasks.
SELECT json_group_array(json_array(t.alert_id, t.task_id, t.name, t.since, t.last_at, t.count, t.run_id))
FROM alerts AS a JOIN alert_tasks AS t ON t.alert_id = a.alert_id WHERE NOT a.is_over;

-- name: deliveries_waiting
-- What was not delivered, oldest first.
SELECT json_group_array(json_array(delivery_id, alert_id, channel, notice, state, created_at, not_before, attempts,
    tried_at, answer, message)) FROM (SELECT * FROM alert_deliveries WHERE state = 'waiting' ORDER BY delivery_id);

-- name: list_alerts
-- Alerts as they are listed: those that are open, or the newest of all.
SELECT json_group_array(json_object('alert_id', alert_id, 'rule', rule, 'kind', kind, 'cause', cause,
    'opened_at', opened_at, 'last_at', last_at, 'closed_at', closed_at, 'count', count, 'memory', json(memory),
    'task_count', task_count, 'task_ids', json(task_ids))) FROM (
    SELECT a.*, (SELECT count(*) FROM alert_tasks AS t WHERE t.alert_id = a.alert_id) AS task_count,
        (SELECT json_group_array(task_id) FROM (SELECT task_id FROM alert_tasks AS t
            WHERE t.alert_id = a.alert_id ORDER BY task_id LIMIT 20)) AS task_ids
    FROM alerts AS a WHERE :with_closed OR (NOT a.is_over AND a.closed_at IS NULL)
    ORDER BY a.alert_id DESC LIMIT :limit);

-- name: list_deliveries
-- The newest deliveries.
SELECT json_group_array(json_object('delivery_id', delivery_id, 'alert_id', alert_id, 'channel', channel,
    'notice', notice, 'state', state, 'created_at', created_at, 'not_before', not_before, 'attempts', attempts,
    'tried_at', tried_at, 'answer', answer, 'message', json(message))) FROM (
    SELECT * FROM alert_deliveries ORDER BY delivery_id DESC LIMIT :limit);

-- name: alert_runs_late
-- Due runs that have not begun, and how long ago they were due; what waits for its retry, a pause, its rate or
-- its code has begun before or waits by the wish of its policies.
SELECT json_group_array(json_array(task_id, run_id, due_at, waiting_for)) FROM (
    SELECT task_id, run_id, due_at, waiting_for FROM runs WHERE state IN ('waiting', 'running')
    AND state = 'waiting' AND attempt = 0 AND due_at <= :before
    AND (waiting_for IS NULL OR waiting_for IN ('overlap', 'pool', 'thread')) ORDER BY due_at LIMIT :limit);

-- name: alert_runs_living
-- What runs now, and since when.
SELECT json_group_array(json_array(task_id, run_id, started_at, attempt)) FROM (
    SELECT task_id, run_id, started_at, attempt FROM runs WHERE state IN ('waiting', 'running')
    AND state = 'running' AND started_at IS NOT NULL ORDER BY started_at LIMIT :limit);

-- name: alert_programs_living
-- The programs that run now, and the tokens by which the folders of their attempts are named.
SELECT json_group_array(json_array(task_id, run_id, token)) FROM (
    SELECT task_id, run_id, token FROM runs WHERE state IN ('waiting', 'running') AND state = 'running'
    AND executor = 'process' AND token IS NOT NULL ORDER BY started_at LIMIT :limit);

-- name: alert_unresolved
-- Tasks that do not fire: their code is not here, or their rule raises.
SELECT json_group_array(json_array(task_id, name, rule_error)) FROM (
    SELECT e.task_id, e.name, p.rule_error FROM progress AS p JOIN entries AS e ON e.task_id = p.task_id
    WHERE (NOT p.is_resolved OR p.rule_error IS NOT NULL) AND p.paused_at IS NULL ORDER BY e.task_id LIMIT :limit);

-- name: alert_names
-- What tasks are called.
SELECT json_group_object(task_id, name) FROM entries WHERE task_id IN (SELECT value FROM json_each(:ids));

-- name: alert_ancestors
-- The tasks after which tasks run, and those after which these do, and so on.
WITH RECURSIVE up (task, ancestor) AS (
    SELECT child, parent FROM chains WHERE child IN (SELECT value FROM json_each(:ids))
    UNION SELECT up.task, c.parent FROM up JOIN chains AS c ON c.child = up.ancestor)
SELECT json_group_object(task, json(ancestors)) FROM (
    SELECT task, json_group_array(ancestor) AS ancestors FROM up GROUP BY task);

-- name: alert_history
-- The latest ends of tasks before a moment, the newest first: how a task usually is.
SELECT json_group_object(task_id, json(ends)) FROM (
    SELECT t.value AS task_id, (SELECT json_group_array(json_array(state, ended_at, ended_at - started_at))
        FROM (SELECT state, ended_at, started_at FROM runs WHERE task_id = t.value AND ended_at < :before
            AND state IN ('succeeded', 'failed', 'timed_out', 'lost') ORDER BY run_id DESC LIMIT :sample)) AS ends
    FROM json_each(:ids) AS t);

-- name: alert_attempts
-- The last attempt of runs: exit code and where its output is.
SELECT json_group_object(run_id, json_array(exit_code, output_path)) FROM (
    SELECT a.run_id, a.exit_code, a.output_path, max(a.token) FROM attempts AS a
    WHERE a.run_id IN (SELECT value FROM json_each(:ids)) GROUP BY a.run_id);

-- name: alert_missed_ends
-- Runs that ended badly since a moment: nobody may have been told of them.
SELECT json_group_array(json_array(task_id, run_id, attempt, state, error, ended_at)) FROM (
    SELECT task_id, run_id, attempt, state, error, ended_at FROM runs WHERE ended_at > :since
    AND state IN ('failed', 'timed_out', 'lost') ORDER BY ended_at LIMIT :limit);

-- name: alert_last_success
-- The last run of a task that went well, before a run.
SELECT json_array(run_id, ended_at) FROM runs WHERE task_id = :task_id AND state = 'succeeded'
AND run_id < :before ORDER BY run_id DESC LIMIT 1;

-- name: alert_changes
-- What was changed of a task since a moment, the newest first.
SELECT json_group_array(json_array(at, actor, action, json(before), json(after))) FROM (
    SELECT at, actor, action, before, after FROM audit WHERE task_id = :task_id AND at >= :since
    AND action IN ('add', 'edit', 'remove', 'resume') ORDER BY number DESC LIMIT 3);
