"""The load generator of `limits/ws_load.c`, driven at the product, at an echo server or at a floor."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.machine import busy_seconds, cpu_seconds
from benchmarks.product import Product

LIMITS = Path(__file__).parent / "limits"
Row = dict[str, Any]

ASKED = "多久可以退货 how long until my refund arrives?"
SEND = f'{{"client_msg_id":"{{conn}}-{{n}}","text":"{ASKED}"}}'
WEBSOCKET = {
    "path": "/v1/rt",
    "proto": "parley.v1.json",
    "hello": '{"hello":{"site_key":"demo"}}',
    "ready": '"welcome"',
    "text": f'{{"send":{SEND}}}',
    "end": "message_end",
    "bad": '{"error"',
}
SOCKET_IO = {
    "sio": 1,
    "hello": '40{"site_key":"demo"}',
    "text": f'42["send",{SEND}]',
    "end": "message_end",
    "bad": '42["error"',
}
WARM = 1.5


class LoadFailed(SystemExit):
    """The load could not be put on."""


@cache
def load_program() -> Path:
    """The compiled load generator; needs a C compiler, which `make bench` installs."""
    source = LIMITS / "ws_load.c"
    built = Path(tempfile.gettempdir(), f"parley_ws_load_{os.getuid()}_{int(source.stat().st_mtime)}")
    if not built.exists():
        subprocess.run(["cc", "-O2", "-o", f"{built}.new", str(source)], check=True)
        Path(f"{built}.new").rename(built)
    return built


def drive(port: int, pids: dict[str, int], *, connected: Callable[[], None] | None = None, **options: Any) -> Row:
    """One load; the row holds each process's µs per message as `NAME_us`, and the machine's as `core_us`.

    `connected` is called once all connections are up; set-up is charged to no message.
    """
    given = {"warm": WARM, "seconds": 4, "srcs": 1 + int(options.get("conns", 1000)) // 15_000, **options}
    command = [str(load_program()), f"port={port}", *(f"{name}={value}" for name, value in given.items())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    before, busy, began = {name: cpu_seconds(pid) for name, pid in pids.items()}, busy_seconds(), time.monotonic()
    if connected:
        connected()
    lines = [first, *process.communicate(timeout=900)[0].splitlines()]
    row: Row = {}
    for line in lines:
        row.update(json.loads(line) if line.strip() else {})
    if given.get("mode") == "idle":
        return row
    if not row.get("msgs"):
        raise LoadFailed(f"the load failed: {row} by {' '.join(command)}")
    messages = row["msgs"] * (float(given["seconds"]) + float(given["warm"])) / float(given["seconds"])
    for name, pid in pids.items():
        row[f"{name}_us"] = (cpu_seconds(pid) - before[name]) / messages * 1e6
    row["core_us"] = (busy_seconds() - busy) / (time.monotonic() - began) * float(given["seconds"]) / row["msgs"] * 1e6
    return row


def talk(product: Product, transport: Row = WEBSOCKET, **options: Any) -> Row:
    """Visitors who ask and wait for the whole stored answer; a closed loop unless `mode="rate"`."""
    return drive(product.port, product.pids, **{**transport, **options})


def floor(amqp: str, stack: str, **options: Any) -> Row:
    """The same load on the least code that moves a message through the same parts (`limits/floor_e2e.py`)."""
    command = [sys.executable, str(LIMITS / "floor_e2e.py"), "--stack", stack, "--reps", "1", "--amqp", amqp]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    done = subprocess.run(
        command, cwd=LIMITS, env={**os.environ, "AMQP_URL": amqp}, capture_output=True, text=True, check=False
    )
    row: Row = json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else {"error": done.stderr}
    if "error" in row or not row.get("msgs"):
        raise LoadFailed(f"the floor failed: {row}\n{done.stderr[-2000:]}")
    row["core_us"] = 1e6 * row["host_busy"] * (os.cpu_count() or 1) / row["msgs_per_s"]
    return row


DURABLE = {"queue": "quorum", "confirms": 1, "persistent": 1}
