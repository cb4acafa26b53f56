"""How many sessions wait for a person, over all shards that this process owns."""

from parley.telemetry import gauge, names

_gauge = gauge(names.WAITING_SESSIONS)
_counts: dict[int, int] = {}


def count(shard: int, waiting: int) -> None:
    """A shard of ours, counted anew."""
    _counts[shard] = waiting
    _gauge.set(sum(_counts.values()))


def leave(shard: int) -> None:
    """Somebody else counts it from now on."""
    _counts.pop(shard, None)
    _gauge.set(sum(_counts.values()))
