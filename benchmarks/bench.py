"""`make bench`: every promise of speed as a measured row, beside its floor or peer of the same run.

`make bench` runs all rows, `make bench ROWS=connections,burst` some of them; each replaces its section of RESULTS.md.
"""

import argparse
import asyncio
from collections.abc import Callable

from benchmarks import (
    burst,
    chain,
    connections,
    engines,
    machine,
    pauses,
    peers,
    profiles,
    socket_io,
    telemetry,
    worker,
)
from benchmarks.results import Finding, Run, keep
from parley.testing.servers.rabbitmq import rabbitmq

ROWS: dict[str, Callable[[Run], Finding]] = {
    "chain": chain.measure,
    "peers": peers.measure,
    "connections": connections.measure,
    "socket_io": socket_io.measure,
    "worker": worker.measure,
    "engines": engines.measure,
    "telemetry": telemetry.measure,
    "burst": burst.measure,
    "profiles": profiles.measure,
    "pauses": pauses.measure,
}


def options() -> argparse.Namespace:
    """What the command line says."""
    usual = Run("")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS), help="which rows, comma-separated")
    parser.add_argument("--rounds", type=int, default=usual.rounds)
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="of one load")
    parser.add_argument("--conns", type=int, default=usual.conns)
    parser.add_argument("--rate", type=int, default=usual.rate, help="messages a second where the loop is open")
    parser.add_argument("--many", type=int, default=usual.many, help="mostly idle connections")
    parser.add_argument("--hold", type=float, default=usual.hold, help="seconds that these are held; 600 for the soak")
    chosen = parser.parse_args()
    if unknown := set(_names(chosen.rows)) - set(ROWS):
        parser.error(f"no row is called {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    return chosen


def _names(rows: str) -> list[str]:
    return [name for name in rows.split(",") if name]


async def main() -> None:
    """Run the rows one after another on one broker: that of PARLEY_TEST_BUS_URL, else a private one."""
    chosen = options()
    async with rabbitmq() as broker:
        run = Run(broker.url, chosen.rounds, chosen.seconds, chosen.conns, chosen.rate, chosen.many, chosen.hold)
        for name in _names(chosen.rows) or list(ROWS):
            print(f"--- {name}", flush=True)
            others = machine.others_share()
            finding = await asyncio.to_thread(ROWS[name], run)
            keep(name, finding, machine=machine.described(), others=others)
            for goal in finding.goals:
                print(f"{goal.what}: {goal.found} (goal {goal.goal})", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
