"""More engines: does the work spread over them?"""

import statistics
from typing import Any

from benchmarks.machine import CORES
from benchmarks.results import Finding, Goal, Run, prose, table
from benchmarks.workers import BURN_SECONDS, SLEEP_SECONDS, SLEEPERS, pump

COUNTS = (1, 2, 4, 8)
SLEEPING, BURNING = 0.95, 0.85


def measure(run: Run) -> Finding:
    """Rounds of 1, 2, 4 and 8 engines that sleep, and of as many as there are cores that burn."""
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    wanted = [("sleep", n) for n in COUNTS] + [("burn", n) for n in COUNTS if n <= CORES]
    for _ in range(run.rounds):
        for kind, count in wanted:
            row = pump(run.amqp, kind, count, under_way=256 * count, seconds=run.seconds)
            found.setdefault((kind, count), []).append(row)
            print(kind, count, round(row["msgs_per_s"]), flush=True)
    rates = {key: statistics.median(row["msgs_per_s"] for row in rows) for key, rows in found.items()}
    rows = [
        (kind, count, f"{rate:.0f}", f"{rate / rates[kind, 1]:.2f}", f"{rate / rates[kind, 1] / count:.2f}")
        for (kind, count), rate in rates.items()
    ]
    goals = []
    for kind, least, what in (
        ("sleep", SLEEPING, f"sleeps {SLEEP_SECONDS * 1000:g} ms"),
        ("burn", BURNING, f"burns {BURN_SECONDS * 1000:g} ms"),
    ):
        worst = min(rates[key] / rates[kind, 1] / key[1] for key in rates if key[0] == kind)
        most = max(key[1] for key in rates if key[0] == kind)
        goals.append(
            Goal(
                f"throughput of 1 to {most} engines whose handler {what}",
                f"≥ {least} × N",
                f"{worst:.2f} × N",
                worst >= least,
            )
        )
    text = prose(f"""{run.rounds} rounds in turn, medians; {run.seconds:g} s, 256 turns under way for each engine. A
        sleeper takes {SLEEPERS} turns at once, so that {COUNTS[-1]} of them ask for
        {COUNTS[-1] * SLEEPERS / SLEEP_SECONDS:.0f} turns a second, which these cores can carry. Slope by least squares:
        {_slopes(rates)}.""")
    text += "\n\n" + table(("handler", "engines", "turns/s", "times one", "per engine"), rows)
    return Finding("More engines", goals, text, {f"{kind} {count}": rows for (kind, count), rows in found.items()})


def _slopes(rates: dict[tuple[str, int], float]) -> str:
    parts = []
    for kind in ("sleep", "burn"):
        points = [(count, rate / rates[kind, 1]) for (of, count), rate in rates.items() if of == kind]
        if len(points) > 1:
            slope = statistics.linear_regression(*zip(*points, strict=True)).slope
            parts.append(f"{kind} {slope:.2f} per engine")
    return ", ".join(parts)
