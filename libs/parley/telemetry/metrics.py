"""Prometheus metrics by the definitions in `names`. Callers keep the children: a look-up costs more than a count."""

from functools import cache

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

Definition = tuple[str, str, tuple[str, ...]]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@cache
def counter(definition: Definition, *labels: str) -> Counter:
    """The counter of a definition, for these label values."""
    metric = _counter(definition)
    return metric.labels(*labels) if labels else metric


@cache
def gauge(definition: Definition, *labels: str) -> Gauge:
    """The gauge of a definition, for these label values."""
    metric = _gauge(definition)
    return metric.labels(*labels) if labels else metric


@cache
def histogram(definition: Definition, *labels: str) -> Histogram:
    """The histogram of a definition, for these label values; buckets are seconds or sizes, by the end of its name."""
    metric = _histogram(definition)
    return metric.labels(*labels) if labels else metric


@cache
def _counter(definition: Definition) -> Counter:
    return Counter(*definition)


@cache
def _gauge(definition: Definition) -> Gauge:
    return Gauge(*definition)


@cache
def _histogram(definition: Definition) -> Histogram:
    return Histogram(*definition, buckets=SECONDS if definition[0].endswith("seconds") else SIZES)


def exposition() -> bytes:
    """All metrics of this process in Prometheus' text format."""
    return generate_latest(REGISTRY)
