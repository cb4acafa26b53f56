"""The only public door: visitors, channel adapters, agents and operators come in here. Owns no data."""
