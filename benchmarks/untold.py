"""`python -m benchmarks.untold …` is `parley …` without metrics: what they cost is the difference."""

from typing import Any

from prometheus_client import Counter, Gauge, Histogram


def _nothing(*_: Any, **__: Any) -> None:
    """Counts nothing."""


for metric, methods in ((Counter, ("inc",)), (Gauge, ("inc", "dec", "set")), (Histogram, ("observe",))):
    for method in methods:
        setattr(metric, method, _nothing)

from parley.cli import main  # noqa: E402 - the metrics are made as the services are imported

if __name__ == "__main__":
    main()
