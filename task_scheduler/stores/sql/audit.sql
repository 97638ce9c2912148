-- name: audit_head
-- The last row of the audit: its number and its hash.
SELECT json_array(number, hash) FROM audit ORDER BY number DESC LIMIT 1;

-- name: insert_audit
-- What a tick changed.
INSERT INTO audit (number, at, actor, action, task_id, before, after, hash)
VALUES (:each_number, :each_at, :each_actor, :each_action, :each_task_id, :each_before, :each_after, :each_hash);

-- name: list_audit
-- A page of changes, the newest first.
SELECT json_group_array(json_array(number, at, actor, action, task_id, json(before), json(after), hash)) FROM (
    SELECT * FROM audit WHERE number < :before ORDER BY number DESC LIMIT :limit);

-- name: list_audit_of_task
-- The same of one task: also that it was added among very many.
SELECT json_group_array(json_array(number, at, actor, action, task_id, json(before), json(after), hash)) FROM (
    SELECT * FROM audit WHERE number < :before AND task_id = :task_id
    UNION ALL
    SELECT a.* FROM audit AS a WHERE a.number < :before AND a.task_id IS NULL AND a.action = 'add_many'
        AND EXISTS (SELECT 1 FROM json_each(a.after, '$.task_ids') AS one WHERE one.value = :task_id)
    ORDER BY number DESC LIMIT :limit);

-- name: walk_audit
-- A page of changes, in their order.
SELECT json_group_array(json_array(number, at, actor, action, task_id, json(before), json(after), hash)) FROM (
    SELECT * FROM audit WHERE number > :after ORDER BY number LIMIT :limit);
