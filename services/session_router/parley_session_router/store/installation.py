"""What is fixed when Parley is installed."""

from parley.core import SettingsError


def same_shards(stored: int, asked: int) -> None:
    """Raises SettingsError unless the number of shards is the one of the first start."""
    if stored != asked:
        raise SettingsError(
            f"PARLEY_SHARDS is {asked}, but this database was set up with {stored}: sessions would change their shard "
            f"and their order. Type PARLEY_SHARDS={stored}, or give PARLEY_DATABASE_URL a new database"
        )
