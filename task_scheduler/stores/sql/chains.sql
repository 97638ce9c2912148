-- name: chain_parents
-- The tasks after which others run.
SELECT json_group_array(DISTINCT parent) FROM chains;

-- name: chain_edges
-- Who waits for whom, to find circles.
SELECT json_group_array(json_array(child, parent)) FROM chains;

-- name: drop_links
-- Links that entries do not have any more.
DELETE FROM chains WHERE child IN (SELECT value FROM json_each(:ids))
AND (child, parent) NOT IN (SELECT value ->> 0, value ->> 1 FROM json_each(:rows));

-- name: put_links
-- The links of entries; a parent that has ended already is not awaited again, unless otherwise now.
INSERT INTO chains (child, parent, position, moment)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(:rows) WHERE true
ON CONFLICT (child, parent) DO UPDATE SET position = excluded.position, moment = excluded.moment,
    run_id = CASE moment WHEN excluded.moment THEN run_id END;

-- name: links_of
-- Who comes after these tasks, when, and whether after all of its parents or any.
SELECT json_group_array(json_array(c.child, c.parent, c.moment, e.policies ->> 'after_mode'))
FROM json_each(:ids) AS t JOIN chains AS c ON c.parent = t.value JOIN entries AS e ON e.task_id = c.child;

-- name: note_ends
-- How parents ended last: a run that is as the child wants it, or none.
UPDATE chains SET run_id = j.value ->> 2 FROM json_each(:rows) AS j
WHERE chains.child = j.value ->> 0 AND chains.parent = j.value ->> 1;

-- name: complete_chains
-- The children all of whose parents have ended as they want, with the runs in the order of the links.
SELECT json_group_array(json_array(child, run_id)) FROM (
    SELECT c.child, c.run_id FROM json_each(:ids) AS t JOIN chains AS c ON c.child = t.value
    WHERE NOT EXISTS (SELECT 1 FROM chains AS other WHERE other.child = c.child AND other.run_id IS NULL)
    ORDER BY c.child, c.position);

-- name: begin_chains
-- Their runs come: from now on all parents are awaited anew.
UPDATE chains SET run_id = NULL WHERE child IN (SELECT value FROM json_each(:ids));

-- name: seats_of_all
-- The living and the queued runs of some tasks.
SELECT json_group_object(t.value, json_array(
    (SELECT count(*) FROM runs AS r WHERE r.task_id = t.value AND r.state IN ('waiting', 'running')
        AND coalesce(r.waiting_for, '') NOT IN ('overlap', 'thread')),
    (SELECT count(*) FROM runs AS r WHERE r.task_id = t.value AND r.waiting_for = 'overlap')))
FROM json_each(:ids) AS t;

-- name: links_to
-- The parents of a task, and how they stand: whether they exist, and the run that counts.
SELECT json_group_array(json_object('task', parent, 'on', moment, 'run_id', run_id,
    'exists', EXISTS (SELECT 1 FROM entries AS e WHERE e.task_id = parent))) FROM (
    SELECT * FROM chains WHERE child = :task_id ORDER BY position);
