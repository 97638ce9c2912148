-- name: count_needy
-- How many tasks there are, and how many of them need somebody: their newest run that has ended did not do what
-- it should, their rule raises, or no process has their code.
SELECT json_array(count(*), coalesce(sum(p.rule_error IS NOT NULL OR NOT p.is_resolved OR (
    SELECT state FROM runs WHERE task_id = p.task_id AND state IN ('succeeded', 'failed', 'timed_out', 'cancelled', 'lost')
    ORDER BY run_id DESC LIMIT 1) IN ('failed', 'timed_out', 'lost')), 0)) FROM progress AS p;

-- name: last_tries
-- What became of the last message that was tried through each channel.
SELECT json_group_array(json_object('channel', channel, 'state', state, 'attempts', attempts, 'tried_at', tried_at,
    'answer', answer)) FROM (SELECT * FROM alert_deliveries WHERE delivery_id IN (
        SELECT max(delivery_id) FROM alert_deliveries WHERE attempts > 0 GROUP BY channel) ORDER BY channel);

-- name: ids_beginning
-- Tasks whose id begins with a text, and their names: what a shell completes.
SELECT json_group_array(json_array(task_id, name)) FROM (SELECT task_id, name FROM entries
    WHERE task_id >= :prefix AND substr(task_id, 1, length(:prefix)) = :prefix ORDER BY task_id LIMIT :limit);

-- name: newest_runs
-- The runs that somebody probably means, with their task and state.
SELECT json_group_array(json_array(run_id, task_id, state)) FROM (
    SELECT run_id, task_id, state FROM runs ORDER BY run_id DESC LIMIT :limit);
