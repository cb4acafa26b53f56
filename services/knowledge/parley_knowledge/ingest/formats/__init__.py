"""The formats that are read: one module each, found by being here."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules

from parley_knowledge.ingest.formats.port import Format, Found

__all__ = ["Format", "Found", "formats"]

GROUP = "parley.knowledge_formats"


@cache
def formats() -> Mapping[str, Format]:
    """Every format by its suffixes, such as ".pdf". One from elsewhere goes before ours."""
    return {suffix: one for one in _all() for suffix in one.suffixes}


def _all() -> Iterator[Format]:
    for module in iter_modules(__path__):
        found = getattr(import_module(f"{__name__}.{module.name}"), "FORMAT", None)
        if isinstance(found, Format):
            yield found
    for point in entry_points(group=GROUP):
        found = point.load()
        if isinstance(found, Format):
            yield found
