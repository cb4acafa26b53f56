"""Which services there are: entry-point group `parley.services`, one line each, in any distribution."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from parley.core import SettingsError
from parley.service.definition import Service

GROUP = "parley.services"


def registered() -> dict[str, EntryPoint]:
    """Every registered service by name, not loaded yet."""
    return {found.name: found for found in entry_points(group=GROUP)}


def load(names: list[str]) -> list[Service[Any]]:
    """Load these services (`all`: every one). Raises SettingsError for a name that is not registered."""
    known = registered()
    wanted = sorted(known) if names == ["all"] else names
    if unknown := [name for name in wanted if name not in known]:
        raise SettingsError(f"there is no service {', '.join(unknown)}; there are {', '.join(sorted(known))}, or all")
    return [known[name].load() for name in wanted]
