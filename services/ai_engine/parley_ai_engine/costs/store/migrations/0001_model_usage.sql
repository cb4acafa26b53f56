CREATE TABLE model_usage (
    usage_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    at REAL NOT NULL,
    day TEXT NOT NULL,
    session_id TEXT NOT NULL,
    turn_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    contact_id TEXT NOT NULL,
    model TEXT NOT NULL,
    level TEXT NOT NULL,
    outcome TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    used INTEGER NOT NULL,
    price TEXT NOT NULL,
    instead TEXT NOT NULL,
    saved_by TEXT NOT NULL,
    first_ms INTEGER NOT NULL,
    total_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX model_usage_by_time ON model_usage (at);
CREATE INDEX model_usage_by_tenant ON model_usage (tenant_id, at);
CREATE INDEX model_usage_by_session ON model_usage (tenant_id, session_id);
