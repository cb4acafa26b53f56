"""One serial order per session: shards, their owners, grouped commits and what leaves after them."""
