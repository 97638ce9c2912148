-- Which entries have which tag: the `tags` of the definitions, where a tag finds them.
CREATE TABLE tags (
    tag TEXT NOT NULL,
    task_id TEXT NOT NULL,
    PRIMARY KEY (tag, task_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_of_task ON tags (task_id);
