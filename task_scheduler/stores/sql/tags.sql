-- name: put_tags
-- The tags of entries.
WITH j(tag, task_id) AS (VALUES (:tag, :task_id))
INSERT OR IGNORE INTO tags (tag, task_id) SELECT tag, task_id FROM j;

-- name: drop_tags
-- The tags of entries that are gone, or have others now.
DELETE FROM tags WHERE task_id IN (SELECT value FROM json_each(:ids));

-- name: tagged
-- The entries of some tags, by tag.
SELECT json_group_object(tag, json(ids)) FROM (
    SELECT tag, json_group_array(task_id) AS ids FROM tags
    WHERE tag IN (SELECT value FROM json_each(:tags)) GROUP BY tag);

-- name: count_tags
-- Every tag, and how many entries have it.
SELECT json_group_object(tag, total) FROM (SELECT tag, count(*) AS total FROM tags GROUP BY tag ORDER BY tag);

-- name: find_tagged_tasks
-- A page of ids, of the tasks that have all of these tags and in whose id or name a text stands.
SELECT json_group_array(task_id) FROM (SELECT t.task_id FROM tags AS t JOIN entries AS e ON e.task_id = t.task_id
    WHERE t.tag = :tags ->> 0 AND t.task_id > :after
    AND NOT EXISTS (SELECT 1 FROM json_each(:tags) AS w WHERE NOT EXISTS (
        SELECT 1 FROM tags AS other WHERE other.tag = w.value AND other.task_id = t.task_id))
    AND (:search IS NULL OR instr(lower(e.task_id || ' ' || e.name), :search)) ORDER BY t.task_id LIMIT :limit);

-- name: find_runs_of_tags
-- The newest runs of the tasks that have all of these tags: of each so many as a page has, then the newest of those.
SELECT json_group_array(run_id) FROM (SELECT r.run_id FROM tags AS t JOIN runs AS r ON r.run_id IN (
        SELECT newest.run_id FROM runs AS newest INDEXED BY runs_of_task
        WHERE newest.task_id = t.task_id AND newest.run_id < :before
        AND (:state IS NULL OR newest.state = :state) ORDER BY newest.run_id DESC LIMIT :limit)
    WHERE t.tag = :tags ->> 0 AND NOT EXISTS (SELECT 1 FROM json_each(:tags) AS w WHERE NOT EXISTS (
        SELECT 1 FROM tags AS other WHERE other.tag = w.value AND other.task_id = t.task_id))
    ORDER BY r.run_id DESC LIMIT :limit);

-- name: list_skips_of_tags
-- The newest skips of the tasks that have all of these tags.
SELECT json_group_array(json_object('skip_id', skip_id, 'task_id', task_id, 'reason', reason,
    'first_at', first_at, 'last_at', last_at, 'count', count, 'blocker_run_id', blocker_run_id, 'at', at)) FROM (
    SELECT s.* FROM tags AS t JOIN skips AS s ON s.skip_id IN (
        SELECT newest.skip_id FROM skips AS newest WHERE newest.task_id = t.task_id AND newest.skip_id < :before
        ORDER BY newest.skip_id DESC LIMIT :limit)
    WHERE t.tag = :tags ->> 0 AND NOT EXISTS (SELECT 1 FROM json_each(:tags) AS w WHERE NOT EXISTS (
        SELECT 1 FROM tags AS other WHERE other.tag = w.value AND other.task_id = t.task_id))
    ORDER BY s.skip_id DESC LIMIT :limit);
