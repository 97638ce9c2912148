-- Which tasks run after which: the `after` of the policies, where a parent's end finds it.
CREATE TABLE chains (
    child TEXT NOT NULL,
    parent TEXT NOT NULL,
    position INTEGER NOT NULL,
    moment TEXT NOT NULL,
    -- The run of the parent that ended as the child wants it, since the child's last chained run.
    run_id INTEGER,
    PRIMARY KEY (child, parent)
) STRICT, WITHOUT ROWID;
CREATE INDEX chains_parent ON chains (parent);
