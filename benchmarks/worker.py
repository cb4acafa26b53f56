"""What one message costs a worker: ours beside one of FastStream, on the same broker."""

import json
import subprocess
import sys
from typing import Any

from benchmarks.load import DURABLE, LIMITS, LoadFailed
from benchmarks.results import Finding, Goal, Run, median, prose, ratios, table
from benchmarks.workers import pump

TIMES_FASTSTREAM = 0.2
UNDER_WAY = 256


def measure(run: Run) -> Finding:
    """Rounds of FastStream as durable as ours, FastStream at its cheapest, ours."""
    durable, cheapest, ours = [], [], []
    for _ in range(run.rounds):
        durable.append(faststream(run, **DURABLE))
        cheapest.append(faststream(run))
        ours.append(pump(run.amqp, "echo", 1, UNDER_WAY, run.seconds))
        print([(round(r["worker_us"]), round(r["msgs_per_s"])) for r in (durable[-1], cheapest[-1], ours[-1])])
    times, spread = ratios(ours, durable, "worker_us")
    rows = [
        (name, f"{median(of, 'worker_us'):.0f}", f"{median(of, 'msgs_per_s'):.0f}")
        for name, of in (
            ("FastStream, quorum queues, confirms", durable),
            ("FastStream, transient, no confirms", cheapest),
            ("a Parley service, quorum queues, confirms", ours),
        )
    ]
    goals = [
        Goal("CPU per message, times a FastStream worker as durable", f"≤ {TIMES_FASTSTREAM}", spread, times <= 0.2),
        Goal("the same, times FastStream without confirms", "shown", ratios(ours, cheapest, "worker_us")[1]),
    ]
    text = prose(f"""{run.rounds} rounds in turn, medians; one worker, {UNDER_WAY} messages under way,
        {run.seconds:g} s. Each message is answered by one. FastStream handles 200 raw bytes; ours a protobuf turn with
        metrics, trace context, retry and dead letters, published with `await ctx.publish(…)`. Ours is cheaper
        because the bus carries
        batches and confirms are not awaited one by one.""")
    text += "\n\n" + table(("worker", "µs CPU per message", "msg/s"), rows)
    return Finding("A worker beside FastStream", goals, text, {"durable": durable, "cheapest": cheapest, "ours": ours})


def faststream(run: Run, **options: Any) -> dict[str, Any]:
    """`limits/rabbit_rtt.py` with its FastStream worker."""
    command = [sys.executable, str(LIMITS / "rabbit_rtt.py"), "--worker", "faststream", "--amqp", run.amqp]
    command += ["--reps", "1", "--seconds", str(run.seconds), "--inflight", str(UNDER_WAY)]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    done = subprocess.run(command, cwd=LIMITS, capture_output=True, text=True, check=False)
    row: dict[str, Any] = json.loads((done.stdout.strip() or "{}").splitlines()[-1])
    if not row.get("worker_us"):
        raise LoadFailed(f"FastStream failed: {row}\n{done.stderr[-2000:]}")
    return {**row, "msgs_per_s": row["rt_per_s"]}
