"""`make bench`: the plain durable floor and the product in turn, with the same load, in one run.

Prints and writes ratios and core-microseconds per message (of the whole machine: broker, services and load share it).
`--rounds 3 --seconds 5 --conns 1000 --rate 300`.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.product import Product, a_product
from parley.testing.servers.rabbitmq import rabbit_node

HERE = Path(__file__).parent
LIMITS = HERE / "limits"
RESULTS = HERE / "RESULTS.md"
CONVERSATION = [
    *("--path", "/v1/rt", "--end", "message_end", "--proto", "parley.v1.json", "--ready", '"welcome"'),
    *("--hello", '{"hello":{"site_key":"demo"}}'),
    *(
        "--text",
        '{"send":{"client_msg_id":"{conn}-{n}","text":"多久可以退货 how long until my refund arrives?"}}',
    ),
]
FLOOR = ["--stack", "plain", "--queue", "quorum", "--confirms", "1", "--persistent", "1"]
Row = dict[str, Any]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--conns", type=int, default=1000)
    parser.add_argument("--rate", type=int, default=300)
    return parser.parse_args()


def load(amqp: str, arguments: list[str], chosen: argparse.Namespace, rate: int) -> Row:
    """One load of one subject; `core_us` is what the whole machine spent per message."""
    command = [sys.executable, str(LIMITS / "floor_e2e.py"), *arguments, "--reps", "1", "--amqp", amqp]
    command += ["--conns", str(chosen.conns), "--seconds", str(chosen.seconds), "--rate", str(rate)]
    busy, began = _busy(), time.monotonic()
    done = subprocess.run(
        command, cwd=LIMITS, env={**os.environ, "AMQP_URL": amqp}, capture_output=True, text=True, check=False
    )
    row: Row = (
        json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else {"error": done.stderr[-500:]}
    )
    if "error" in row or not row.get("msgs"):
        raise SystemExit(f"the load failed: {row}\n{done.stderr[-2000:]}")
    row["host_busy_s"], row["wall_s"] = _busy() - busy, time.monotonic() - began
    return row


def product_load(amqp: str, product: Product, chosen: argparse.Namespace, rate: int) -> Row:
    """The same load on the product, with each service's own share."""
    before = {name: _cpu(pid) for name, pid in product.pids.items()}
    row = load(amqp, ["--target", str(product.port), *CONVERSATION], chosen, rate)
    messages = max(1, row["msgs"] * (chosen.seconds + 1.5) / chosen.seconds)
    for name, pid in product.pids.items():
        row[f"{name}_us"] = round((_cpu(pid) - before[name]) / messages * 1e6, 1)
    return row


def measure(amqp: str, chosen: argparse.Namespace) -> dict[str, list[Row]]:
    """Rounds of floor, product, floor, product: closed loop, then at a fixed rate."""
    rows: dict[str, list[Row]] = {}
    for round_number in range(chosen.rounds):
        for kind, rate in (("closed", 0), ("open", chosen.rate)):
            rows.setdefault(f"floor {kind}", []).append(load(amqp, FLOOR, chosen, rate))
            with a_product(amqp) as product:
                rows.setdefault(f"product {kind}", []).append(product_load(amqp, product, chosen, rate))
            for subject in ("floor", "product"):
                last = rows[f"{subject} {kind}"][-1]
                shown = {k: last[k] for k in ("msgs_per_s", "p50_ms", "p99_ms", "failed", "lost", "unsent")}
                print(f"round {round_number + 1} {kind:6} {subject:7} {json.dumps(shown)}", flush=True)
    return rows


def median(rows: list[Row], key: str) -> float:
    return float(statistics.median(row[key] for row in rows))


def report(rows: dict[str, list[Row]], chosen: argparse.Namespace) -> str:
    """A section of RESULTS.md."""
    floor, ours = rows["floor closed"], rows["product closed"]
    ratio = [p["msgs_per_s"] / f["msgs_per_s"] for f, p in zip(floor, ours, strict=True)]
    closed_us = [2e6 * _share(row) / row["msgs_per_s"] for row in ours]
    shares = ", ".join(
        f"{key.removesuffix('_us')} {median(ours, key):.0f}"
        for key in ours[0]
        if key.endswith("_us") and key not in ("load_cpu_us",)
    )
    lines = [
        f"## Chain, {time.strftime('%Y-%m-%d %H:%M')} UTC",
        "",
        f"{_machine()}. {chosen.rounds} rounds in turn, medians; {chosen.conns} connections, {chosen.seconds:g} s.",
        "Product: a process per service, RabbitMQ quorum queues with confirms, SQLite at synchronous=full, echo skill,",
        "authentication, metrics and 1 % traces on, message and reply stored before they are acknowledged and shown.",
        "",
        "| | plain durable floor | product | ratio |",
        "|---|---|---|---|",
        f"| closed loop, msg/s | {median(floor, 'msgs_per_s'):.0f} | {median(ours, 'msgs_per_s'):.0f} "
        f"| **{statistics.median(ratio):.2f}** ({min(ratio):.2f} to {max(ratio):.2f}) |",
        f"| core-µs per message | {2e6 / median(floor, 'msgs_per_s'):.0f} | {statistics.median(closed_us):.0f} | |",
    ]
    for key in ("p50_ms", "p99_ms"):
        a, b = median(rows["floor open"], key), median(rows["product open"], key)
        lines.append(f"| {chosen.rate}/s open loop, {key[:3]} ms | {a:.1f} | {b:.1f} | {b / a:.2f} |")
    lost = sum(row["failed"] + row["lost"] + row["unsent"] for kind in rows.values() for row in kind)
    lines += ["", f"Process µs per message, closed loop: {shares}. Failed, lost or unsent in all rounds: {lost}.", ""]
    return "\n".join(lines)


def _share(row: Row) -> float:
    return min(1.0, float(row["host_busy_s"]) / float(row["wall_s"]) / 2)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return float((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))


def _busy() -> float:
    values = [int(v) for v in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return float((sum(values) - values[3] - values[4]) / os.sysconf("SC_CLK_TCK"))


def _machine() -> str:
    model = next(
        (x.split(":")[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x), ""
    )
    return f"{os.cpu_count()} cores ({model}), Linux {platform.release()}, Python {platform.python_version()}"


async def main() -> None:
    chosen = options()
    async with rabbit_node(None) as broker:
        rows = await asyncio.to_thread(measure, broker.url, chosen)
    section = report(rows, chosen)
    head = "# Results\n\nNewest first. Quote ratios, not single rates: machines differ and drift.\n\n"
    kept = RESULTS.read_text().removeprefix(head) if RESULTS.exists() else ""
    RESULTS.write_text(head + section + "\n" + kept)
    print("\n" + section)


if __name__ == "__main__":
    asyncio.run(main())
