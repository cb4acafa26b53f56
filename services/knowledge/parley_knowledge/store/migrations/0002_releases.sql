CREATE TABLE knowledge_contents (
    tenant_id TEXT NOT NULL,
    chunk_set TEXT NOT NULL,
    document_id TEXT NOT NULL,
    uri TEXT NOT NULL,
    title TEXT NOT NULL,
    language TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    chunk_count INTEGER NOT NULL,
    labels TEXT NOT NULL,
    passages TEXT NOT NULL, -- their hashes, in order, as JSON
    PRIMARY KEY (tenant_id, chunk_set)
) WITHOUT ROWID;

CREATE TABLE knowledge_passages (
    tenant_id TEXT NOT NULL,
    hash TEXT NOT NULL,
    place TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (tenant_id, hash)
) WITHOUT ROWID;

CREATE TABLE knowledge_releases (
    tenant_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    at REAL NOT NULL,
    author TEXT NOT NULL,
    note TEXT NOT NULL,
    proposal_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, number)
) WITHOUT ROWID;

CREATE TABLE knowledge_changes (
    tenant_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    document_id TEXT NOT NULL,
    uri TEXT NOT NULL,
    chunk_set TEXT NOT NULL, -- empty: removed
    version INTEGER NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (tenant_id, number, document_id)
) WITHOUT ROWID;

CREATE TABLE knowledge_heads (
    tenant_id TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE knowledge_proposals (
    tenant_id TEXT NOT NULL,
    proposal_id TEXT NOT NULL,
    at REAL NOT NULL,
    author TEXT NOT NULL,
    note TEXT NOT NULL,
    state TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, proposal_id)
) WITHOUT ROWID;

CREATE TABLE knowledge_proposed (
    tenant_id TEXT NOT NULL,
    proposal_id TEXT NOT NULL,
    document_id TEXT NOT NULL,
    uri TEXT NOT NULL,
    chunk_set TEXT NOT NULL, -- empty: to be removed
    source TEXT NOT NULL,
    PRIMARY KEY (tenant_id, proposal_id, document_id)
) WITHOUT ROWID;

-- What was live before there were releases becomes the first one.
INSERT INTO knowledge_passages
SELECT tenant_id, chunk_set || '.' || ordinal, place, text FROM knowledge_chunks;

INSERT INTO knowledge_contents
SELECT
    tenant_id, chunk_set, document_id, uri, title, language, content_hash, chunk_count, '{}',
    (
        SELECT json_group_array(hash) FROM (
            SELECT chunk_set || '.' || ordinal AS hash FROM knowledge_chunks AS c
            WHERE c.tenant_id = d.tenant_id AND c.chunk_set = d.chunk_set
            ORDER BY ordinal
        )
    )
FROM knowledge_documents AS d WHERE removed = 0;

INSERT INTO knowledge_changes
SELECT tenant_id, 1, document_id, uri, chunk_set, version, source FROM knowledge_documents WHERE removed = 0;

INSERT INTO knowledge_releases
SELECT DISTINCT tenant_id, 1, 0, '', 'all that was known before', '' FROM knowledge_changes;

INSERT INTO knowledge_heads SELECT tenant_id, number FROM knowledge_releases;

DROP TABLE knowledge_documents;
DROP TABLE knowledge_chunks;
DROP TABLE knowledge_revisions;
