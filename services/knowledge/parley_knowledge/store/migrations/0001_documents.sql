CREATE TABLE knowledge_documents (
    tenant_id TEXT NOT NULL,
    document_id TEXT NOT NULL,
    uri TEXT NOT NULL,
    title TEXT NOT NULL,
    language TEXT NOT NULL,
    version INTEGER NOT NULL,
    content_hash TEXT NOT NULL,
    chunk_set TEXT NOT NULL,
    chunk_count INTEGER NOT NULL,
    source TEXT NOT NULL,
    removed INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, document_id)
) WITHOUT ROWID;

CREATE INDEX knowledge_documents_by_uri ON knowledge_documents (tenant_id, uri);

CREATE TABLE knowledge_chunks (
    tenant_id TEXT NOT NULL,
    chunk_set TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    place TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (tenant_id, chunk_set, ordinal)
) WITHOUT ROWID;

CREATE TABLE knowledge_revisions (
    tenant_id TEXT PRIMARY KEY,
    revision INTEGER NOT NULL
) WITHOUT ROWID;
