CREATE INDEX sessions_waiting ON sessions (shard) WHERE status = 'waiting';
