"""The same chain beside Socket.IO + amqplib on Node, which stores nothing, and beside the fast floor."""

from typing import Any

from benchmarks.load import DURABLE, SOCKET_IO, floor, talk
from benchmarks.product import a_product
from benchmarks.results import Finding, Goal, Run, median, ratios, table

TIMES_NODE = 0.4
NODE, FAST, FAST_DURABLE, OURS, OURS_SIO = (
    "Node: Socket.IO + amqplib, nothing stored or confirmed",
    "fast floor: picows + a hand-written AMQP client, nothing stored or confirmed",
    "fast floor, quorum queues and confirms",
    "Parley, WebSocket, durable",
    "Parley, Socket.IO, durable",
)


def measure(run: Run) -> Finding:
    """Rounds of each in turn, closed loop."""
    load: dict[str, Any] = {"conns": run.conns, "seconds": run.seconds}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in (NODE, FAST, FAST_DURABLE, OURS, OURS_SIO)}
    for _ in range(run.rounds):
        found[NODE].append(floor(run.amqp, "node", **load))
        found[FAST].append(floor(run.amqp, "fast", **load))
        found[FAST_DURABLE].append(floor(run.amqp, "fast", **DURABLE, **load))
        with a_product(run.amqp) as product:
            found[OURS].append(talk(product, **load))
        with a_product(run.amqp) as product:
            found[OURS_SIO].append(talk(product, SOCKET_IO, **load))
        print({name.partition(",")[0]: round(rows[-1]["msgs_per_s"]) for name, rows in found.items()})
    times, spread = ratios(found[OURS], found[NODE], "msgs_per_s")
    rows = [
        (
            name,
            f"{median(of, 'msgs_per_s'):.0f}",
            f"{median(of, 'core_us'):.0f}",
            ratios(of, found[NODE], "msgs_per_s")[1],
        )
        for name, of in found.items()
    ]
    shown = table(("chain", "msg/s", "core-µs per message", "times Node"), rows)
    text = f"{run.rounds} rounds in turn, medians; {run.conns} connections, closed loop, {run.seconds:g} s.\n\n{shown}"
    goals = [
        Goal("closed loop, times the Node chain", f"≥ {TIMES_NODE}", spread, times >= TIMES_NODE),
        Goal("closed loop, times the fast floor", "shown", ratios(found[OURS], found[FAST], "msgs_per_s")[1]),
    ]
    return Finding("The chain beside Node and the fast floor", goals, text, found)
