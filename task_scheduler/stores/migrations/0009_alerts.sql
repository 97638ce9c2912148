-- Alerts: what is wrong and was told, what waits to be delivered, who asked for silence, who pinged.

CREATE TABLE alerts (
    alert_id INTEGER PRIMARY KEY,
    rule TEXT NOT NULL,
    kind TEXT NOT NULL,
    cause TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    -- When the last of its tasks recovered.
    closed_at INTEGER,
    count INTEGER NOT NULL,
    -- Whether nothing is to be told of it any more.
    is_over INTEGER NOT NULL,
    -- What was told when, as JSON.
    memory TEXT NOT NULL
) STRICT;
CREATE INDEX alerts_alive ON alerts (alert_id) WHERE NOT is_over;
CREATE INDEX alerts_over ON alerts (closed_at) WHERE is_over;

-- The tasks that an alert is about and that have not recovered; a row each, for there may be thousands.
CREATE TABLE alert_tasks (
    alert_id INTEGER NOT NULL,
    task_id TEXT NOT NULL,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER NOT NULL,
    run_id INTEGER,
    PRIMARY KEY (alert_id, task_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert_deliveries (
    delivery_id INTEGER PRIMARY KEY,
    alert_id INTEGER NOT NULL,
    channel TEXT NOT NULL,
    notice TEXT NOT NULL,
    -- waiting, delivered, superseded or given_up.
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    tried_at INTEGER,
    -- What the other end said, or why it could not be reached.
    answer TEXT,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX alert_deliveries_waiting ON alert_deliveries (delivery_id) WHERE state = 'waiting';
CREATE INDEX alert_deliveries_age ON alert_deliveries (created_at);

CREATE TABLE silences (
    silence_id INTEGER PRIMARY KEY,
    pattern TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    reason TEXT,
    actor TEXT NOT NULL
) STRICT;
CREATE INDEX silences_until ON silences (until);

-- The last sign of life of what runs elsewhere.
CREATE TABLE pings (
    check_id TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    -- When it said that it began, while it has not said that it ended.
    started_at INTEGER,
    -- When it last said that all is well, or when it was first expected to.
    fine_at INTEGER NOT NULL,
    text TEXT
) STRICT, WITHOUT ROWID;

-- How far the alerts have followed the runs; one row.
CREATE TABLE alert_cursor (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    seen_at INTEGER NOT NULL
) STRICT;
