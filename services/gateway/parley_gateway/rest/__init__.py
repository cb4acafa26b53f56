"""REST under `/v1`: for channel adapters, agents, operators and the page."""
