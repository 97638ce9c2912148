-- What the configuration last said of each of its tasks: what an entry has otherwise was edited since. Of a task that
-- it says nothing of any more, where it stood when it was archived.
CREATE TABLE declared (
    task_id TEXT NOT NULL PRIMARY KEY,
    -- Name, kind, definition, rules, policies and origin, as the audit has them.
    entry TEXT NOT NULL,
    applied_at INTEGER NOT NULL,
    archived_at INTEGER,
    -- Whether somebody removed it by hand, though it was declared.
    is_removed INTEGER NOT NULL DEFAULT 0,
    -- JSON; NULL while it is declared.
    progress TEXT
) STRICT;
