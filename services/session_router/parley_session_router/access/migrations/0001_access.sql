CREATE TABLE tenants (tenant_id TEXT PRIMARY KEY, created_at REAL NOT NULL);

CREATE TABLE api_keys (
    key_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,      -- separated by spaces
    created_at REAL NOT NULL,
    expires_at REAL,
    revoked_at REAL,
    secret_hash BLOB NOT NULL  -- SHA-256 of 256 random bits
);
CREATE INDEX api_keys_of_tenant ON api_keys (tenant_id, created_at);

CREATE TABLE sites (
    site_key TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    origins TEXT NOT NULL,     -- separated by spaces
    created_at REAL NOT NULL
);

CREATE TABLE signing_keys (
    generation INTEGER PRIMARY KEY,
    kid TEXT NOT NULL,
    private_pem TEXT NOT NULL,
    public_pem TEXT NOT NULL,
    created_at REAL NOT NULL
);
