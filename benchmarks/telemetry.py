"""What it costs to be watched: metrics and traces beside neither."""

from typing import Any

from benchmarks.collector import a_collector
from benchmarks.load import talk
from benchmarks.product import SERVICES, a_product
from benchmarks.results import Finding, Goal, Run, median, prose, ratios, table

USUAL, ALL = 0.05, 0.30
NOTHING, ONE, HUNDRED = "no metrics, no traces", "metrics, 1 % traced", "metrics, 100 % traced"
WAYS = {NOTHING: ("benchmarks.untold", "0"), ONE: ("parley.cli", "0.01"), HUNDRED: ("parley.cli", "1")}


def measure(run: Run) -> Finding:
    """Rounds of each way in turn, closed loop, spans sent to a collector that forgets them."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for number in range(run.rounds):
        for way in list(WAYS)[:: 1 if number % 2 else -1]:  # each in turn first and last: a machine drifts
            module, ratio = WAYS[way]
            with (
                a_collector() as collector,
                a_product(run.amqp, module=module, PARLEY_TRACE_RATIO=ratio, PARLEY_OTLP_URL=collector) as product,
            ):
                found[way].append(talk(product, conns=run.conns, seconds=run.seconds))
            print(way, round(found[way][-1]["msgs_per_s"]), flush=True)
    goals, rows = [], []
    for way, most in ((NOTHING, 0.0), (ONE, USUAL), (HUNDRED, ALL)):
        times, spread = ratios(found[way], found[NOTHING], "msgs_per_s")
        own = sum(median(found[way], f"{name}_us") for name in SERVICES)
        rows.append((way, f"{median(found[way], 'msgs_per_s'):.0f}", spread, f"{own:.0f}"))
        if most:
            goals.append(Goal(f"throughput lost to: {way}", f"≤ {most:.0%}", f"{1 - times:.0%}", 1 - times <= most))
    text = prose(f"""{run.rounds} rounds in turn, medians; {run.conns} connections, closed loop, {run.seconds:g} s.
        Without metrics means: their `inc` and `observe` do nothing (`benchmarks/untold.py`). Spans go over OTLP
        to a collector        on the same cores, which forgets them, and over the bus to the gateway's trace view,
        as they always do.""")
    text += "\n\n" + table(("", "msg/s", "times neither", "our processes' µs per message"), rows)
    return Finding("What it costs to be watched", goals, text, found)
