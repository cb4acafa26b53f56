"""The chain beside the plain durable floor: as fast as it goes, then at a fixed rate."""

import statistics
from typing import Any

from benchmarks.load import DURABLE, floor, talk
from benchmarks.machine import CORES
from benchmarks.product import SERVICES, a_product
from benchmarks.results import Finding, Goal, Run, median, prose, ratios, table

TIMES_FLOOR, CORE_US, TIMES_LATENCY = 3.0, 381, 3.0
SUBJECT = """Product: a process per service, RabbitMQ quorum queues with confirms, SQLite at synchronous=full, echo
skill, authentication, metrics and 1 % traces on, message and reply stored before they are acknowledged and shown: five
hops and two commits. The floor makes two hops on the same kind of queue and stores nothing."""


def measure(run: Run) -> Finding:
    """Rounds of floor, product, floor, product: closed loop, then open loop at the rate."""
    load: dict[str, Any] = {"conns": run.conns, "seconds": run.seconds}
    floors: dict[str, list[dict[str, Any]]] = {"closed": [], "open": []}
    ours: dict[str, list[dict[str, Any]]] = {"closed": [], "open": []}
    for _ in range(run.rounds):
        loops: tuple[tuple[str, dict[str, Any]], ...] = (("closed", {}), ("open", {"rate": run.rate}))
        for kind, more in loops:
            floors[kind].append(floor(run.amqp, "plain", **DURABLE, **load, **more))
            with a_product(run.amqp) as product:
                ours[kind].append(talk(product, **load, **({**more, "mode": "rate"} if more else {})))
            for name, rows in (("floor", floors[kind]), ("product", ours[kind])):
                last = rows[-1]
                print(f"{kind:6} {name:7} {last['msgs_per_s']:.0f}/s p50 {last['p50_ms']:.1f} p99 {last['p99_ms']:.1f}")
    return _finding(run, floors, ours)


def _finding(run: Run, floors: dict[str, list[dict[str, Any]]], ours: dict[str, list[dict[str, Any]]]) -> Finding:
    times, spread = ratios(ours["closed"], floors["closed"], "msgs_per_s")
    core, floor_core = median(ours["closed"], "core_us"), median(floors["closed"], "core_us")
    goals = [
        Goal("closed loop, times the plain durable floor", f"≥ {TIMES_FLOOR}", spread, times >= TIMES_FLOOR),
        Goal("core-µs per message, whole machine", f"≤ {CORE_US}", f"{core:.0f}", core <= CORE_US),
    ]
    rows = [
        ("closed loop, msg/s", *(f"{median(x['closed'], 'msgs_per_s'):.0f}" for x in (floors, ours)), spread),
        ("core-µs per message", f"{floor_core:.0f}", f"{core:.0f}", f"{core / floor_core:.2f}"),
    ]
    for key, name in (("p50_ms", "p50"), ("p99_ms", "p99")):
        slower, spread = ratios(ours["open"], floors["open"], key)
        what = f"{run.rate}/s open loop, {name}"
        goals.append(Goal(f"{what}, times the floor", f"≤ {TIMES_LATENCY:g}", spread, slower <= TIMES_LATENCY))
        rows.append((f"{what}, ms", *(f"{median(x['open'], key):.1f}" for x in (floors, ours)), spread))
    shares = ", ".join(f"{name} {median(ours['closed'], f'{name}_us'):.0f}" for name in SERVICES)
    wrong = sum(int(r["failed"] + r["lost"] + max(0, r["unsent"]) + r["errors"]) for k in ours.values() for r in k)
    goals.append(Goal("failed, lost, refused or unsent in all rounds", "0", str(wrong), wrong == 0))
    shown = table(("", "plain durable floor", "product", "ratio"), rows)
    busy = statistics.median(r["core_us"] * r["msgs_per_s"] / 1e6 for r in ours["open"])
    text = "\n\n".join(
        [
            prose(f"{run.rounds} rounds in turn, medians; {run.conns} connections, {run.seconds:g} s each. {SUBJECT}"),
            shown,
            prose(f"""Process µs per message, closed loop: {shares}. At {run.rate}/s the machine's cores are
            {busy / CORES:.0%} busy."""),
        ]
    )
    return Finding("The chain beside the plain durable floor", goals, text, {"floor": floors, "product": ours})
