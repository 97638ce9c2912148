-- name: ledger_row
-- Which ledger this is, how far it came, and whether it is held.
SELECT json_object('ledger_id', ledger_id, 'last_token', last_token, 'backed_up_at', backed_up_at,
    'last_run_id', coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'runs'), 0), 'held_at', held_at,
    'held_reason', held_reason, 'held_moment', held_moment, 'held_token', held_token, 'held_run_id', held_run_id)
FROM ledger;

-- name: name_ledger
-- Once in its life.
UPDATE ledger SET ledger_id = :ledger_id WHERE ledger_id IS NULL;

-- name: is_held
-- Whether nothing may start.
SELECT held_at IS NOT NULL FROM ledger;

-- name: note_claims
-- In the transaction of the claims: what is told beside the database of a greater token is of its future.
UPDATE ledger SET last_token = max(last_token, :token);

-- name: begin_sequences
-- The counters of a ledger that has not counted yet.
INSERT INTO sqlite_sequence (name, seq) SELECT value, 0 FROM json_each('["runs", "epochs"]')
WHERE value NOT IN (SELECT name FROM sqlite_sequence);

-- name: raise_sequences
-- Ids go on above everything that was ever given, also by what the ledger does not know of.
UPDATE sqlite_sequence SET seq = max(seq, CASE name WHEN 'runs' THEN :run_id ELSE :epoch END)
WHERE name IN ('runs', 'epochs');

-- name: hold_ledger
-- Nothing starts from now on. A ledger that is held already stays held for its first reason.
UPDATE ledger SET backed_up_at = NULL, held_at = :at, held_reason = :reason, held_token = :token, held_moment = :moment,
    held_run_id = (SELECT seq FROM sqlite_sequence WHERE name = 'runs')
WHERE held_at IS NULL;

-- name: last_life
-- The newest moment at which the ledger is known to have been in use.
SELECT max(
    (SELECT coalesce(max(backed_up_at), 0) FROM ledger),
    (SELECT coalesce(max(started_at), 0) FROM epochs),
    (SELECT coalesce(max(last_run_at), 0) FROM progress),
    (SELECT coalesce(max(max(coalesce(started_at, 0), coalesce(ended_at, 0))), 0)
     FROM (SELECT started_at, ended_at FROM runs ORDER BY run_id DESC LIMIT 1000)));

-- name: note_backup
-- In the copy alone.
UPDATE ledger SET backed_up_at = :at;

-- name: count_contents
-- What a copy holds.
SELECT json_object('entries', (SELECT count(*) FROM entries), 'runs', (SELECT count(*) FROM runs),
    'newest_run_at', (SELECT max(last_run_at) FROM progress));

-- name: pending_entries
-- Entries of which something was due before a moment, or may have been, a page at a time.
SELECT json_group_array(json_array(task_id, revision, anchor, cursor, next_due_at)) FROM (
    SELECT * FROM progress WHERE (next_due_at < :since OR next_due_at IS NULL AND rule_error IS NOT NULL)
    AND task_id > :after ORDER BY task_id LIMIT :limit);

-- name: pass_over
-- What was due before the point from which it goes on is accounted for.
UPDATE progress SET cursor = j.value ->> 1, next_due_at = j.value ->> 2,
    plan_at = CASE WHEN paused_at IS NULL AND is_resolved THEN j.value ->> 3 END, rule_error = j.value ->> 4
FROM json_each(:rows) AS j WHERE progress.task_id = j.value ->> 0;

-- name: unclaimed_runs
-- Everything that waits and that nobody has in hand.
SELECT json_group_array(json_array(r.run_id, r.task_id, coalesce(e.name, r.task_id), r.scheduled_at, r.attempt,
    r.origin, r.key GLOB 'boot:*'))
FROM runs AS r LEFT JOIN entries AS e ON e.task_id = r.task_id
WHERE r.state IN ('waiting', 'running') AND r.state = 'waiting' AND r.token IS NULL;

-- name: release_ledger
-- The operator has decided.
UPDATE ledger SET backed_up_at = NULL, held_at = NULL, held_reason = NULL, held_moment = NULL, held_token = NULL, held_run_id = NULL;
