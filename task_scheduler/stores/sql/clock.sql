-- name: clock_seen
-- On which boot, and how far apart, the clocks were when the ledger was last brought into step with them.
SELECT json_array(boot_id, clock_offset) FROM clock;

-- name: see_clock
-- In the transaction that brings the ledger into step: it is done once, whatever becomes of the tick.
INSERT INTO clock (one, boot_id, clock_offset) VALUES (1, :boot_id, :offset)
ON CONFLICT (one) DO UPDATE SET boot_id = excluded.boot_id, clock_offset = excluded.clock_offset;

-- name: anchored_shifts
-- By how much each entry that counts from its anchor moves. After a boot nobody knows by how much the clock
-- was set: then those that lie ahead of it move so that their last moment is now.
SELECT json_group_array(json_array(p.task_id, coalesce(:by, :now - coalesce(p.cursor, p.anchor))))
FROM progress AS p JOIN entries AS e ON e.task_id = p.task_id
WHERE e.anchoring > 0 AND (:by IS NOT NULL OR coalesce(p.cursor, p.anchor) > :limit);

-- name: shift_anchored
-- What counts from an anchor follows real time. Its lap parts the moments that the clock shows again.
UPDATE progress SET anchor = anchor + (j.value ->> 1), cursor = cursor + (j.value ->> 1),
    next_due_at = next_due_at + (j.value ->> 1), plan_at = plan_at + (j.value ->> 1), lap = lap + 1
FROM json_each(:rows) AS j WHERE progress.task_id = j.value ->> 0;

-- name: shift_planned
-- Their runs that nobody has begun move with them: one that waits in the far future would hold the seat.
UPDATE runs SET due_at = due_at + p.shift, scheduled_at = scheduled_at + p.shift,
    key = (scheduled_at + p.shift) || '.' || p.lap
FROM (SELECT p.task_id, p.lap, j.value ->> 1 AS shift FROM json_each(:rows) AS j
      JOIN progress AS p ON p.task_id = j.value ->> 0) AS p
WHERE runs.task_id = p.task_id AND runs.state IN ('waiting', 'running') AND runs.state = 'waiting'
AND runs.token IS NULL AND runs.attempt = 0 AND runs.origin = 'schedule';

-- name: shift_delays
-- Retries and requests that wait: a delay is a duration, and a request is of the moment that it was made.
UPDATE runs SET due_at = due_at + coalesce(:by, :now - coalesce(started_at, scheduled_at)),
    scheduled_at = CASE WHEN attempt = 0 AND (origin NOT IN ('schedule', 'backfill') OR key GLOB 'boot:*')
        THEN scheduled_at + coalesce(:by, :now - scheduled_at) ELSE scheduled_at END
WHERE state IN ('waiting', 'running') AND state = 'waiting' AND token IS NULL AND due_at > :now
AND (attempt > 0 OR origin NOT IN ('schedule', 'backfill') OR waiting_for = 'rate' AND scheduled_at <= :now
    OR key GLOB 'boot:*')
AND (:by IS NOT NULL OR coalesce(started_at, scheduled_at) > :limit);

-- name: shift_starts
-- What counts against a rate limit did not happen in the future.
UPDATE starts SET at = at + coalesce(:by, :now - at) WHERE at > :now;

-- name: forget_ahead
-- Runs of the calendar that nobody has begun and whose moment comes again: it is planned again when it comes.
DELETE FROM runs WHERE state IN ('waiting', 'running') AND state = 'waiting' AND token IS NULL AND attempt = 0
AND origin = 'schedule' AND scheduled_at > :limit AND key NOT GLOB 'boot:*'
AND task_id IN (SELECT task_id FROM entries WHERE anchoring = 0);

-- name: ahead_of_clock
-- Entries of the calendar that were planned, added or changed at a time that is the future again.
SELECT json_group_array(json_array(p.task_id, p.revision, p.anchor, p.cursor))
FROM progress AS p JOIN entries AS e ON e.task_id = p.task_id
WHERE (p.next_due_at IS NULL OR p.next_due_at > :now) AND CASE e.anchoring
    WHEN 0 THEN p.cursor > :limit OR p.anchor > :limit OR e.updated_at > :limit
    ELSE p.cursor IS NOT NULL AND (e.anchoring = 2 OR e.anchoring = 1 AND p.next_due_at IS NULL) END;

-- name: rewind_cursors
-- Their next moment counts from the present clock; an instant that had its run has no second one.
UPDATE progress SET anchor = j.value ->> 1, cursor = j.value ->> 2, next_due_at = j.value ->> 3,
    plan_at = CASE WHEN paused_at IS NULL AND is_resolved THEN j.value ->> 4 END, rule_error = j.value ->> 5
FROM json_each(:rows) AS j WHERE progress.task_id = j.value ->> 0;

-- name: skips_beyond
-- Ranges that reach from the past into what is the future again. Those of rules that were changed since stay:
-- what they owed comes no second time.
SELECT json_group_array(json_array(s.skip_id, s.task_id, s.first_at, s.count))
FROM json_each(:ids) AS t JOIN skips AS s ON s.task_id = t.value JOIN entries AS e ON e.task_id = t.value
WHERE s.first_at <= :now AND s.last_at > :now
AND s.skip_id > e.skips_before;

-- name: trim_skips
-- They end now: what comes after has yet to come.
UPDATE skips SET last_at = :now, count = j.value ->> 1
FROM json_each(:rows) AS j WHERE skips.skip_id = j.value ->> 0;

-- name: forget_returned
-- As `forget_ahead`, for claims that come back unstarted after the clock was set back.
DELETE FROM runs WHERE run_id IN (SELECT value ->> 0 FROM json_each(:rows)) AND state = 'waiting'
AND token IS NULL AND attempt = 0 AND origin = 'schedule' AND scheduled_at > :limit AND key NOT GLOB 'boot:*'
AND (SELECT e.anchoring FROM entries AS e WHERE e.task_id = runs.task_id) = 0;

-- name: shift_returned
-- As `shift_planned` and `shift_delays`, for those claims.
UPDATE runs SET due_at = due_at + j.shift,
    scheduled_at = CASE WHEN attempt = 0 AND origin <> 'backfill' THEN scheduled_at + j.shift ELSE scheduled_at END,
    key = CASE WHEN attempt = 0 AND origin = 'schedule' AND key NOT GLOB 'boot:*'
        THEN (scheduled_at + j.shift) || '.' || j.lap ELSE key END
FROM (SELECT j.value ->> 0 AS run_id, j.value ->> 1 AS shift, p.lap, coalesce(e.anchoring, 0) AS anchoring
      FROM json_each(:rows) AS j JOIN runs AS r ON r.run_id = j.value ->> 0
      LEFT JOIN progress AS p ON p.task_id = r.task_id LEFT JOIN entries AS e ON e.task_id = r.task_id) AS j
WHERE runs.run_id = j.run_id AND runs.state = 'waiting' AND runs.token IS NULL
AND (j.anchoring > 0 OR runs.attempt > 0 OR runs.origin <> 'schedule' OR runs.key GLOB 'boot:*');
