CREATE TABLE installation (name TEXT PRIMARY KEY, value INTEGER NOT NULL);

CREATE TABLE shards (shard INTEGER PRIMARY KEY, epoch INTEGER NOT NULL);

CREATE TABLE sessions (
    tenant TEXT NOT NULL,
    session TEXT NOT NULL,
    shard INTEGER NOT NULL,
    version INTEGER NOT NULL,
    shard_epoch INTEGER NOT NULL,
    status TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    head_seq INTEGER NOT NULL,
    channel TEXT NOT NULL,
    external_id TEXT NOT NULL,
    agent TEXT NOT NULL,
    opened_at REAL NOT NULL,
    changed_at REAL NOT NULL,
    waiting_since REAL,
    due_at REAL,
    order_at REAL NOT NULL,   -- waiting_since where it waits, else opened_at
    unsent INTEGER NOT NULL,  -- 1 while pending is not empty
    state BLOB NOT NULL,
    pending BLOB NOT NULL,    -- msgpack: [[id, exchange, key, type, payload], …]
    recent_ids BLOB NOT NULL, -- msgpack: [[dedup_key, message_id, seq], …]
    UNIQUE (tenant, session)
);
CREATE UNIQUE INDEX sessions_by_visitor ON sessions (tenant, channel, external_id) WHERE external_id != '';
CREATE INDEX sessions_unsent ON sessions (shard) WHERE unsent = 1;
CREATE INDEX sessions_due ON sessions (shard, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX sessions_listed ON sessions (tenant, status, order_at, session);
CREATE INDEX sessions_all ON sessions (tenant, order_at, session);

CREATE TABLE messages (
    position INTEGER PRIMARY KEY, -- the order of commits
    tenant TEXT NOT NULL,
    session TEXT NOT NULL,
    seq INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    dedup_key TEXT,
    at REAL NOT NULL,
    outgoing TEXT,                -- the channel that must send it
    payload BLOB NOT NULL,
    UNIQUE (tenant, session, seq)
);
CREATE UNIQUE INDEX messages_once ON messages (tenant, dedup_key) WHERE dedup_key IS NOT NULL;
CREATE INDEX messages_outgoing ON messages (tenant, outgoing, position) WHERE outgoing IS NOT NULL;
