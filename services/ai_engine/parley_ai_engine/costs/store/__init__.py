"""Where the records of calls are kept: SQLite or MongoDB, by a URL."""

from parley_ai_engine.costs.store.opening import open_costs
from parley_ai_engine.costs.store.port import BY, CostQuery, CostStore, CostSum

__all__ = ["BY", "CostQuery", "CostStore", "CostSum", "open_costs"]
