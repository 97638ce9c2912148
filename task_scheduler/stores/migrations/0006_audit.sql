-- Who changed what, from where. Append-only; each hash covers its row and the hash before it.
CREATE TABLE audit (
    number INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    task_id TEXT,
    -- JSON; NULL where there was, or is, nothing.
    before TEXT,
    after TEXT,
    hash TEXT NOT NULL
) STRICT;

CREATE INDEX audit_by_task ON audit (task_id, number);

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'the audit is append-only'); END;

CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'the audit is append-only'); END;
