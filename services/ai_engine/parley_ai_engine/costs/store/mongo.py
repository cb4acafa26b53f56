"""Records of calls in MongoDB."""

from contextlib import suppress
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from parley.database.mongo import Index, MongoDatabase, reachable
from parley_ai_engine.costs.store.port import BY, CostQuery, CostSum, read_tariff, row_of
from parley_ai_engine.costs.usage import Usage

USAGE: Final = "model_usage"
_COUNTS: Final = ("input_tokens", "cached_tokens", "output_tokens", "estimated", "used")


class MongoCosts:
    """See `CostStore`. The usage id is `_id`."""

    def __init__(self, database: MongoDatabase) -> None:
        self._usage = database.collection(USAGE)

    async def add(self, usage: Usage) -> None:
        """Insert or leave alone."""
        row = row_of(usage)
        with reachable(), suppress(DuplicateKeyError):
            await self._usage.insert_one({"_id": row.pop("usage_id"), **row})

    async def sums(self, query: CostQuery) -> list[CostSum]:
        """One group by key and price."""
        group: dict[str, Any] = {
            "_id": {"key": f"${BY[query.by]}", "price": "$price", "instead": "$instead", "saved_by": "$saved_by"},
            "calls": {"$sum": 1},
            **{name: {"$sum": f"${name}"} for name in _COUNTS},
        }
        with reachable():
            found = await self._usage.aggregate([{"$match": _match(query)}, {"$group": group}]).to_list(None)
        return [_sum(document) for document in found]


def _match(query: CostQuery) -> dict[str, Any]:
    tenant = {"tenant_id": query.tenant} if query.tenant else {}
    return {"at": {"$gte": query.since, "$lt": query.until}, **tenant, **{BY[by]: value for by, value in query.only}}


def _sum(document: dict[str, Any]) -> CostSum:
    of = document["_id"]
    counts = [int(document[name]) for name in ("calls", *_COUNTS)]
    return CostSum(of["key"], read_tariff(of["price"]), read_tariff(of["instead"]), of["saved_by"], *counts)


async def open_mongo_costs(database: MongoDatabase) -> MongoCosts:
    """A store with its indexes made."""
    indexes = (Index(("at",)), Index(("tenant_id", "at")), Index(("tenant_id", "session_id")))
    await database.ensure_indexes(USAGE, indexes)
    return MongoCosts(database)
