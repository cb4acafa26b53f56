"""The names that deployment files may use: settings, metrics and services that really exist."""

import re
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from parley.core import Settings
from parley.service.registry import registered
from parley.telemetry import names

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"\bPARLEY_[A-Z][A-Z0-9_]*")
METRIC = re.compile(r"\b(?:parley|gen_ai|rabbitmq)_[a-z0-9_]+")
# What the broker's own exporter is asked for; `tests/architecture/test_compose_metrics.py` asks a real one.
BROKER_METRICS = frozenset({"rabbitmq_queue_messages", "rabbitmq_queue_consumers"})


def settings() -> frozenset[str]:
    """Every environment variable that some setting is read from."""
    for entry in registered().values():
        package = entry.value.partition(":")[0].rpartition(".")[0]
        if find_spec(f"{package}.settings"):
            import_module(f"{package}.settings")
    import_module("parley.cli")
    ours = (one for one in _below(Settings) if one.__module__.startswith("parley"))
    return frozenset(one.variable(field) for one in ours for field in one.model_fields)


def services() -> frozenset[str]:
    """Every service that `parley run` knows."""
    return frozenset(registered())


def metrics() -> frozenset[str]:
    """Every name under which one of our metrics, or one of the broker's that we use, is found in Prometheus."""
    definitions = [value for value in vars(names).values() if isinstance(value, tuple)]
    found = set(BROKER_METRICS)
    for name, *_ in definitions:
        plain = name.removesuffix("_total")
        found |= {name, *(f"{plain}_{end}" for end in ("total", "bucket", "sum", "count"))}
    return frozenset(found)


def unknown_variables(texts: Iterable[str]) -> set[str]:
    """The PARLEY_… names in `texts` that no setting reads."""
    return {name for text in texts for name in VARIABLE.findall(text)} - settings()


def _below(kind: type[Settings]) -> Iterable[type[Settings]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
